"""The one way in which this program writes folders and files: completely, or not at all.

`output` has the functions that write. `staging` has the folders in which new things stand until they are complete, and
`owners` says which process made one. `ours` tells by content what this program wrote. `renames` has the system's calls.
"""

from simulator.files.ours import MANIFEST, PAGE, Foreign, not_ours, signed, unsigned
from simulator.files.output import check, discard, folder, replacing, writing
from simulator.files.staging import clear, recover

__all__ = [
    "MANIFEST",
    "PAGE",
    "Foreign",
    "check",
    "clear",
    "discard",
    "folder",
    "not_ours",
    "recover",
    "replacing",
    "signed",
    "unsigned",
    "writing",
]
