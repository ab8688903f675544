"""The world: vehicles, providers and the market on one SimPy clock."""
