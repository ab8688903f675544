"""The recording of a scenario, and how long a run of it lasts."""

from __future__ import annotations

from simulator.errors import RecordingError
from simulator.scenario.scenario import Scenario
from simulator.scenario.shipped import data_path
from simulator.scenario.traffic import RecordedTraffic
from simulator.traffic.recording import Recording

USUAL_S = 3600.0
"""Length of a run where neither a scenario nor a recording says another, s."""


def run_length(scenario: Scenario, recording: Recording | None) -> float:
    """Return the length of a run for which no other length is asked, s.

    Args:
        scenario: the scenario.
        recording: trajectories of its recorded traffic; None for other traffic.

    Raises:
        RecordingError: the recording has one step only.
    """
    if recording is None:
        return USUAL_S if scenario.duration_s is None else scenario.duration_s
    if recording.end <= 0.0:
        place = f"scenario {scenario.name}: all samples of its recording are of one moment"
        raise RecordingError(f"{place}; it must have two moments or more")
    return recording.end if scenario.duration_s is None else min(scenario.duration_s, recording.end)


def recording_of(traffic: RecordedTraffic) -> Recording:
    """Read the recording of a scenario.

    Args:
        traffic: recorded traffic of the scenario.

    Raises:
        RecordingError: the file cannot be read.
    """
    return Recording.read(data_path(traffic.file), traffic.max_gap_s)
