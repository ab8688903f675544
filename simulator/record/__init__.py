"""The results of a run: recorder, tables and the run folder."""
