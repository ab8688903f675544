"""The figures and claims of the paper, from runs of this simulator."""
