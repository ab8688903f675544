"""The command line of ``dmsb``."""
