"""Message declarations, one module a schema."""
