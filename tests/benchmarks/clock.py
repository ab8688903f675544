"""Processor time and memory, and what the bare SimPy kernel does with the first here and now."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator

import simpy

BARE_EVENTS = 200_000


def cpu_s(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def peak_memory_mib(program: str) -> float:
    """Peak memory of a program in a process of its own, MiB.

    It is read from the kernel's account of the program's memory: ``ru_maxrss`` begins at that of the parent.
    """
    program += "\nimport re\nprint(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1])\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def bare_simpy() -> float:
    """Events per CPU-second of 100 processes that only sleep: what the kernel costs here and now."""
    env = simpy.Environment()

    def sleeper(period: float) -> Generator[simpy.Event, None, None]:
        while True:
            yield env.timeout(period)

    for number in range(100):
        env.process(sleeper(1.0 + number / 100))

    def step_all() -> None:
        for _ in range(BARE_EVENTS):
            env.step()

    return BARE_EVENTS / cpu_s(step_all)
