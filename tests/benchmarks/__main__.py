"""``make bench``: figures per CPU-second, each beside its target and a bare SimPy loop of the same run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tests.benchmarks.city import city, city_memory_mib, streets
from tests.benchmarks.clock import bare_simpy
from tests.benchmarks.cluster import cell_us, comparison, start_s, trimming, worker_mib
from tests.benchmarks.files import help_s, long_memory_mib, long_ratio, memory_mib, million_events, xml_rows
from tests.benchmarks.learners import against_plain, decision_us, steps_a_second, training_memory_mib
from tests.benchmarks.market import by_stations, by_vehicles, rates, replay_ratio, shares, trace
from tests.benchmarks.page import opening, playback
from tests.view.browser import chromium

REPEATS = 3
"""The best of so many: whatever else the machine does only ever makes a figure worse."""


def main() -> None:
    """Measure and print."""
    shown = Table("figure", "measured", "target", "in bare SimPy events", box=None)
    for column in shown.columns[1:]:
        column.justify = "right"
    kernel = max(bare_simpy() for _ in range(REPEATS))

    def row(what: str, value: float, target: str = "", bare_events: float | None = None, digits: int = 0) -> None:
        shown.add_row(what, f"{value:,.{digits}f}", target, "" if bare_events is None else f"{bare_events:,.0f}")

    def microseconds(what: str, value: float, target: str = "") -> None:
        row(what, value, target, value * kernel / 1e6)

    row("bare SimPy loop, events/s", kernel)
    for name, duration in (("four_way", 3600.0), ("rush_hour", 3600.0), ("braunschweig", 3600.0), ("paper", 5000.0)):
        runs = [rates(name, duration) for _ in range(REPEATS)]
        auctions, driven = max(run.auctions for run in runs), max(run.vehicle_seconds for run in runs)
        kernel = max(kernel, bare_simpy())
        row(f"{name}, auctions/s", auctions, ">= 10,000" if name == "four_way" else "", kernel / auctions)
        if driven:
            row(f"{name}, vehicle-seconds/s", driven, ">= 100,000" if name == "four_way" else "")
    for name, target in (("four_way", ">= 2.0"), ("braunschweig", ">= 3.0"), ("paper", "")):
        row(f"ten policies on {name}, runs by themselves / replays", replay_ratio(name), target, digits=2)
    for arm_m, rate in ((300.0, 130.0), (1_200.0, 500.0), (12_000.0, 500.0), (120_000.0, 500.0)):
        costs = [by_vehicles(arm_m, rate) for _ in range(REPEATS)]
        microseconds(f"us an auction, {costs[0][0]:,.0f} vehicles on the map", min(cost for _, cost in costs), "flat")
    for stations in (3, 9, 30):
        microseconds(f"us an auction, {stations} stations", min(by_stations(stations) for _ in range(REPEATS)))
    # Alternating: the ratio is what counts. What a map costs once is in both.
    cities = [(city(3, 900.0), city(20, 900.0)) for _ in range(REPEATS)]
    for number in (0, 1):
        microseconds(f"us an auction, {cities[0][number].providers} providers", min(two[number].us for two in cities))
    row("  ratio of the two", min(large.us / small.us for small, large in cities), "<= 1.5", digits=2)
    row("20 x 20 junctions for 15 minutes, peak memory, MiB", city_memory_mib(20, 900.0), "<= 600")
    costs = [trace("four_way", 3600.0) for _ in range(REPEATS)]
    rows, frames = min(cost[0] for cost in costs), min(cost[1] for cost in costs)
    microseconds("us an auction, trace: rows and frames", rows + frames, "<= 15")
    row("XML recording, rows/s", max(xml_rows() for _ in range(REPEATS)), ">= 250,000")
    row("a million events to Parquet, s", min(million_events() for _ in range(REPEATS)), "< 0.5", digits=2)
    row("dmsb --help, s", min(help_s() for _ in range(REPEATS)), "< 0.3", digits=2)
    row("an hour of four_way, peak memory, MiB", memory_mib(), "< 250")
    row("100 hours of four_way into a folder, peak memory, MiB", long_memory_mib(), "<= 300")
    row("  cost of an auction in 10 hours / in 1 hour", min(long_ratio() for _ in range(REPEATS)), "<= 1.05", digits=2)
    for kind, what in (("processes", "--jobs 2"), ("pool", "a pool"), ("cluster", "--cluster local:2")):
        row(f"a cell that does nothing, {what}, us of wall clock", min(cell_us(kind) for _ in range(REPEATS)))
    row("workers of local:2 start, import and end, s of wall clock", min(start_s() for _ in range(REPEATS)), digits=1)
    for what, value in zip(("a worker of --cluster", "a process of a pool"), worker_mib(), strict=True):
        row(f"memory of {what} after two hours of four_way, MiB", value)
    each_ms, compared_mib = comparison()
    row("an hour of four_way in a comparison on two workers, ms of a worker", each_ms)
    row("memory of a worker after a comparison of 80 runs, MiB", compared_mib)
    for what, value in zip(("as Dask starts it", "of a study"), trimming(), strict=True):
        row(f"page faults of 5,000 rounds of paper in a worker {what}", value)
    for name in ("paper", "four_way"):
        row(f"training diffusion on {name}, steps/s, an update every 16", steps_a_second(name, 12_000), ">= 700")
    row("a decision of the shipped diffusion policy, us", min(decision_us() for _ in range(REPEATS)), "<= 150")
    row("peak memory of training on paper, MiB", training_memory_mib(), "< 600")
    ratio, apart = max(against_plain() for _ in range(REPEATS))
    row("updates over those of a plain implementation, at D2SAC's sizes", ratio, ">= 1.8", digits=2)
    row("  how far the two policies part in three updates", apart, "<= 1e-5", digits=7)
    if chromium() is None:
        shown.add_row("frames of the report", "no Chromium here", "60 a second", "")
    else:
        played = playback()
        row(f"frames of the report a second, {played.vehicles} vehicles on the map", played.per_second, "60")
        row("  the page's own time for one, ms", played.ms, "<= 16.7", digits=1)
        arms = {"traffic.roads.arm_m": 120_000.0, "traffic.arrivals.rate_per_h": 500.0}
        for what, page in (
            ("24 hours of four_way", opening("four_way", 86_400.0)),
            ("20 x 20 junctions for 15 minutes", opening("grid", 900.0, **streets(20))),
            ("10,000 vehicles on the map", opening("four_way", 20_400.0, **arms)),
        ):
            row(f"report of {what}, MB", page.mb, "< 10", digits=1)
            row("  until it is open, s of wall clock", page.seconds, "<= 5", digits=1)
    for part, share in shares("four_way", 3600.0).items():
        row(f"share of four_way under the profiler: {part}, %", 100 * share)
    Console(width=120).print(shown)


if __name__ == "__main__":
    main()
