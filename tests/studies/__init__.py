"""Studies that take minutes to hours: commands whose results are committed."""
