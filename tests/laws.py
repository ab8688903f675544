"""Laws that every run keeps, whatever the scenario and the policy (design.md, Tables)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator.model.latency import STAGES
from simulator.record.result import Result
from simulator.record.schema import TABLES


def check_laws(result: Result) -> None:
    """Assert every law on a run."""
    check_types(result)
    check_auctions(result)
    check_bids(result)
    check_tasks(result)
    check_outages(result)
    check_events(result)
    check_littles_law(result)
    check_servers(result)
    check_sums(result)


def check_types(result: Result) -> None:
    kinds = {"float": "float64", "int": "int64", "bool": "bool", "text": "str"}
    for name, columns in TABLES.items():
        frame = getattr(result, name)
        assert frame.columns.tolist() == [column.name for column in columns]
        for column in columns:
            if column.type == "category":
                assert frame[column.name].cat.categories.tolist() == list(column.categories)
            else:
                assert str(frame[column.name].dtype) == kinds[column.type], (name, column.name)


def check_auctions(result: Result) -> None:
    auctions, uavs = result.auctions, len(result.scenario.uav_names())
    zeta = result.scenario.market.uav_weight
    asked = auctions["asked"]
    assert (auctions["rho"].notna() == asked).all()
    assert (auctions.loc[asked, "rho"] >= 1).all()
    assert (auctions.loc[asked, "invited"] >= 2).all()
    assert auctions.loc[asked, "uav_bid"].notna().all()
    conditions = auctions.loc[asked, [name for name in auctions.columns if name.startswith("m_")]]
    assert np.isfinite(conditions.to_numpy()).all()
    kind = auctions["winner_kind"]
    assert ((kind == "uav") == auctions["winner"].between(0, uavs - 1)).all()
    assert ((kind == "ground") == (auctions["winner"] >= uavs)).all()
    assert ((kind == "none") == (auctions["winner"] == -1)).all()
    nobody = (auctions["invited"] == 0) & auctions["uav_bid"].isna()
    assert ((kind == "none") == nobody).all()
    assert (auctions.loc[kind == "none", ["surplus", "payment"]] == 0).all(axis=None)
    # Rules without a price: the top station at the second bid, a lone one at 0, the UAV at no more than it bid.
    alone = ~asked & (auctions["invited"] == 1)
    assert (auctions.loc[alone, "winner_kind"] == "ground").all()
    assert (auctions.loc[alone, "payment"] == 0).all()
    without = ~asked & (auctions["invited"] >= 2)
    assert (auctions.loc[without, "payment"] == auctions.loc[without, "second_bid"]).all()
    by_uav = auctions[kind == "uav"]
    assert (by_uav["payment"] <= by_uav["uav_bid"] * (1 + 1e-12)).all()
    assert np.allclose(by_uav["surplus"], zeta * by_uav["uav_value"])
    ground = auctions[kind == "ground"]
    assert (ground["payment"] <= ground["top_bid"]).all()
    assert (auctions["surplus"] <= auctions["best_surplus"] * (1 + 1e-12)).all()


def check_bids(result: Result) -> None:
    bids, auctions = result.bids, result.auctions.set_index("task")
    uavs = len(result.scenario.uav_names())
    ground = bids[bids["provider"] >= uavs]
    counts = ground.groupby("task").size().reindex(auctions.index, fill_value=0)
    assert (counts == auctions["invited"]).all()
    top = ground.groupby("task")["bid"].max()
    assert (top == auctions.loc[top.index, "top_bid"]).all()
    # The best surplus is that of the best of everybody who was invited, in every round; nobody invited: 0.
    zeta = result.scenario.market.uav_weight
    weighted = bids["value"] * np.where(bids["provider"] < uavs, zeta, 1.0)
    best = weighted.groupby(bids["task"]).max().reindex(auctions.index, fill_value=0.0)
    assert (best == auctions["best_surplus"]).all()
    demand = auctions["demand"].loc[bids["task"]].to_numpy()
    assert np.allclose(bids["value"], demand * bids["common_value"] * bids["match_value"])
    assert (bids["predicted_latency"] > 0).all()
    won = auctions.reset_index().merge(
        bids, left_on=["task", "winner"], right_on=["task", "provider"], how="left", validate="one_to_one"
    )
    some = won["winner"] >= 0
    assert won.loc[some, "bid"].notna().all(), "the winner was invited"
    weight = np.where(won["winner"] < uavs, result.scenario.market.uav_weight, 1.0)
    assert np.allclose((weight * won["value"])[some], won.loc[some, "surplus"])


def check_tasks(result: Result) -> None:
    tasks, auctions, duration = result.tasks, result.auctions, result.run["duration"]
    assert tasks["task"].tolist() == auctions["task"].tolist() == list(range(len(auctions)))
    assert (tasks["provider"] == auctions["winner"]).all()
    assert ((tasks["status"] == "unserved") == (tasks["provider"] == -1)).all()
    known = tasks["latency"].notna()
    parts = tasks.loc[known, [f"{stage}_{part}" for stage in STAGES for part in ("wait", "time")]]
    assert (parts >= -1e-9).all(axis=None)
    assert np.allclose(parts.sum(axis=1), tasks.loc[known, "latency"])
    assert (tasks.loc[known, "finished"] <= duration).all()
    idle = known & (tasks[[f"{stage}_wait" for stage in STAGES]].abs() < 1e-9).all(axis=1)
    bare = tasks.loc[idle, [f"{stage}_time" for stage in STAGES]].sum(axis=1)
    assert np.allclose(bare, tasks.loc[idle, "latency"]), "zero load is equation (6)"
    assert (tasks["status"] == "completed").sum() == tasks.loc[tasks["status"] == "completed", "latency"].count()
    done, open_ = tasks["status"] == "completed", tasks["status"] == "open"
    assert tasks.loc[open_, "realised_surplus"].isna().all()
    assert (tasks.loc[done, "realised_surplus"] > 0).all()
    assert (tasks.loc[~done & ~open_, "realised_surplus"] == 0).all()
    bids = result.bids.set_index(["task", "provider"])["predicted_latency"]
    winner = pd.MultiIndex.from_frame(tasks.loc[known, ["task", "provider"]])
    out = [outages(result, provider) for provider in range(len(result.providers))]
    stood_still = [
        sum(end - begin for begin, end in out[int(provider)] if requested <= begin < finished)
        for provider, requested, finished in tasks.loc[known, ["provider", "requested", "finished"]].to_numpy().tolist()
    ]
    assert np.allclose(bids.loc[winner] + stood_still, tasks.loc[known, "latency"]), "first come first served"


def outages(result: Result, provider: int) -> list[tuple[float, float]]:
    """Begin and end of each outage of a provider; the last may be under way when the run ends."""
    events = result.events[result.events["provider"] == provider]
    begins, ends = (events.loc[events["kind"] == f"provider_{which}", "time"].tolist() for which in ("out", "back"))
    return list(zip(begins, [*ends, result.run["duration"]], strict=False))


def check_outages(result: Result) -> None:
    events, tasks, bids = result.events, result.tasks.set_index("task"), result.bids
    requested = tasks["requested"].loc[bids["task"]].to_numpy()
    for provider, out_s in enumerate(result.providers["out_s"].tolist()):
        own = outages(result, provider)
        assert np.isclose(out_s, sum(end - begin for begin, end in own))
        if not own:
            continue
        work = events[(events["provider"] == provider) & events["kind"].str.startswith("stage_")]
        for begin, end in own:
            invited = (bids["provider"] == provider) & (requested > begin) & (requested < end)
            assert not invited.any(), "nobody who is out is invited"
            assert not work["time"].between(begin, end, inclusive="neither").any(), "nor does it work"
            had = tasks[(tasks["provider"] == provider) & (tasks["requested"] < begin)]
            if result.scenario.outages.mode == "lost":
                assert not ((had["finished"] > begin) | (had["status"] == "open")).any()
                dropped = had[had["latency"].isna()]
                assert (dropped["status"] == "lost").all()


def check_events(result: Result) -> None:
    events, tasks, auctions, vehicles = result.events, result.tasks, result.auctions, result.vehicles
    assert events["time"].is_monotonic_increasing
    assert (events["time"] <= result.run["duration"]).all()
    count = events["kind"].value_counts()
    status = tasks["status"].value_counts()
    assert count["task_requested"] == count["auction_settled"] == len(auctions)
    for name in ("completed", "lost", "unserved"):
        assert count[f"task_{name}"] == status[name]
    assert count["vehicle_entered"] == len(vehicles)
    assert count["vehicle_left"] == vehicles["left"].notna().sum()
    assert count["cell_left"] == vehicles["tasks"].sum() == (auctions["station_left"] >= 0).sum()
    steps = events[events["task"] >= 0].groupby("task")["kind"].apply(list)
    stages = ["stage_started", "stage_finished"] * len(STAGES)
    for task in tasks.loc[tasks["status"] == "completed", "task"].iloc[:50]:
        tail = ["task_requested", "auction_settled", *stages, "task_completed"]
        assert steps[task][-len(tail) :] == tail


def check_littles_law(result: Result) -> None:
    """Mean vehicles on the map are arrivals times mean stay; one counted by positions, one by who came and left."""
    duration, vehicles = result.run["duration"], result.vehicles
    if len(vehicles) == 0:
        return
    ways = result.paths.groupby("vehicle")["time"].agg(["min", "max"]).reindex(vehicles["vehicle"])
    seen = ways["max"] - ways["min"]
    stays = vehicles["left"].fillna(duration) - vehicles["entered"]
    assert np.isclose(seen.sum() / duration, len(stays) / duration * stays.mean())


def check_servers(result: Result) -> None:
    """A stage serves one task at a time, as the events stand."""
    work = result.events[result.events["kind"].isin(["stage_started", "stage_finished"])]
    change = np.where(work["kind"] == "stage_started", 1, -1)
    dropped = result.scenario.outages.mode == "lost" and (result.events["kind"] == "provider_out").any()
    if result.scenario.traffic.kind != "rounds" and not dropped:
        busy = pd.Series(change, index=work.index).groupby([work["provider"], work["value"]]).cumsum()
        assert busy.between(0, 1).all()


def check_sums(result: Result) -> None:
    providers, auctions, tasks = result.providers, result.auctions, result.tasks
    assert providers["tasks"].sum() == (auctions["winner"] >= 0).sum()
    assert np.isclose(providers["surplus"].sum(), auctions["surplus"].sum())
    assert np.isclose(providers["payments"].sum(), auctions["payment"].sum())
    weight = np.where(auctions["winner_kind"] == "uav", result.scenario.market.uav_weight, 1.0)
    utility = auctions["surplus"] / weight - auctions["payment"]
    assert np.isclose(providers["net_utility"].sum(), utility.sum())
    if result.scenario.traffic.kind != "rounds":
        use = providers[[f"{stage}_utilisation" for stage in STAGES]]
        assert use.ge(0).all(axis=None)
        assert use.le(1 + 1e-9).all(axis=None), "a stage serves one task at a time"
    summary = result.summary
    if result.run["warmup"] == 0:
        assert summary["tasks"] == len(tasks) == summary[["completed", "lost", "unserved", "open"]].sum()
        assert np.isclose(summary["surplus_total"], auctions["surplus"].sum())
