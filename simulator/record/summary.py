"""The figures of a run, from its tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.model.economy import jain_index
from simulator.model.latency import STAGES
from simulator.model.mechanism import surplus_weights
from simulator.record.ages import twin_ages

if TYPE_CHECKING:
    import pandas as pd

    from simulator.scenario.scenario import Scenario

SUMMARY: dict[str, tuple[str, str]] = {
    "tasks": ("", "number of tasks requested after the warm-up; all other figures are about these tasks"),
    "completed": ("", "number of tasks whose result came in time"),
    "lost": ("", "number of tasks lost: result too late, vehicle out of coverage, or provider out"),
    "unserved": ("", "number of tasks that nobody served"),
    "not_covered": ("", "number of unserved tasks of vehicles that no provider covered"),
    "not_invited": ("", "number of unserved tasks that no covering provider could serve in time, by the predictions"),
    "no_bid": ("", "number of unserved tasks for which no invited provider made a bid"),
    "open": ("", "number of tasks with neither a result nor a loss at the end of the run"),
    "asked": ("", "number of tasks on which a policy decided"),
    "surplus_total": ("", "sum of the surplus of all tasks"),
    "surplus_mean": ("", "mean surplus per task, valued when its auction settled"),
    "realised_mean": (
        "",
        "welfare per task that has ended, so per task except the open ones; a lost task counts its cost",
    ),
    "lost_share": ("", "number of lost tasks divided by number of tasks"),
    "failed_share": ("", "number of lost and unserved tasks divided by number of tasks"),
    "best_share": ("", "sum of the surplus divided by the sum of best_surplus, over the rounds of this run"),
    "uav_share": ("", "share of the tasks that UAVs won"),
    "rho_mean": ("", "mean of the finite price scaling factors"),
    "latency_mean": ("s", "mean latency of completed tasks"),
    "latency_p95": ("s", "95th percentile of the latency of completed tasks"),
    "wait_share": ("", "share of the latency of completed tasks that they wait before stages"),
    "payments": ("", "sum of all payments to the platform, less those from it"),
    "messages": ("", "mean number of messages per task between the mechanism and the participants"),
    "rounds": ("", "mean number of rounds of messages per task"),
    "welfare": (
        "",
        "sum of the values at actual latency and accuracy less the costs, over all tasks except the open ones",
    ),
    "welfare_providers": ("", "part of the welfare that the providers have"),
    "welfare_vehicles": ("", "part of the welfare that the vehicles have"),
    "welfare_platform": ("", "part of the welfare that the platform has; what zeta adds or takes is the platform's"),
    "jain": ("", "Jain's fairness index over the vehicles' mean value per task, lost and unserved tasks as 0"),
    "aomt_mean": ("s", "mean age of migration tasks: time from the first sensed datum to the result"),
    "aomt_peak": ("s", "largest age of a migration task of a vehicle, mean over vehicles"),
    "aotm_mean": ("s", "mean age of twin migration D / (b e): time of the uplink at bandwidth b and efficiency e"),
    "age_mean": ("s", "age of the vehicles' twins, average over time"),
    "age_peak": ("s", "age of a vehicle's twin just before a fresher result, mean over results"),
    "energy_j": ("J", "energy of the downlinks, and of the UAVs' hovering from the warm-up to the end of the run"),
    "wall_s": ("s", "wall-clock time of the run"),
    "cpu_s": ("s", "processor time of the run"),
}
"""Unit and meaning of each figure of the summary."""

NEEDED = {
    "tasks": (
        "requested", "vehicle", "status", "latency", "finished", "realised_surplus", "radio_j", "uplink_time",
        *(f"{stage}_wait" for stage in STAGES),
    ),
    "auctions": (
        "unserved_reason", "asked", "surplus", "best_surplus", "winner_kind", "rho", "paid_by_provider",
        "paid_by_vehicle", "cost", "messages", "rounds",
    ),
    "vehicles": ("vehicle", "entered", "left"),
}  # fmt: skip
"""Columns that the figures need, by table."""


def summarise(run: Mapping[str, Any], scenario: Scenario, tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Return the figures of a run after its warm-up, in the order of `SUMMARY`.

    Args:
        run: content of run.json.
        scenario: scenario of the run.
        tables: tables with at least the columns `NEEDED`.
    """
    import pandas as pd

    tasks, auctions, begin = tables["tasks"], tables["auctions"], run["warmup"]
    ages = twin_ages(tasks, tables["vehicles"], scenario.tasks.sensing_s, begin, run["duration"])
    if begin > 0.0:
        counts = (tasks["requested"] >= begin).to_numpy()
        # Row i of both tables is task i.
        tasks, auctions = tasks[counts], auctions[counts]
    status = tasks["status"].value_counts()
    completed = (tasks["status"] == "completed").to_numpy()
    latency = tasks.loc[completed, "latency"]
    waits = tasks.loc[completed, [f"{stage}_wait" for stage in STAGES]].to_numpy().sum()
    rho = auctions["rho"] if "rho" in auctions else pd.Series(dtype="float64")
    surplus, best = auctions["surplus"].sum(), auctions["best_surplus"].sum()
    aomt = latency + scenario.tasks.sensing_s
    peaks = aomt.groupby(tasks.loc[completed, "vehicle"]).max()
    hovering = scenario.uavs.hover_w * scenario.uavs.total() * (run["duration"] - begin)
    figures = {
        "tasks": len(tasks),
        **{name: int(status[name]) for name in ("completed", "lost", "unserved", "open")},
        **{
            reason: int((auctions["unserved_reason"] == reason).sum())
            for reason in ("not_covered", "not_invited", "no_bid")
        },
        "asked": int(auctions["asked"].sum()),
        "surplus_total": surplus,
        "surplus_mean": auctions["surplus"].mean(),
        "realised_mean": tasks["realised_surplus"].mean(),
        "lost_share": int(status["lost"]) / len(tasks) if len(tasks) else math.nan,
        "failed_share": int(status["lost"] + status["unserved"]) / len(tasks) if len(tasks) else math.nan,
        "best_share": surplus / best if best > 0.0 else math.nan,
        "uav_share": (auctions["winner_kind"] == "uav").mean(),
        "rho_mean": rho[rho < math.inf].mean(),
        "latency_mean": latency.mean(),
        "latency_p95": latency.quantile(0.95),
        "wait_share": waits / latency.sum() if len(latency) else math.nan,
        "payments": auctions["paid_by_provider"].sum() + auctions["paid_by_vehicle"].sum(),
        "messages": auctions["messages"].mean(),
        "rounds": auctions["rounds"].mean(),
        **_welfare(run, scenario, tasks, auctions),
        "aomt_mean": aomt.mean(),
        "aomt_peak": peaks.mean(),
        "aotm_mean": tasks.loc[completed, "uplink_time"].mean(),
        **ages,
        "energy_j": tasks["radio_j"].sum() + hovering,
        "wall_s": run["wall_s"],
        "cpu_s": run["cpu_s"],
    }
    return {name: float(figures[name]) for name in SUMMARY}


def _welfare(
    run: Mapping[str, Any], scenario: Scenario, tasks: pd.DataFrame, auctions: pd.DataFrame
) -> dict[str, float]:
    """Return the welfare of the tasks that have ended, who has it, and how evenly vehicles are served."""
    ended = (tasks["status"] != "open").to_numpy()
    # Single columns: a copy of the rows with all columns would be the largest memory of a long run.
    welfare, vehicle = (tasks[name].to_numpy()[ended] for name in ("realised_surplus", "vehicle"))
    cost, by_provider, by_vehicle = (
        auctions[name].to_numpy()[ended] for name in ("cost", "paid_by_provider", "paid_by_vehicle")
    )
    # zeta weighs the worth of a UAV for the platform only, which therefore has the rest of it.
    of_uav = (auctions["winner_kind"] == "uav").to_numpy()[ended]
    worth = welfare / surplus_weights(of_uav, scenario.market.uav_weight)
    value = worth + cost
    of_vehicles = run["value_of"] == "vehicle"
    to_provider, to_vehicle = (0.0, value) if of_vehicles else (value, 0.0)
    per_vehicle = {"value": value, "vehicle": vehicle}
    return {
        "welfare": welfare.sum(),
        "welfare_providers": np.sum(to_provider - cost - by_provider),
        "welfare_vehicles": np.sum(to_vehicle - by_vehicle),
        "welfare_platform": np.sum(by_provider + by_vehicle + welfare - worth),
        "jain": jain_index(_mean_by(per_vehicle)),
    }


def _mean_by(columns: Mapping[str, Any]) -> Any:
    """Return the mean value per task of each vehicle."""
    import pandas as pd

    return pd.DataFrame(columns).groupby("vehicle")["value"].mean().to_numpy()
