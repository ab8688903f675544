"""Ground stations and UAVs: who they are, what covers a place, radio, queues, outages."""
