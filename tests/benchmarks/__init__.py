"""Timed figures, beside their targets; not run with the tests."""
