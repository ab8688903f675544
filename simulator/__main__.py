"""``python -m simulator`` is the command ``dmsb``."""

from simulator.cli import main

main()
