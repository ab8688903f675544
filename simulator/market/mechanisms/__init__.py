"""The built-in mechanisms, one per file."""
