"""The command ``dmsb``: parses, calls, prints."""
