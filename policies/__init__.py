"""Pricing policies, one idea a file; the entry points in pyproject.toml give them their names."""
