"""The paper's figures and claims, from runs of this simulator."""
