"""Report: one HTML file about one run or several runs of one world, with a replay, charts and tables."""
