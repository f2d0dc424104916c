"""HomePlug Green PHY management messages: bytes to values and back."""
