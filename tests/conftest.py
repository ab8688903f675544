"""What holds in every test: how hypothesis draws."""

from __future__ import annotations

import os

from hypothesis import settings

# A busy machine makes no example slow in itself, so there is no deadline. In CI the same examples come every time: what
# fails there fails everywhere, and new examples are searched for at home.
settings.register_profile("dmsb", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("dmsb")
