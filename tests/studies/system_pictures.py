"""The pictures of the systems' pages, each from runs: ``python -m tests.studies.system_pictures [NAME ...]``."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from policies.steps import GapStep
from simulator import Scenario, simulate
from simulator.errors import SkippedWarning
from simulator.market.contracts import Numbers
from simulator.market.mechanisms.madda import Madda
from simulator.market.mechanisms.myerson import Myerson
from simulator.market.mechanisms.myerson_net import MyersonNet
from simulator.market.mechanisms.regret_net import RegretNet, regret
from simulator.market.mechanisms.regret_training import LEAST, MOST
from simulator.model.myerson import EmpiricalValues
from simulator.study.audit import audit
from simulator.study.compare import compare
from simulator.study.incentives import grid_of_multipliers
from simulator.study.mechanism_training import profile_maker
from simulator.study.statistics import crossed_ratio
from simulator.view.figures import COLOURS, MARKS, METADATA
from simulator.world.simulation import Simulation

FIGURES = Path(__file__).parent.parent.parent / "docs" / "figures"

WINDOWS_S = (0.1, 0.25, 0.5, 1.0, 2.0)
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
SEEDS, LENGTH_S = 4, 900.0
JOBS, CLOCKS_S = 2, 600.0
REGRET_ROUNDS = 200
MIX_ROUNDS = 120
MESSAGES_S = (0.0, 0.001, 0.005, 0.02)
BIDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)

NETS = Path(__file__).parent.parent.parent / "docs" / "learning" / "nets"
"""Weights and metrics of the trainings of RegretNet and of `myerson-net`, by the commands of their pages."""


def panels(name: str, count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels side by side."""
    figure = Figure(figsize=(4.4 * count, 3.6), layout="constrained")
    found = figure.subplots(1, count)
    return figure, list(np.atleast_1d(found))


def save(figure: Figure, name: str) -> None:
    """Write a figure where the pages expect it."""
    figure.savefig(FIGURES / name, dpi=120, metadata=METADATA[".png"])


def double_dutch() -> None:
    """The clocks of a window with many lots, and the welfare against the length of the window."""
    figure, (left, right) = panels("double-dutch", 2)
    run = simulate("after_the_match", "gap-step:4", mechanism="double-dutch:every_s=2", duration=900)
    decisions = run.decisions
    busiest = decisions.groupby("time")["buyers_left"].max().idxmax()
    steps = decisions[decisions["time"] == busiest]
    for column, name, colour in (
        ("buyer_clock", "clock of the vehicles", COLOURS[1]),
        ("seller_clock", "clock of the providers", COLOURS[2]),
    ):
        left.step(steps["round"], steps[column], where="post", label=name, color=colour)
    for column, name, colour in (("buyers_in", "vehicles in", COLOURS[1]), ("sellers_in", "units in", COLOURS[2])):
        total = max(float(steps[["buyers_left", "sellers_left"]].max().max()), 1.0)
        left.plot(steps["round"], steps[column] / total, ":", label=f"{name}, of {total:.0f}", color=colour)
    left.set_xlabel("step")
    left.set_ylabel("share of the price range, or of the units")
    left.set_title("one window of after_the_match")
    left.legend(fontsize=7)
    names = ("efficient", "double-dutch", "mcafee")
    for number, name in enumerate(names):
        rules = ["msb", *(f"{name}:every_s={every_s:g}" for every_s in WINDOWS_S)]
        with warnings.catch_warnings():
            # A price does not fit a clock, nor a step the paper's auction: those pairs are left out.
            warnings.simplefilter("ignore", SkippedWarning)
            table = compare(
                "after_the_match", ["conditional", "gap-step:4"], SEEDS, CLOCKS_S, mechanisms=rules, metric="welfare",
                jobs=JOBS,
            ).table  # fmt: skip
        rows = table.loc[[row for row in table.index if name in str(row)]]
        right.errorbar(
            WINDOWS_S, rows["ratio"], yerr=rows["ratio_ci"], marker=MARKS[number], color=COLOURS[1 + number],
            label=name, capsize=2,
        )  # fmt: skip
        print(name, rows[["ratio", "ratio_ci", "messages", "latency_mean"]].round(3).to_string())
    right.axhline(1.0, color="black", linewidth=0.6)
    right.set_xscale("log")
    right.set_xlabel("length of the window, s")
    right.set_ylabel("welfare divided by that of msb")
    right.set_title(f"after_the_match, {SEEDS} worlds of {CLOCKS_S:g} s")
    right.legend(fontsize=7)
    save(figure, "system-double-dutch.png")


def myerson() -> None:
    """The revenue curve of a run's bids with its majorant, and the virtual values that follow."""
    mechanism = Myerson()
    simulation = Simulation(Scenario.load("four_way"), duration=3600.0, mechanism=mechanism)
    for _ in simulation:
        pass
    figure, (left, right) = panels("myerson", 2)
    for kind, (name, colour) in enumerate((("stations", COLOURS[1]), ("UAV", COLOURS[2]))):
        ratios = np.sort(np.array(mechanism.bids_seen(kind)))[::-1]
        share = np.arange(1, len(ratios) + 1) / len(ratios)
        known = EmpiricalValues(ratios.tolist())
        slopes = np.array([known.phi(ratio) for ratio in ratios])
        left.plot(share, share * ratios, color=colour, linewidth=0.8, label=f"{name}: revenue")
        left.plot(share, np.cumsum(slopes) / len(ratios), "--", color=colour, label=f"{name}: majorant")
        right.step(ratios, slopes, where="post", color=colour, label=name)
        reserve = known.least(0.0)
        right.axvline(reserve, color=colour, linewidth=0.6, linestyle=":")
        print(name, len(ratios), "reserve", round(reserve, 3))
    left.set_xlabel("share of bids of at least the price")
    left.set_ylabel("price times share")
    left.legend(fontsize=7)
    right.axhline(0.0, color="black", linewidth=0.6)
    right.set_xlim(0.0, 4.0)
    right.set_ylim(-3.0, 4.0)
    right.set_xlabel("bid divided by the expected value")
    right.set_ylabel("ironed virtual value")
    right.legend(fontsize=7)
    figure.suptitle("an hour of four_way", fontsize=10)
    save(figure, "system-myerson.png")


def myerson_net() -> None:
    """Virtual values of the shipped network, beside those of the bids of a run."""
    mechanism, network = Myerson(), MyersonNet()
    simulation = Simulation(Scenario.load("four_way"), duration=3600.0, mechanism=mechanism)
    for _ in simulation:
        pass
    figure, axes = panels("myerson-net", 2)
    ratios = np.linspace(0.0, 4.0, 400)
    for kind, (panel, name) in enumerate(zip(axes, ("stations", "UAV"), strict=True)):
        known = EmpiricalValues(mechanism.bids_seen(kind))
        panel.step(ratios, [known.phi(ratio) for ratio in ratios], where="post", color=COLOURS[1], label="myerson")
        panel.plot(
            ratios, [network.virtual[kind].phi(ratio) for ratio in ratios], color=COLOURS[2], label="myerson-net"
        )
        panel.axhline(0.0, color="black", linewidth=0.6)
        panel.set_ylim(-3.0, 4.0)
        panel.set_xlabel("bid divided by the expected value")
        panel.set_ylabel("virtual value")
        panel.set_title(f"{name}; an hour of four_way", fontsize=9)
        panel.legend(fontsize=7)
        print(name, "reserves", round(known.least(0.0), 3), round(network.virtual[kind].least(0.0), 3))
    save(figure, "system-myerson-net.png")


def madda() -> None:
    """Reputations in a run, and the welfare against that of the double Dutch auction."""
    figure, (left, right) = panels("madda", 2)
    simulation = Simulation(Scenario.load("after_the_match"), duration=LENGTH_S, mechanism=Madda())
    policy, seen = GapStep(), []
    for decision in simulation:
        simulation.answer(policy.number(decision.observation, Numbers(0.001, 1.0, ())))
        seen.append((simulation.now, *(simulation.platform.reputation(one, simulation.now) for one in range(7))))
    at = np.array(seen)
    for one, name in enumerate(simulation.platform.names[:7]):
        left.plot(at[:, 0], at[:, 1 + one], linewidth=0.8, label=name)
    left.set_xlabel("time, s")
    left.set_ylabel("reputation")
    left.set_title("after_the_match", fontsize=9)
    left.legend(fontsize=7, ncols=2)
    for number, scenario in enumerate(("four_way", "after_the_match")):
        for form, style in (("pool", "-"), ("pairs", ":")):
            ratios, widths = [], []
            for every_s in WINDOWS_S:
                rules = [f"double-dutch:every_s={every_s:g}", f"madda:every_s={every_s:g}:among={form}"]
                table = compare(
                    scenario, ["gap-step:4"], SEEDS, CLOCKS_S, mechanisms=rules, metric="welfare", jobs=JOBS
                ).table
                ratios.append(float(table["ratio"].iloc[1]))
                widths.append(float(table["ratio_ci"].iloc[1]))
            print(scenario, form, np.round(ratios, 3), np.round(widths, 3))
            right.errorbar(
                WINDOWS_S, ratios, yerr=widths, marker=MARKS[number], color=COLOURS[1 + number], linestyle=style,
                label=f"{scenario}, {form}", capsize=2,
            )  # fmt: skip
    right.axhline(1.0, color="black", linewidth=0.6)
    right.set_xscale("log")
    right.set_xlabel("length of the window, s")
    right.set_ylabel("welfare divided by that of double-dutch")
    right.set_title(f"{SEEDS} worlds of {CLOCKS_S:g} s", fontsize=9)
    right.legend(fontsize=7)
    save(figure, "system-madda.png")


def regret_net() -> None:
    """What a misreport gains in expectation, and the reported regret beside the exact one and that of the audit."""
    figure, (left, right) = panels("regret-net", 2)
    rounds = [one for one in profile_maker([Scenario.load("four_way")], 99)(0) if one.bids][:REGRET_ROUNDS]
    multipliers = np.linspace(0.0, 3.0, 200)
    exact, reported, audited, revenue = [], [], [], []
    for seed in range(3):
        network = RegretNet(weights=str(NETS / f"regret-net-s{seed}"))
        gains = np.zeros(len(multipliers))
        best = paid = 0.0
        for one in rounds:
            largest = max(one.expected)
            odds, pays = network.lottery(one)
            paid += float((odds * pays).sum()) / largest
            best += sum(regret(network.lottery, one, multipliers.tolist())) / largest
            for place, value in enumerate(one.bids):
                truth = float(odds[place] * (value - pays[place]))
                for number, multiplier in enumerate(multipliers[::10]):
                    said = [*one.bids[:place], multiplier * value, *one.bids[place + 1 :]]
                    chance, price = (array[place] for array in network.lottery(one._replace(bids=tuple(said))))
                    gains[number * 10] += (float(chance * (value - price)) - truth) / largest / len(one.bids)
        left.plot(
            multipliers[::10], gains[::10] / len(rounds), marker=".", color=COLOURS[1 + seed], label=f"training {seed}"
        )
        metrics = pd.read_csv(NETS / f"regret-net-s{seed}" / "metrics.csv")["train/regret"].dropna()
        exact.append(best / len(rounds))
        reported.append(float(metrics.iloc[-1]))
        found = audit(
            "four_way", mechanism=network, rounds=REGRET_ROUNDS, watched=REGRET_ROUNDS, seed=99,
            multipliers=grid_of_multipliers(len(multipliers)),
        )  # fmt: skip
        audited += [one.number for one in found.findings if one.property == "regret per round"]
        revenue.append(paid / len(rounds))
    left.axhline(0.0, color="black", linewidth=0.6)
    left.set_xlabel("bid divided by the value")
    left.set_ylabel("expected gain of a bidder")
    left.set_title(f"{len(rounds)} rounds of four_way", fontsize=9)
    left.legend(fontsize=7)
    places = np.arange(3)
    right.bar(places - 0.25, reported, 0.25, color=COLOURS[1], label="reported by the training")
    right.bar(places, audited, 0.25, color=COLOURS[3], label="audit, stations only, 200 multipliers")
    right.bar(places + 0.25, exact, 0.25, color=COLOURS[2], label="exact, 200 multipliers")
    right.set_xticks(places, [f"training {seed}" for seed in places])
    right.set_ylabel("regret per auction")
    right.set_ylim(0.0, 1.4 * max(exact))
    right.legend(fontsize=7)
    mix, few = regret_on_the_mix(multipliers.tolist())
    print("seed 0 on the scenarios of the training: grid", round(mix, 4), "four misreports", round(few, 4))
    for name, values in (("reported", reported), ("audited", audited), ("exact", exact), ("revenue", revenue)):
        print(name, np.round(values, 4))
    save(figure, "system-regret-net.png")


def regret_on_the_mix(multipliers: list[float]) -> tuple[float, float]:
    """Return the regret per auction of the first weights on what they were trained on, in worlds they have not seen.

    Returns:
        On a grid of multipliers, and with four misreports per bidder as the training draws them.
    """
    names = ("four_way", "after_the_match", "paper")
    maker, rng = profile_maker([Scenario.load(name) for name in names], 99), np.random.default_rng(0)
    rounds = [one for world in range(len(names)) for one in maker(world) if one.bids]
    network = RegretNet(weights=str(NETS / "regret-net-s0"))
    grid, few = list[float](), list[float]()
    for place in rng.choice(len(rounds), MIX_ROUNDS, replace=False):
        one = rounds[place]
        drawn = LEAST * (MOST / LEAST) ** rng.random(3)
        for found, tried in ((grid, multipliers), (few, [0.0, *drawn.tolist()])):
            found.append(sum(regret(network.lottery, one, tried)) / max(one.expected))
    return float(np.mean(grid)), float(np.mean(few))


def second_score() -> None:
    """Welfare and who has it, against the weight of the quality."""
    figure, axes = panels("second-score", 2)
    for panel, scenario in zip(axes, ("four_way", "after_the_match"), strict=True):
        rules = ["msb", *(f"second-score:weight={weight:g}" for weight in WEIGHTS)]
        table = compare(scenario, ["conditional"], SEEDS, LENGTH_S, mechanisms=rules, metric="welfare", jobs=JOBS).table
        base = float(table["welfare"].iloc[0])
        rows = table.iloc[1:]
        for column, name, colour in (
            ("welfare", "welfare", COLOURS[0]),
            ("welfare_providers", "providers have", COLOURS[1]),
            ("welfare_platform", "the platform has", COLOURS[2]),
        ):
            panel.plot(WEIGHTS, rows[column] / base, marker="o", color=colour, label=name)
        panel.errorbar(WEIGHTS, rows["ratio"], yerr=rows["ratio_ci"], color=COLOURS[0], capsize=2, linestyle="")
        panel.axhline(1.0, color="black", linewidth=0.6)
        panel.set_xlabel("weight of the quality")
        panel.set_ylabel("divided by the welfare of msb")
        panel.set_title(f"{scenario}, {SEEDS} worlds of {LENGTH_S:g} s", fontsize=9)
        panel.legend(fontsize=7)
        print(scenario, rows[["ratio", "ratio_ci", "latency_mean"]].round(3).to_string())
    save(figure, "system-second-score.png")


def against_windows(name: str, rules: tuple[str, ...]) -> None:
    """Draw the welfare of some mechanisms against the length of their windows, at both junctions.

    Args:
        name: name of the picture.
        rules: the mechanisms.
    """
    figure, axes = panels(name, 2)
    for panel, scenario in zip(axes, ("four_way", "after_the_match"), strict=True):
        for number, rule in enumerate(rules):
            timed = ["msb", *(f"{rule}:every_s={every_s:g}" for every_s in WINDOWS_S)]
            table = compare(scenario, ["conditional"], SEEDS, LENGTH_S, mechanisms=timed, metric="welfare", jobs=JOBS)
            rows = table.table.iloc[1:]
            panel.errorbar(
                WINDOWS_S, rows["ratio"], yerr=rows["ratio_ci"], marker=MARKS[number], color=COLOURS[1 + number],
                label=rule, capsize=2,
            )  # fmt: skip
            print(scenario, rule, rows[["ratio", "ratio_ci", "completed_share", "messages"]].round(3).to_string())
        panel.axhline(1.0, color="black", linewidth=0.6)
        panel.set_xscale("log")
        panel.set_xlabel("length of the window, s")
        panel.set_ylabel("welfare divided by that of msb")
        panel.set_title(f"{scenario}, {SEEDS} worlds of {LENGTH_S:g} s", fontsize=9)
        panel.legend(fontsize=7)
    save(figure, f"system-{name}.png")


def vcg() -> None:
    """The welfare of a VCG assignment against the length of its window."""
    against_windows("vcg", ("vcg-assignment",))


def sealed() -> None:
    """The welfare of sealed double auctions against the length of their window."""
    against_windows("sealed", ("mcafee", "trade-reduction", "efficient"))


def messages() -> None:
    """The welfare against the time that a round of messages takes, at both junctions."""
    figure, axes = panels("messages", 2)
    shown = {
        "conditional @ msb": "msb",
        "gap-step:4 @ double-dutch": "double Dutch, a quarter of the gap",
        "fixed-step:0.01 @ double-dutch": "double Dutch, steps of 1 %",
        "mcafee": "McAfee, sealed",
    }
    for panel, scenario in zip(axes, ("four_way", "after_the_match"), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkippedWarning)
            runs = compare(
                scenario, ["conditional", "gap-step:4", "fixed-step:0.01"], SEEDS, CLOCKS_S,
                mechanisms=["msb", "double-dutch", "mcafee"], metric="welfare", jobs=JOBS,
                grid={"market.message_s": MESSAGES_S},
            ).runs.reset_index()  # fmt: skip
        # One column per policy and time of a round, one row per world.
        welfare = runs.pivot_table("welfare", "seed", ["policy", "market.message_s"])
        rounds = runs.groupby(["policy", "market.message_s"])["rounds"].mean()
        base = welfare["conditional @ msb", 0.0].to_numpy()
        for number, (name, label) in enumerate(shown.items()):
            ratios = [crossed_ratio(welfare[name, at].to_numpy()[:, None], base) for at in MESSAGES_S]
            panel.errorbar(
                np.array(MESSAGES_S) * 1e3, [one.mean for one in ratios], yerr=[one.half_width for one in ratios],
                marker=MARKS[number], color=COLOURS[1 + number], label=label, capsize=2,
            )  # fmt: skip
            for at, one in zip(MESSAGES_S, ratios, strict=True):
                print(scenario, label, at, f"{one.mean:.3f} ± {one.half_width:.3f}", round(rounds[name, at], 1))
        panel.set_ylim(0.0, 1.6)
        panel.set_xlabel("time of a round of messages, ms")
        panel.set_ylabel("welfare divided by that of msb at 0 ms")
        panel.set_title(f"{scenario}, {SEEDS} worlds of {CLOCKS_S:g} s", fontsize=9)
        panel.legend(fontsize=7)
    save(figure, "system-messages.png")


def baselines() -> None:
    """What a station has that bids a multiple of its values in `paper`, all others truthful, by the auction."""
    figure, (panel,) = panels("baselines", 1)
    rules: dict[str, str | None] = {"msb": "conditional", "vickrey": None, "second-price": None, "first-price": None}
    for number, (rule, policy) in enumerate(rules.items()):
        has = np.zeros((SEEDS, len(BIDS)))
        for column, factor in enumerate(BIDS):
            for seed in range(SEEDS):
                run = simulate(
                    "paper", policy, seed, 2_000.0, mechanism=rule, bidders={"s1": f"shade:{factor:g}"}
                )  # fmt: skip
                has[seed, column] = float(run.providers.set_index("name")["net_utility"]["s1"]) / len(run.tasks)
        label = "spa" if rule == "second-price" else rule
        panel.plot(BIDS, has.mean(axis=0), marker=MARKS[number], color=COLOURS[number], label=label)
        print(label, [f"{factor:g}: {value:.4f}" for factor, value in zip(BIDS, has.mean(axis=0), strict=True)])
    panel.axvline(1.0, color="grey", linewidth=0.8)
    panel.set_xlabel("bid of one station, as a multiple of its value")
    panel.set_ylim(bottom=-0.03)  # far above its value, a first price only loses more
    panel.set_ylabel("what the station has, per task")
    panel.set_title(f"paper, {SEEDS} worlds of 2,000 rounds")
    panel.legend(fontsize=7)
    save(figure, "system-baselines.png")


DRAWN = {
    "baselines": baselines,
    "vcg": vcg, "sealed": sealed, "messages": messages,
    "myerson": myerson, "myerson-net": myerson_net, "second-score": second_score, "double-dutch": double_dutch,
    "madda": madda, "regret-net": regret_net,
}  # fmt: skip


def main() -> None:
    """Draw the pictures that are named, or every one."""
    for name in sys.argv[1:] or DRAWN:
        DRAWN[name]()


if __name__ == "__main__":
    main()
