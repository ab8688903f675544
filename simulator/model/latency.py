"""Latency: equations (3) to (6), and their extension to first-come-first-served queues in tandem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulator.model import FloatArray, IntArray
from simulator.model.channel import data_rate, snr_ratio, spectral_efficiency

STAGES = ("migration", "uplink", "gpu", "cpu", "downlink")
"""Stages of a task at its provider, in order. They are the first axis of every array of stage times.

The paper has the last four. In the first the vehicle's twin moves to the provider; it takes no time unless the scenario
gives twins a size.
"""

MBIT_PER_MB = 8.0
"""Megabits per megabyte: sizes are in MB, rates in Mbit/s."""

GIGABITS_PER_MB = 8e-3
"""Gigabits per megabyte: sizes are in MB, speeds of GPU and CPU in 1e9 /s."""


def transfer_s(size_mb: FloatArray | float, rate_mbps: FloatArray) -> FloatArray:
    """Return equations (3) and (5), the transfer time ``T = D / R``.

    Args:
        size_mb: task size ``D``, MB.
        rate_mbps: data rate ``R``, Mbit/s.

    Returns:
        Transfer times, s.
    """
    return np.asarray(MBIT_PER_MB * size_mb / rate_mbps)


def gpu_s(size_mb: FloatArray | float, gpu_per_bit: FloatArray | float, gpu_units: FloatArray) -> FloatArray:
    """Return the first term of equation (4), the GPU time ``D e_p / f^g``.

    Args:
        size_mb: task size ``D``, MB.
        gpu_per_bit: GPU work per bit ``e_p``, 1/bit.
        gpu_units: GPU speed ``f^g``, 1e9 /s.

    Returns:
        GPU times, s.
    """
    return np.asarray(GIGABITS_PER_MB * size_mb * gpu_per_bit / gpu_units)


def cpu_s(size_mb: FloatArray | float, cpu_units: FloatArray) -> FloatArray:
    """Return the second term of equation (4), the CPU time ``D / f^c``.

    Args:
        size_mb: task size ``D``, MB.
        cpu_units: CPU speed ``f^c``, 1e9 bit/s.

    Returns:
        CPU times, s.
    """
    return np.asarray(GIGABITS_PER_MB * size_mb / cpu_units)


class Budget(NamedTuple):
    """What a place makes of the links to providers, at one power unit and without the fading of a task.

    Attributes:
        snr: signal-to-noise ratio of uplink and downlink, a plain ratio, shape (2, ..., providers).
        disturbed: interference divided by noise, up and down, of the same shape; None where nobody disturbs.
    """

    snr: FloatArray
    disturbed: FloatArray | None = None


class Modem(NamedTuple):
    """What links make of their ratio; the fields are those of `spectral_efficiency`.

    Attributes:
        share: share of Shannon's bound, shape (providers,).
        ceiling: efficiency of the highest modulation, bit/s/Hz, shape (providers,).
        overhead: overheads of uplink and downlink, shape (2, providers).
    """

    share: FloatArray
    ceiling: FloatArray
    overhead: FloatArray

    def of(self, providers: IntArray) -> Modem:
        """Return the modem of some links.

        Args:
            providers: id of the provider of each link.
        """
        return Modem(self.share[providers], self.ceiling[providers], self.overhead[:, providers])


class Work(NamedTuple):
    """The part of the stage times that does not depend on the place of the request.

    Attributes:
        snr: signal-to-noise ratio of uplink and downlink, divided by that of the place at one power unit. It is a plain
            ratio of shape (2, ..., providers).
        mhz_per_mb: bandwidth of uplink and downlink divided by the task size, MHz/MB, shape (2, ..., providers).
        compute_s: time on GPU and CPU, s, shape (2, ..., providers).
        entry: share of any power that enters the vehicle, a plain ratio that broadcasts to ``snr``; 1 with an antenna
            on the roof. It is part of ``snr`` already.
    """

    snr: FloatArray
    mhz_per_mb: FloatArray
    compute_s: FloatArray
    entry: FloatArray | float = 1.0

    def of(self, providers: IntArray) -> Work:
        """Return the work at some providers.

        Args:
            providers: their ids.
        """
        snr, mhz_per_mb, compute_s = (
            part.take(providers, axis=-1) for part in (self.snr, self.mhz_per_mb, self.compute_s)
        )
        return Work(snr, mhz_per_mb, compute_s, self.entry)


def stage_work(
    size_mb: FloatArray | float,
    gpu_per_bit: FloatArray | float,
    fading_db: FloatArray | float,
    uplink_power_units: FloatArray | float,
    bandwidth_mhz: FloatArray,
    power_units: FloatArray,
    gpu_units: FloatArray,
    cpu_units: FloatArray,
    penetration_db: FloatArray | float = 0.0,
) -> Work:
    """Return the parts of equations (3) to (5) that do not depend on the place of the request.

    Args:
        size_mb: input size ``D``, MB. The result has the same size.
        gpu_per_bit: GPU work per bit ``e_p``, 1/bit.
        fading_db: fading of the link, dB, shape (..., providers).
        uplink_power_units: transmit power ``p^u`` of the vehicle, units of 100 mW.
        bandwidth_mhz: ``B^u`` and ``B^d``, MHz, shape (2, ..., providers).
        power_units: transmit power ``p^d`` of the provider, units of 100 mW.
        gpu_units: GPU speed ``f^g``, 1e9 /s.
        cpu_units: CPU speed ``f^c``, 1e9 bit/s.
        penetration_db: loss into the vehicle, dB, of the shape of ``uplink_power_units``.

    Returns:
        The parts, which `received` combines with a place.
    """
    # Requests are drawn in blocks, before anybody knows where the vehicles will be. What is computed here is computed
    # once for a block. Factors of place, fading and power multiply, because a sum in dB is a product of ratios.
    fading, gpu, cpu = snr_ratio(fading_db), gpu_s(size_mb, gpu_per_bit, gpu_units), cpu_s(size_mb, cpu_units)
    shape = np.broadcast_shapes(fading.shape, np.shape(uplink_power_units), power_units.shape)
    snr, mhz_per_mb, compute = np.empty((2, *shape)), np.empty((2, *cpu.shape)), np.empty((2, *gpu.shape))
    # Each row by itself: stacking broadcast arrays takes three times as long.
    np.multiply(fading, uplink_power_units, out=snr[0])
    np.multiply(fading, power_units, out=snr[1])
    np.divide(bandwidth_mhz[0], size_mb, out=mhz_per_mb[0])
    np.divide(bandwidth_mhz[1], size_mb, out=mhz_per_mb[1])
    compute[0], compute[1] = gpu, cpu
    entry: FloatArray | float = 1.0
    if np.any(penetration_db):
        entry = snr_ratio(-penetration_db)
        snr *= entry
    return Work(snr, mhz_per_mb, compute, entry)


def received(work: Work, budget: Budget) -> FloatArray:
    """Return the ratios ``g p / sigma^2`` of (1) and (2): signal over noise and interference.

    Args:
        work: the part that does not depend on the place.
        budget: what the place makes of the links.

    Returns:
        Plain ratios of uplink and downlink, shape (2, ..., providers).
    """
    snr = budget.snr * work.snr
    # Interference comes through the same walls of the vehicle as the signal.
    return snr if budget.disturbed is None else np.asarray(snr / (1.0 + budget.disturbed * work.entry))


def link_rate(mhz: FloatArray, snr: FloatArray, modem: Modem | None) -> FloatArray:
    """Return the rates of links, (1) and (2), or what a modem makes of them.

    Args:
        mhz: bandwidths of uplink and downlink, MHz, shape (2, ..., providers).
        snr: ratios of `received`, of the same shape.
        modem: what links make of their ratio; None for Shannon's bound.

    Returns:
        Rates in Mbit/s, of the same shape.
    """
    if modem is None:
        return data_rate(mhz, snr)
    # Axes between the first and the last, such as those of requests, are not the modem's.
    overhead = modem.overhead.reshape(2, *(1,) * (snr.ndim - 2), -1)
    return np.asarray(mhz * spectral_efficiency(snr, modem.share, modem.ceiling, overhead))


def stage_times(
    work: Work, snr: FloatArray, modem: Modem | None = None, migration_s: FloatArray | float = 0.0
) -> FloatArray:
    """Return the service times of a task in each stage of each provider: (3), both terms of (4), and (5).

    Args:
        work: the part that does not depend on the place.
        snr: ratios of `received`, shape (2, ..., providers).
        modem: what links make of their ratio; None for Shannon's bound.
        migration_s: time in which the twin moves to each provider, s, shape (..., providers).

    Returns:
        Times, s, shape (5, ..., providers), in the order of ``STAGES``. They do not include any waiting.
    """
    # D / (B log2(1 + snr)) is the time for 1 MB over the bandwidth B / D.
    carry = transfer_s(1.0, link_rate(work.mhz_per_mb, snr, modem))
    times = np.empty((len(STAGES), *carry.shape[1:]))
    # Uplink and downlink are the stages 1 and 4; GPU and CPU lie between them.
    times[0] = migration_s
    times[1::3] = carry
    times[2:4] = work.compute_s
    return times


def latency(times: FloatArray) -> FloatArray:
    """Return equation (6), the sum ``T`` of the stage times.

    Args:
        times: stage times, s, shape (5, ...).

    Returns:
        Latencies without waiting, s, shape (...).
    """
    return np.asarray(times[0] + times[1] + times[2] + times[3] + times[4])


def tandem_finish(arrival_s: float, free_at_s: Sequence[FloatArray] | FloatArray, times: FloatArray) -> FloatArray:
    """Return the times at which the last stage finishes a task that joins the first queue now.

    This is Lindley's recursion: ``finish_k = max(free_k, finish_(k-1)) + S_k`` with ``finish_0 = arrival``. If every
    stage is free, the last finish minus ``arrival_s`` is equation (6).

    Args:
        arrival_s: time at which the task joins the first queue, s.
        free_at_s: time at which each stage has served all tasks before this one, s. There are five arrays, each of
            which broadcasts to the shape (..., providers).
        times: service times ``S_k`` of the task, s, shape (5, ..., providers).

    Returns:
        Finish times of the last stage, s, shape (..., providers).
    """
    # The recursion is exact, as later tasks cannot overtake in a first-come-first-served queue. A provider can
    # therefore state its finish times without any simulation of its queues.
    free, seconds, larger = free_at_s, times, np.maximum
    moved = larger(free[0], arrival_s) + seconds[0]
    uplink = larger(free[1], moved) + seconds[1]
    gpu = larger(free[2], uplink) + seconds[2]
    cpu = larger(free[3], gpu) + seconds[3]
    return np.asarray(larger(free[4], cpu) + seconds[4])


def tandem_times(
    arrival_s: float, free_at_s: Sequence[float], times: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return when each stage of one provider starts and finishes a task, by the recursion of `tandem_finish`.

    Args:
        arrival_s: time at which the task joins the first queue, s.
        free_at_s: time at which each stage has served all tasks before this one, s.
        times: service times of the task, s.

    Returns:
        Starts and finishes, s, one per stage.
    """
    # Plain numbers: for one provider they take less time than arrays.
    done, started, finished = arrival_s, list[float](), list[float]()
    for free, seconds in zip(free_at_s, times, strict=True):
        begin = free if free > done else done
        done = begin + seconds
        started.append(begin)
        finished.append(done)
    return started, finished
