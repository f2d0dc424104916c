"""Vehicle-to-grid communication: transport, handshake, messages, sessions."""
