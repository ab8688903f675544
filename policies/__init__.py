"""Pricing policies, one idea per file; the entry points in pyproject.toml give them their names."""
