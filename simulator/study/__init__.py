"""Studies: comparisons, audits, trainings and the figures of the paper, each made of many runs."""
