"""Latency: equations (3) to (6), and the same through four first-come-first-served stages in tandem."""

from __future__ import annotations

import numpy as np

from simulator.model import FloatArray
from simulator.model.channel import data_rate, snr_ratio

STAGES = ("uplink", "gpu", "cpu", "downlink")
"""The stages of a task at its provider, in order; every array of stage times has them on its first axis."""

MBIT_PER_MB = 8.0
GIGABITS_PER_MB = 8e-3


def transfer_s(size_mb: FloatArray | float, rate_mbps: FloatArray) -> FloatArray:
    """Equations (3) and (5): seconds to carry ``size_mb`` megabytes at ``rate_mbps`` Mbit/s."""
    return np.asarray(MBIT_PER_MB * size_mb / rate_mbps)


def gpu_s(size_mb: FloatArray | float, gpu_per_bit: FloatArray | float, gpu_units: FloatArray) -> FloatArray:
    """Equation (4), first term: seconds on the GPU, ``D e_p / f^g``; one unit is 1e9 /s, ``e_p`` in 1/bit."""
    return np.asarray(GIGABITS_PER_MB * size_mb * gpu_per_bit / gpu_units)


def cpu_s(size_mb: FloatArray | float, cpu_units: FloatArray) -> FloatArray:
    """Equation (4), second term: seconds on the CPU, ``D / f^c``; one unit is 1e9 bit/s."""
    return np.asarray(GIGABITS_PER_MB * size_mb / cpu_units)


def stage_times(
    size_mb: FloatArray | float,
    gpu_per_bit: FloatArray | float,
    unit_snr_db: FloatArray,
    uplink_power_units: FloatArray | float,
    bandwidth_mhz: FloatArray,
    power_units: FloatArray,
    gpu_units: FloatArray,
    cpu_units: FloatArray,
) -> FloatArray:
    """Seconds that a task needs in each stage at each provider when nobody is before it: (3), (4), (4), (5).

    Args:
        size_mb: input size D, MB; the result has the same size.
        gpu_per_bit: GPU work a bit ``e_p``, 1/bit.
        unit_snr_db: signal-to-noise ratio of the link at one power unit, dB, shape (..., providers).
        uplink_power_units: transmit power ``p^u`` of the vehicle, units of 100 mW.
        bandwidth_mhz: ``B^u`` and ``B^d``, MHz, shape (2, ..., providers).
        power_units: transmit power ``p^d`` of the provider, units of 100 mW.
        gpu_units: GPU speed ``f^g``, 1e9 /s.
        cpu_units: CPU speed ``f^c``, 1e9 bit/s.

    Returns:
        Seconds, shape (4, ..., providers), in the order of ``STAGES``.
    """
    gain = snr_ratio(unit_snr_db)
    snr = np.empty((2, *gain.shape))
    np.multiply(gain, uplink_power_units, out=snr[0])
    np.multiply(gain, power_units, out=snr[1])
    times = np.empty((len(STAGES), *gain.shape))
    times[::3] = transfer_s(size_mb, data_rate(bandwidth_mhz, snr))
    times[1] = gpu_s(size_mb, gpu_per_bit, gpu_units)
    times[2] = cpu_s(size_mb, cpu_units)
    return times


def latency(times: FloatArray) -> FloatArray:
    """Equation (6): the sum of the stage times over the first axis, seconds."""
    return np.asarray(times[0] + times[1] + times[2] + times[3])


def tandem_finish(arrival_s: float, free_at_s: FloatArray, times: FloatArray) -> FloatArray:
    """When each stage is done with a task that joins the four queues now (Lindley's recursion, stage by stage).

    Args:
        arrival_s: the moment at which the task joins the first queue.
        free_at_s: when each stage will have served all that is before the task, shape (4, providers).
        times: the task's own stage times, shape (4, ..., providers).

    Returns:
        Finish times, seconds, of the shape of ``times``. With every stage free the last minus ``arrival_s`` is (6).
    """
    finish = np.empty_like(times)
    done: FloatArray | float = arrival_s
    for stage in range(len(STAGES)):
        done = np.add(np.maximum(free_at_s[stage], done), times[stage], out=finish[stage])
    return finish
