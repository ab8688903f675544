"""Vehicles, recorded or generated."""
