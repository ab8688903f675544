"""Laws that every run keeps, whatever the scenario and the policy (design.md, Tables)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulator.market.contracts import Column
from simulator.model.latency import STAGES
from simulator.record.result import Result
from simulator.record.schema import TABLES

GROUND_OR_UAV = ("msb", "myopic-msb", "second-price")
"""Mechanisms in which stations compete and one UAV stands behind them."""


def check_laws(result: Result) -> None:
    """Assert every law on a run."""
    check_types(result)
    check_auctions(result)
    if result.run["mechanism"].partition(":")[0] in GROUND_OR_UAV:
        check_ground_or_uav(result)
    check_decisions(result)
    check_bids(result)
    check_tasks(result)
    check_outages(result)
    check_events(result)
    check_littles_law(result)
    check_servers(result)
    check_sums(result)
    check_economy(result)


def check_types(result: Result) -> None:
    kinds = {"float": "float64", "int": "int64", "bool": "bool", "text": "str"}
    for name, declared in TABLES.items():
        frame = getattr(result, name)
        columns = [*declared, *(Column(*row) for row in result.run["columns"].get(name, []))]
        assert frame.columns.tolist() == [column.name for column in columns]
        for column in columns:
            if column.type == "category":
                assert frame[column.name].cat.categories.tolist() == list(column.categories)
            else:
                assert str(frame[column.name].dtype) == kinds[column.type], (name, column.name)


def check_auctions(result: Result) -> None:
    auctions, uavs = result.auctions, len(result.scenario.uav_names())
    zeta = result.scenario.market.uav_weight
    kind = auctions["winner_kind"]
    assert ((kind == "uav") == auctions["winner"].between(0, uavs - 1)).all()
    assert ((kind == "ground") == (auctions["winner"] >= uavs)).all()
    assert ((kind == "none") == (auctions["winner"] == -1)).all()
    nobody = ~auctions["task"].isin(result.bids["task"])
    assert (auctions.loc[nobody, "winner"] == -1).all()
    assert (auctions.loc[nobody, ["messages", "rounds"]] == 0).all(axis=None)
    assert (auctions[["messages", "rounds"]] >= 0).all(axis=None)
    assert (auctions["cost"] >= 0).all()
    assert (auctions.loc[kind == "none", "cost"] == 0).all()
    paid = auctions[["paid_by_provider", "paid_by_vehicle"]]
    assert np.isfinite(paid.to_numpy()).all()
    assert (auctions.loc[kind == "none", ["surplus", *paid]] == 0).all(axis=None)
    by_uav = auctions[kind == "uav"]
    assert np.allclose(by_uav["surplus"], zeta * by_uav["uav_value"])
    pd.testing.assert_series_equal(auctions["realised_surplus"], result.tasks["realised_surplus"])
    check_unserved(result)
    assert (auctions["surplus"] <= auctions["best_surplus"] * (1 + 1e-12)).all()


def check_unserved(result: Result) -> None:
    """Every unserved task has a reason, which the invitations and the bids bear out."""
    auctions, bids = result.auctions, result.bids
    reason, unserved = auctions["unserved_reason"], result.tasks["status"] == "unserved"
    waiting = reason == "waiting"
    assert ((reason != "served") == (unserved | waiting)).all()
    assert (result.tasks.loc[waiting, "status"] == "open").all()
    assert ((reason == "served") == (auctions["winner"] >= 0)).all()
    invited = auctions["task"].isin(bids["task"])
    asked = auctions["task"].isin(bids.loc[bids["bid"].notna(), "task"])
    assert not invited[reason.isin(["not_covered", "not_invited"])].any()
    assert invited[reason.isin(["no_bid", "unsold"])].all()
    assert not asked[reason == "no_bid"].any()
    assert (auctions.loc[reason == "not_covered", "m_covering"] == 0).all()
    assert auctions.loc[reason == "not_covered", "m_uav_seconds"].isna().all()
    summary = result.summary
    if result.run["warmup"] == 0:
        for name in ("not_covered", "not_invited", "no_bid"):
            assert summary[name] == (reason == name).sum()


def check_ground_or_uav(result: Result) -> None:
    """What holds in the paper's auctions: one bid by whoever wants the task, and a sale if anybody does."""
    auctions, bids, uavs = result.auctions, result.bids, len(result.scenario.uav_names())
    made = bids["bid"].notna()
    invited = bids.groupby("task").size().reindex(auctions["task"], fill_value=0).to_numpy()
    answers = made.groupby(bids["task"]).sum().reindex(auctions["task"], fill_value=0).to_numpy()
    assert ((auctions["winner"] == -1) == (answers == 0)).all()
    assert (auctions["messages"] == invited + answers).all(), "a question per participant, an answer per bid"
    asked_at = result.tasks["requested"]
    took_s = result.scenario.market.message_s * auctions["rounds"]
    # Messages that are under way at the end of the run have no answer yet.
    settled = result.tasks["market_wait"].notna()
    assert np.allclose((auctions["time"] - asked_at)[settled], took_s[settled]), "nobody waits but for messages"
    worth = bids["value"] - bids["cost"]
    assert (made == ((worth > 0) | (bids["provider"] < uavs))).all(), "no bid where a task is worth nothing"
    stands = auctions["uav_bid"].notna()
    bidding = (made & (bids["provider"] >= uavs)).groupby(bids["task"]).sum().reindex(auctions["task"], fill_value=0)
    bidding.index = auctions.index
    contest = (bidding >= 2) & stands
    if "rho" in auctions:
        assert (auctions["asked"] == contest).all()
        assert (auctions["rho"].notna() == contest).all()
        assert (auctions.loc[contest, "rho"] >= 1).all()
        assert (auctions.loc[contest, "scaled_bid"] >= 0).all()
    else:
        assert not auctions["asked"].any()
    conditions = auctions.loc[contest, [name for name in auctions.columns if name.startswith("m_")]]
    assert np.isfinite(conditions.to_numpy()).all()
    # Rules without a contest: the top station at the second bid, a lone one at 0.
    alone = bidding == 1
    assert (auctions.loc[alone, "winner_kind"] == "ground").all()
    assert (auctions.loc[alone, "paid_by_provider"] == 0).all()
    without = ~stands & (bidding >= 2)
    assert (auctions.loc[without, "paid_by_provider"] == auctions.loc[without, "second_bid"]).all()
    assert (auctions["paid_by_vehicle"] == 0).all()
    sold = auctions[auctions["winner_kind"] == "ground"]
    own = bids.set_index(["task", "provider"])["bid"].loc[pd.MultiIndex.from_frame(sold[["task", "winner"]])]
    assert (sold["paid_by_provider"].to_numpy() <= own.to_numpy() * (1 + 1e-12)).all(), (
        "no station pays more than it bid"
    )
    assert (sold["royalty"] == 0).all()
    market, by_uav = result.scenario.market, auctions[auctions["royalty"] > 0]
    assert (by_uav["winner_kind"] == "uav").all()
    if market.uav_payment == "royalty":
        worth = by_uav["realised_surplus"].fillna(0.0).clip(lower=0.0) / market.uav_weight
        assert np.allclose(by_uav["paid_by_provider"], market.uav_share * worth)


def check_decisions(result: Result) -> None:
    """Every decision is about tasks that a policy decided on, and its price is the one of the auction."""
    decisions, auctions = result.decisions, result.auctions.set_index("task")
    assert decisions["time"].is_monotonic_increasing
    one = decisions[decisions["task"] >= 0]
    assert auctions.loc[one["task"], "asked"].all()
    if "rho" in auctions:
        assert one["task"].tolist() == auctions.index[auctions["asked"]].tolist()
        assert one["action"].tolist() == auctions.loc[one["task"], "rho"].tolist()
        assert one["time"].tolist() == auctions.loc[one["task"], "time"].tolist()


def check_bids(result: Result) -> None:
    bids, auctions = result.bids, result.auctions.set_index("task")
    uavs = len(result.scenario.uav_names())
    ground = bids[bids["provider"] >= uavs]
    counts = ground.groupby("task").size().reindex(auctions.index, fill_value=0)
    assert (counts == auctions["invited"]).all()
    for of, column in ((ground, "top_bid"), (bids[bids["provider"] < uavs], "uav_bid")):
        top = of.groupby("task")["bid"].max()
        pd.testing.assert_series_equal(top.reindex(auctions.index), auctions[column], check_names=False)
    # The best surplus is that of the best of everybody who was invited, in every round; nobody invited: 0.
    zeta = result.scenario.market.uav_weight
    weighted = (bids["value"] - bids["cost"]) * np.where(bids["provider"] < uavs, zeta, 1.0)
    best = weighted.groupby(bids["task"]).max().reindex(auctions.index, fill_value=0.0).clip(lower=0.0)
    assert (best == auctions["best_surplus"]).all()
    demand = auctions["demand"].loc[bids["task"]].to_numpy()
    worth = demand * bids["common_value"] * bids["match_value"] * bids["timeliness"]
    assert np.allclose(bids["value"], worth)
    tasks = result.tasks.set_index("task").loc[bids["task"]]
    late = bids["predicted_latency"].to_numpy() - tasks["limit_s"].to_numpy()
    assert (bids["timeliness"][late <= -1e-9] == 1).all()
    assert (bids["timeliness"][late >= tasks["grace_s"].to_numpy() + 1e-9] == 0).all()
    if result.scenario.market.history == 1:
        omega = result.scenario.market.latency_weight
        assert np.allclose(bids["common_value"], omega / bids["predicted_latency"]), "T = 1: this task's own latency"
    assert (bids["predicted_latency"] > 0).all()
    won = auctions.reset_index().merge(
        bids, left_on=["task", "winner"], right_on=["task", "provider"], how="left", validate="one_to_one"
    )
    some = won["winner"] >= 0
    assert won.loc[some, "value"].notna().all(), "the winner was invited"
    weight = np.where(won["winner"] < uavs, result.scenario.market.uav_weight, 1.0)
    worth, first = weight * (won["value"] - won["cost_y"]), some & ~behind(result)
    if result.scenario.market.message_s == 0.0:  # else queues may have changed since the bid
        assert np.allclose(worth[first], won.loc[first, "surplus"])
        assert (won.loc[some, "surplus"] <= worth[some] + 1e-12 * np.abs(worth[some])).all(), "behind another: less"


def behind(result: Result) -> pd.Series:
    """Whether the winner of a task won other tasks in the same clearing, by task.

    All but the first of them are served behind another one, and so are worth less than when they were bid for.
    """
    won = result.auctions[result.auctions["winner"] >= 0]
    several = won.groupby(["time", "winner"])["task"].transform("size") > 1
    return several.reindex(result.auctions.index, fill_value=False)


def check_tasks(result: Result) -> None:
    tasks, auctions, duration = result.tasks, result.auctions, result.run["duration"]
    assert tasks["task"].tolist() == auctions["task"].tolist() == list(range(len(auctions)))
    assert (tasks["provider"] == auctions["winner"]).all()
    waiting = (tasks["status"] == "open") & tasks["market_wait"].isna()
    assert (((tasks["status"] == "unserved") | waiting) == (tasks["provider"] == -1)).all()
    assert np.allclose((tasks["requested"] + tasks["market_wait"])[~waiting], auctions["time"][~waiting])
    assert (auctions["time"][waiting] == tasks["requested"][waiting]).all()
    assert (tasks.loc[~waiting, "market_wait"] >= 0).all()
    known = tasks["latency"].notna()
    stages = [f"{stage}_{part}" for stage in STAGES for part in ("wait", "time")]
    parts = tasks.loc[known, ["market_wait", *stages]]
    assert (parts >= -1e-9).all(axis=None)
    assert np.allclose(parts.sum(axis=1), tasks.loc[known, "latency"])
    assert (tasks.loc[known, "finished"] <= duration).all()
    idle = known & (tasks[["market_wait", *(f"{stage}_wait" for stage in STAGES)]].abs() < 1e-9).all(axis=1)
    bare = tasks.loc[idle, [f"{stage}_time" for stage in STAGES]].sum(axis=1)
    assert np.allclose(bare, tasks.loc[idle, "latency"]), "zero load is equation (6)"
    assert (tasks["status"] == "completed").sum() == tasks.loc[tasks["status"] == "completed", "latency"].count()
    done, open_ = tasks["status"] == "completed", tasks["status"] == "open"
    assert tasks.loc[open_, "realised_surplus"].isna().all()
    weight = np.where(auctions["winner_kind"] == "uav", result.scenario.market.uav_weight, 1.0)
    cost = weight * auctions["cost"]
    assert (tasks.loc[done, "realised_surplus"] >= -cost[done] * (1 + 1e-12)).all()
    assert np.allclose(tasks.loc[~done & ~open_, "realised_surplus"], -cost[~done & ~open_])
    aomt = tasks["latency"].where(done) + result.scenario.tasks.sensing_s
    pd.testing.assert_series_equal(tasks["aomt"], aomt, check_names=False)
    bids = result.bids.set_index(["task", "provider"])["predicted_latency"]
    winner = pd.MultiIndex.from_frame(tasks.loc[known, ["task", "provider"]])
    out = [outages(result, provider) for provider in range(len(result.providers))]
    stood_still = [
        sum(end - begin for begin, end in out[int(provider)] if awarded <= begin < finished)
        for provider, awarded, finished in np.column_stack(
            [tasks["provider"], auctions["time"], tasks["finished"]])[known].tolist()
    ]  # fmt: skip
    predicted, found, later = (bids.loc[winner] + stood_still).to_numpy(), tasks.loc[known, "latency"], behind(result)
    if result.scenario.market.message_s > 0.0:
        return  # the queues may have changed since the prediction
    assert np.allclose(predicted[~later[known]], found[~later[known]]), "first come first served"
    assert (found >= predicted - 1e-9).all()


def outages(result: Result, provider: int) -> list[tuple[float, float]]:
    """Begin and end of each outage of a provider; the last may be under way when the run ends."""
    events = result.events[result.events["provider"] == provider]
    begins, ends = (events.loc[events["kind"] == f"provider_{which}", "time"].tolist() for which in ("out", "back"))
    return list(zip(begins, [*ends, result.run["duration"]], strict=False))


def check_outages(result: Result) -> None:
    events, tasks, bids = result.events, result.tasks.set_index("task"), result.bids
    requested = tasks["requested"].loc[bids["task"]].to_numpy()
    given_up = tasks["provider"] == -1
    settled = (tasks["requested"] + tasks["market_wait"].where(~given_up, 0.0)).loc[bids["task"]].to_numpy()
    awarded = tasks["requested"] + tasks["market_wait"]
    for provider, out_s in enumerate(result.providers["out_s"].tolist()):
        own = outages(result, provider)
        assert np.isclose(out_s, sum(end - begin for begin, end in own))
        if not own:
            continue
        work = events[(events["provider"] == provider) & events["kind"].str.startswith("stage_")]
        for begin, end in own:
            invited = (bids["provider"] == provider) & (settled > begin) & (requested < end)
            assert not invited.any(), "nobody who is out, or was since the request, is invited"
            assert not work["time"].between(begin, end, inclusive="neither").any(), "nor does it work"
            had = tasks[(tasks["provider"] == provider) & (awarded < begin)]
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
    assert count["task_requested"] == len(auctions)
    assert count["auction_settled"] == tasks["market_wait"].notna().sum()
    for name in ("completed", "lost", "unserved"):
        assert count[f"task_{name}"] == status[name]
    assert count["vehicle_entered"] == vehicles["entered"].notna().sum()
    assert count["vehicle_left"] == vehicles["left"].notna().sum()
    assert count["cell_left"] == (auctions["station_left"] >= 0).sum()
    if result.scenario.traffic.has_places:
        assert vehicles["tasks"].sum() == len(auctions)
        renewed = auctions["station_left"] < 0
        # A vehicle renews its twin where a station covers it, which may be out.
        outages_planned = result.scenario.outages.windows or result.scenario.outages.failures
        assert (auctions.loc[renewed, "m_covering"] >= 1).all() or outages_planned
        assert not renewed.any() or result.scenario.tasks.renewal_s is not None or result.scenario.tasks.load > 1
    steps = events[events["task"] >= 0].groupby("task")["kind"].apply(list)
    moved = tasks["migration_time"] > 0
    for task in tasks.loc[tasks["status"] == "completed", "task"].iloc[:50]:
        stages = ["stage_started", "stage_finished"] * (len(STAGES) if moved[task] else len(STAGES) - 1)
        tail = ["task_requested", "auction_settled", *stages, "task_completed"]
        assert steps[task][-len(tail) :] == tail


def check_littles_law(result: Result) -> None:
    """Mean vehicles on the map are arrivals times mean stay; one counted by positions, one by who came and left."""
    duration, vehicles = result.run["duration"], result.vehicles[result.vehicles["entered"].notna()]
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
    assert np.isclose(providers["payments"].sum(), auctions["paid_by_provider"].sum())
    weight = np.where(auctions["winner_kind"] == "uav", result.scenario.market.uav_weight, 1.0)
    worth = auctions["surplus"] / weight if result.run["value_of"] == "provider" else -auctions["cost"]
    utility = worth - auctions["paid_by_provider"]
    assert np.isclose(providers["cost"].sum(), auctions["cost"].sum())
    assert np.isclose(providers["net_utility"].sum(), utility.sum())
    if result.scenario.traffic.kind != "rounds":
        use = providers[[f"{stage}_utilisation" for stage in STAGES]]
        assert use.ge(0).all(axis=None)
        assert use.le(1 + 1e-9).all(axis=None), "a stage serves one task at a time"
    summary = result.summary
    if result.run["warmup"] == 0:
        assert summary["tasks"] == len(tasks) == summary[["completed", "lost", "unserved", "open"]].sum()
        assert np.isclose(summary["surplus_total"], auctions["surplus"].sum())
        assert np.isclose(summary["payments"], (auctions["paid_by_provider"] + auctions["paid_by_vehicle"]).sum())
        if len(auctions):
            assert np.isclose(summary["messages"], auctions["messages"].mean())


def _check_ages_of_tasks(result: Result) -> None:
    """The largest age of each vehicle's tasks, and D / (b e) of the winner's link."""
    tasks = result.tasks[result.tasks["status"] == "completed"]
    oldest: dict[int, float] = {}
    for vehicle, latency in tasks[["vehicle", "latency"]].itertuples(index=False):
        oldest[vehicle] = max(latency + result.scenario.tasks.sensing_s, oldest.get(vehicle, 0.0))
    assert np.isclose(result.summary["aomt_peak"], np.mean(list(oldest.values())))
    # A public factor of each round is on all latencies, and a pause of a provider is part of the stage it interrupts.
    if result.scenario.traffic.kind == "rounds" or (result.events["kind"] == "provider_out").any():
        return
    links = result.bids.set_index(["task", "provider"])["uplink_mbps"]
    rates = links.loc[pd.MultiIndex.from_frame(tasks[["task", "provider"]])].to_numpy()
    assert np.isclose(result.summary["aotm_mean"], (8.0 * tasks["size_mb"].to_numpy() / rates).mean())


def check_economy(result: Result) -> None:
    """Money is conserved, and the welfare is the sum of what all parties have."""
    auctions, tasks, run = result.auctions, result.tasks, result.run
    if run["warmup"] > 0:
        return
    summary, ended = result.summary, tasks["status"] != "open"
    split = summary[["welfare_providers", "welfare_vehicles", "welfare_platform"]].sum()
    assert np.isclose(summary["welfare"], tasks["realised_surplus"].sum())
    assert np.isclose(split, summary["welfare"], atol=1e-9)
    # Each party by itself: what it gets of the value, less what it bears of the costs and pays.
    weight = np.where(auctions["winner_kind"] == "uav", result.scenario.market.uav_weight, 1.0)
    value = tasks["realised_surplus"].to_numpy() / weight + auctions["cost"].to_numpy()
    assert (value[ended] >= -1e-9).all()
    by_vehicle = run["value_of"] == "vehicle"
    each = {
        "welfare_providers": (0.0 if by_vehicle else value) - auctions["cost"] - auctions["paid_by_provider"],
        "welfare_vehicles": (value if by_vehicle else 0.0 * value) - auctions["paid_by_vehicle"],
    }
    for name, utility in each.items():
        assert np.isclose(summary[name], utility[ended].sum(), atol=1e-9)
    hovering = result.scenario.uavs.hover_w * result.scenario.uavs.total() * run["duration"]
    assert np.isclose(summary["energy_j"], tasks["radio_j"].sum() + hovering)
    assert np.isclose(result.providers["energy_j"].sum(), summary["energy_j"])
    if summary["completed"] > 0:
        assert np.isclose(summary["aomt_mean"], summary["latency_mean"] + result.scenario.tasks.sensing_s)
        _check_ages_of_tasks(result)
    if not np.isnan(summary["jain"]):
        assert 0.0 < summary["jain"] <= 1.0 + 1e-9
    if not np.isnan(summary["age_mean"]):
        assert 0.0 <= summary["age_mean"] <= run["duration"]
