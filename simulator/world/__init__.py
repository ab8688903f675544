"""The world: SimPy processes for vehicles, providers and reports, and the market between them."""
