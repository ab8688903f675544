"""The scenarios that come with the project, in YAML, and their recorded traffic in ``data/``."""
