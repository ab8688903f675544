"""Reading recordings, writing tables, and what starting the command and an hour's run take."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from simulator.record.schema import EVENT_KINDS, table
from simulator.run import plan
from simulator.traffic.recording import Recording
from tests.benchmarks.clock import cpu_s, peak_memory_mib

AN_HOUR = """
import sys
from simulator import simulate
simulate("four_way", "conditional").summary
assert "torch" not in sys.modules
"""


def xml_rows() -> float:
    """Rows per CPU-second of reading floating-car XML into a recording."""
    rows = 200_000
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.xml"
        with path.open("w") as file:
            file.write("<fcd-export>\n")
            for step in range(rows // 100):
                file.write(f'<timestep time="{step}.0">\n')
                for car in range(100):
                    file.write(
                        f'<vehicle id="v{car}" x="{step + car}.5" y="{car}.0" angle="90.0" type="car" '
                        f'speed="1.0" lane="e_{car % 3}"/>\n'
                    )
                file.write("</timestep>\n")
            file.write("</fcd-export>\n")
        return rows / cpu_s(lambda: Recording.read(path, 5.0))


def million_events() -> float:
    """CPU-seconds to write a million events as Parquet."""
    rows, rng = 1_000_000, np.random.default_rng(0)
    ids = np.arange(rows) // 12
    events = table(
        "events",
        {
            "time": np.sort(rng.uniform(0, 1e5, rows)),
            "kind": rng.integers(0, len(EVENT_KINDS), rows),
            "vehicle": ids,
            "task": ids,
            "provider": ids % 7,
            "value": rng.uniform(0, 9, rows),
        },
    )
    with TemporaryDirectory() as folder:
        return cpu_s(lambda: events.to_parquet(Path(folder) / "events.parquet", index=False))


def help_s() -> float:
    """CPU-seconds of ``dmsb --help``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "dmsb", "--help"], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


LONG = """
from simulator import simulate
simulate("four_way", "conditional", duration=360_000.0, out="{folder}/run").summary
"""


def long_memory_mib() -> float:
    """Peak memory of 100 hours of `four_way` in a process of its own, MiB; its tables go into a folder on the way."""
    with TemporaryDirectory() as folder:
        return peak_memory_mib(LONG.format(folder=folder))


def long_ratio(hours: float = 10.0) -> float:
    """CPU time of an auction in a long run with its tables, divided by that in a run of an hour."""
    costs = []
    for duration in (hours * 3600.0, 3600.0):
        planned = plan("four_way", "conditional", duration=duration)
        with TemporaryDirectory() as folder:
            seconds = cpu_s(lambda planned=planned, folder=folder: planned.run_into(Path(folder) / "run"))  # type: ignore[misc]
            costs.append(seconds / len(pd.read_parquet(Path(folder) / "run" / "tasks.parquet", columns=["task"])))
    return costs[0] / costs[1]


def memory_mib() -> float:
    """Peak memory of an hour of `four_way` in a process of its own, MiB; it imports no torch."""
    return peak_memory_mib(AN_HOUR)
