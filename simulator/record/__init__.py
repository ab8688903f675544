"""What a run leaves: recorder, tables and the run folder."""
