"""The reference of `dmsb doctor`: ``python -m tests.studies.doctor_reference`` runs its checks and writes the file.

Make it again when a change is meant to change results, and say so in the changelog.
"""

from __future__ import annotations

import json

from simulator.study.doctor import CHECKS, REFERENCE, machine, measure


def main() -> None:
    """Write the reference."""
    reference = {"machine": machine(), "checks": {str(check): measure(check) for check in CHECKS}}
    REFERENCE.write_text(json.dumps(reference, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
