"""Radio models, each in a file of its own and found by its entry point, and the map that they make together."""
