"""What holds in every test: how hypothesis draws, and that programs can be interrupted."""

from __future__ import annotations

import os
import signal
import threading

from hypothesis import settings

# A busy machine makes no example slow in itself, so there is no deadline. In CI the same examples come every time: what
# fails there fails everywhere, and new examples are searched for at home.
settings.register_profile("dmsb", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("dmsb")

# A shell starts its background jobs with SIGINT ignored, and their children inherit that: what a test interrupts would
# then never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
