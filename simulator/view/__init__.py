"""Views of runs: figures for papers, exports for other tools, and the report."""
