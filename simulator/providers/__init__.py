"""Ground stations and UAVs: their places, equipment, coverage, radio, queues and outages."""
