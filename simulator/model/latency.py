"""Latency: equations (3) to (6), and the same through four first-come-first-served stages in tandem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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


class Work(NamedTuple):
    """What a task asks of every provider, whatever the place at which it is requested.

    Attributes:
        snr: received signal-to-noise ratio of uplink and downlink over the place's own at one power unit, shape
            (2, ..., providers).
        mhz_per_mb: bandwidth of uplink and downlink for each megabyte that they carry, shape (2, ..., providers).
        compute_s: seconds on GPU and CPU, shape (2, ..., providers).
    """

    snr: FloatArray
    mhz_per_mb: FloatArray
    compute_s: FloatArray


def stage_work(
    size_mb: FloatArray | float,
    gpu_per_bit: FloatArray | float,
    fading_db: FloatArray | float,
    uplink_power_units: FloatArray | float,
    bandwidth_mhz: FloatArray,
    power_units: FloatArray,
    gpu_units: FloatArray,
    cpu_units: FloatArray,
) -> Work:
    """The parts of equations (3) to (5) that do not depend on the place.

    Args:
        size_mb: input size D, MB; the result has the same size.
        gpu_per_bit: GPU work a bit ``e_p``, 1/bit.
        fading_db: fading of the link, dB, shape (..., providers).
        uplink_power_units: transmit power ``p^u`` of the vehicle, units of 100 mW.
        bandwidth_mhz: ``B^u`` and ``B^d``, MHz, shape (2, ..., providers).
        power_units: transmit power ``p^d`` of the provider, units of 100 mW.
        gpu_units: GPU speed ``f^g``, 1e9 /s.
        cpu_units: CPU speed ``f^c``, 1e9 bit/s.
    """
    snr = snr_ratio(fading_db) * np.stack(np.broadcast_arrays(uplink_power_units, power_units))
    compute = np.stack(np.broadcast_arrays(gpu_s(size_mb, gpu_per_bit, gpu_units), cpu_s(size_mb, cpu_units)))
    return Work(snr, np.stack([bandwidth / size_mb for bandwidth in bandwidth_mhz]), compute)


def stage_times(work: Work, unit_snr: FloatArray) -> FloatArray:
    """Seconds that a task needs in each stage at each provider when nobody is before it: (3), (4), (4), (5).

    Args:
        work: what the task asks for.
        unit_snr: signal-to-noise ratio of the place at one power unit, a plain ratio, shape (..., providers).

    Returns:
        Seconds, shape (4, ..., providers), in the order of ``STAGES``.
    """
    carry = transfer_s(1.0, data_rate(work.mhz_per_mb, unit_snr * work.snr))
    times = np.empty((len(STAGES), *carry.shape[1:]))
    times[::3] = carry
    times[1:3] = work.compute_s
    return times


def latency(times: FloatArray) -> FloatArray:
    """Equation (6): the sum of the stage times over the first axis, seconds."""
    return np.asarray(times[0] + times[1] + times[2] + times[3])


def tandem_finish(arrival_s: float, free_at_s: Sequence[FloatArray] | FloatArray, times: FloatArray) -> FloatArray:
    """When each stage is done with a task that joins the four queues now (Lindley's recursion, stage by stage).

    Args:
        arrival_s: the moment at which the task joins the first queue.
        free_at_s: when each stage will have served all that is before the task, four arrays of shape (providers,).
        times: the task's own stage times, shape (4, ..., providers).

    Returns:
        Finish times, seconds, of the shape of ``times``. With every stage free the last minus ``arrival_s`` is (6).
    """
    finish = np.empty_like(times)
    done: FloatArray | float = arrival_s
    for free, seconds, ends in zip(free_at_s, times, finish, strict=True):
        np.maximum(free, done, out=ends)
        done = np.add(ends, seconds, out=ends)
    return finish
