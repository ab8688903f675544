"""The report as it is used: opened from a file in a browser, played, scrubbed, clicked, read aloud."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator import Result, simulate
from simulator.view.report.write import write_report
from tests.fields import fields
from tests.view.browser import DESKTOP, PHONE, Look
from tests.view.conftest import DURATION_S
from tests.world.traffic_frames import straight

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def text_of(number: float) -> str:
    """A number as the page writes it."""
    return f"{number:.4g}"


@pytest.mark.parametrize("scenario", ["four_way", "grid", "braunschweig", "paper", "t_junction"])
def test_opens_from_a_file_without_a_word_or_a_request(opened: Browser, tmp_path: Path, scenario: str) -> None:
    path = tmp_path / "report.html"
    write_report({"conditional": simulate(scenario, "conditional", duration=300)}, path)
    for size in (DESKTOP, PHONE):
        look = Look(opened, path, size=size)
        look.press("n")
        look.press("g")
        look.press("f")
        look.press("Space")
        look.play_until(look.ask("() => dmsb.time") + 1.0)
        look.press("Space")
        assert look.complaints == []
        wide, across = look.ask("() => [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= across, "the page is wider than the screen"
        assert "Auction" in look.card()
        look.page.close()


def test_each_way_to_an_auction_shows_its_numbers(opened: Browser, run: Result, report: Path) -> None:
    look = Look(opened, report)

    def shows(task: int) -> None:
        look.settle()
        row, said = run.auctions.iloc[task], look.card()
        assert said.startswith(f"Auction of task {task} at ")
        assert abs(look.ask("() => dmsb.time") - row["time"]) < 1e-6
        assert text_of(row["paid_by_provider"]) in said
        if row["asked"]:
            assert text_of(row["rho"]) in said
        bids = run.bids[run.bids["task"] == task].sort_values("bid", ascending=False)
        names = run.providers.set_index("provider")["name"]
        lines = look.page.locator("[data-task] table").first.locator("tbody tr").all_inner_texts()
        assert len(lines) == len(bids)
        for line, bid in zip(lines, bids.to_dict("records"), strict=True):
            won = "★ " if bid["provider"] == row["winner"] else ""
            numbers = [bid[name] for name in ("bid", "value", "common_value", "match_value", "predicted_latency")]
            assert line.split("\t") == [f"{won}{names[int(bid['provider'])]}", *map(text_of, numbers)]

    first = int(run.auctions.index[run.auctions["asked"]][0])
    shows(first)  # a page opens on the first auction that asks for a price
    look.page.click("#next")
    shows(first + 1)
    look.press("n")
    shows(first + 2)
    look.press("p")
    shows(first + 1)
    look.page.locator("#scrub").fill("300")
    look.page.click("#next")
    later = int((run.auctions["time"] <= 300.0).sum())
    shows(later)
    missed = run.auctions["best_surplus"] - run.auctions["surplus"]
    look.page.locator("#tables table", has_text="missed the most").locator("tbody a").first.click()
    shows(int(np.argmax(missed)))
    done = run.tasks[run.tasks["status"] == "completed"]
    look.page.locator("#tables table", has_text="Slowest tasks").locator("tbody a").first.click()
    shows(int(done["task"].iloc[np.argmax(done["latency"])]))
    look.page.go_back()
    shows(int(np.argmax(missed)))
    highest = int(np.nanargmax(run.auctions["rho"]))
    point = look.ask(
        """(task) => {
            const chart = dmsb.charts[0], x = dmsb.runs[0].tasks.requested[task];
            return { x: chart.px(x), y: chart.py(dmsb.runs[0].auctions.rho[task]) };
        }""",
        highest,
    )
    look.page.locator("#charts canvas").first.click(position=point)
    shows(highest)
    assert look.complaints == []
    look.page.close()


def test_a_click_on_a_provider_shows_its_queues(opened: Browser, run: Result, report: Path) -> None:
    busy = run.tasks[(run.tasks["uplink_wait"] > 0.3) & (run.tasks["status"] == "completed")].iloc[0]
    time = float(busy["requested"] + 0.5 * busy["uplink_wait"])
    look = Look(opened, report, f"#t={time}")
    place = look.ask("(id) => dmsb.panes[0].view.icons[id]", int(busy["provider"]))
    look.page.locator(".map canvas").click(position={"x": place["x"], "y": place["y"]})
    look.settle()
    card = look.page.locator("[data-provider]")
    assert run.providers.iloc[int(busy["provider"])]["name"] in card.inner_text()
    expected = dict.fromkeys(("uplink", "gpu", "cpu", "downlink"), (0, 0))
    for task in run.tasks[run.tasks["provider"] == busy["provider"]].to_dict("records"):
        now = task["requested"]
        for stage, (served, waiting) in expected.items():
            starts, ends = (now + task[f"{stage}_wait"], now + task[f"{stage}_wait"] + task[f"{stage}_time"])
            expected[stage] = (served + (starts <= time < ends), waiting + (now <= time < starts))
            now = ends
    assert expected["uplink"][1] >= 1
    rows = [line.split("\t")[:3] for line in card.locator("tbody tr").all_inner_texts()]
    assert rows == [[stage, str(served), str(waiting)] for stage, (served, waiting) in expected.items()]
    look.page.close()


def test_a_vehicle_that_is_clicked_is_followed(opened: Browser, run: Result, report: Path) -> None:
    look = Look(opened, report, "#t=100")
    alone = look.ask(
        """() => {
            const { vehicles, icons } = dmsb.panes[0].view;
            const far = (one) => [...vehicles, ...icons].every((other) => other === one || Math.hypot(other.x - one.x, other.y - one.y) > 20);
            return vehicles.find(far);
        }"""  # noqa: E501
    )
    look.page.locator(".map canvas").click(position={"x": alone["x"], "y": alone["y"]})
    look.settle()
    name = run.vehicles["name"].iloc[int(alone["vehicle"])]
    assert name in look.page.locator("[data-vehicle]").inner_text()
    look.page.click("#play")
    look.play_until(102.0)
    look.page.click("#play")
    look.settle()
    here, middle = look.ask(
        """(vehicle) => {
            const { view, canvas } = dmsb.panes[0];
            return [view.toScreen(dmsb.world.place(vehicle, dmsb.time)), { x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 }];
        }""",  # noqa: E501
        alone["vehicle"],
    )
    assert here == pytest.approx(middle)
    look.press("Escape")
    assert look.page.locator("[data-vehicle]").count() == 0
    look.page.close()


def test_every_key_does_what_the_help_says(opened: Browser, run: Result, report: Path) -> None:
    look = Look(opened, report, "#t=100")
    state = "() => ({ ...Object.fromEntries(['time', 'playing', 'speed', 'follow', 'auction', 'provider', 'span'].map((name) => [name, dmsb[name]])), scale: dmsb.panes[0].view.scale, theme: document.documentElement.dataset.theme })"  # noqa: E501
    before = look.ask(state)

    tried = set()

    def pressed(key: str) -> dict[str, Any]:
        tried.add(key)
        look.press(key)
        found: dict[str, Any] = look.ask(state)
        return found

    assert pressed("ArrowRight")["time"] == before["time"] + 5
    assert pressed("ArrowLeft")["time"] == before["time"]
    assert pressed("Space")["playing"]
    assert not pressed("Space")["playing"]
    assert pressed("+")["speed"] > before["speed"] == pressed("-")["speed"]
    assert pressed("End")["time"] == DURATION_S
    assert pressed("Home")["time"] == 0.0
    look.ask("() => dmsb.seek(100)")
    latest = int((run.auctions["time"] <= 100.0).sum()) - 1
    assert pressed("a")["auction"] == latest
    assert pressed("n")["auction"] == latest + 1
    assert pressed("p")["auction"] == latest
    assert pressed("f")["follow"] == run.auctions["vehicle"].iloc[latest]
    assert pressed("f")["follow"] == -1
    assert look.ask("() => dmsb.panes[0].view.center.x") > -300
    first = pressed("v")["follow"]
    assert first >= 0
    assert pressed("v")["follow"] > first
    pressed("f")
    assert pressed("g")["provider"] == 0
    assert pressed("Escape")["provider"] == -1
    whole = pressed("0")["scale"]
    assert pressed("z")["scale"] > whole == pytest.approx(pressed("x")["scale"])
    before = look.ask("() => dmsb.panes[0].view.center.x")
    look.press("Shift+ArrowRight")
    assert look.ask("() => dmsb.panes[0].view.center.x") > before
    assert pressed("d")["theme"] == "dark"
    look.page.reload()
    look.page.wait_for_selector("main:not([hidden])")
    look.settle()
    assert look.ask(state)["theme"] == "dark"
    assert pressed("d")["theme"] == "light"
    assert pressed("w")["span"] == DURATION_S
    pressed("?")
    assert look.page.locator("#legend").is_visible()
    listed = set(look.page.locator("#keys kbd").all_inner_texts())
    names = {"Space": "Space", "ArrowRight": "→", "ArrowLeft": "←", "Escape": "Esc"}
    assert listed == {names.get(key, key.upper() if len(key) == 1 else key) for key in tried} | {"Shift+arrow"}
    look.press("Escape")
    assert not look.page.locator("#legend").is_visible()
    assert look.complaints == []
    look.page.close()


def violations(look: Look) -> list[tuple[str, list[str]]]:
    """What axe-core finds: names, roles, contrast; WCAG 2.1 A and AA and its best practices."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(look.page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize(("dark", "size"), [(False, DESKTOP), (True, DESKTOP), (False, PHONE)])
def test_axe_finds_nothing_to_mend(opened: Browser, report: Path, dark: bool, size: tuple[int, int]) -> None:
    look = Look(opened, report, "#t=100", size=size, dark=dark, bypass_csp=True)
    look.press("g")
    look.press("f")
    assert violations(look) == []
    look.press("?")
    assert violations(look) == []
    look.page.close()


RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "as it comes": ("conditional", {}),
    "posted": ("conditional", {"market.uav_payment": "posted"}),
    "contract": ("conditional", {"market.uav_payment": "contract"}),
    "the UAV's own bid": ("conditional", {"market.mechanism": "msb:uav_bid=reported"}),
    "max of (14) over all": ("conditional", {"market.reference": "all"}),
    "myopic": ("myopic", {}),
    "second price": ("spa", {}),
}


@pytest.mark.parametrize("case", RULES)
def test_the_rule_that_a_card_states_is_the_one_that_was_played(opened: Browser, tmp_path: Path, case: str) -> None:
    """Every payment that the words derive is the one of the table; where they would not hold they derive none."""
    policy, overrides = RULES[case]
    run = simulate("four_way", policy, duration=300, **fields(overrides))
    path = tmp_path / "report.html"
    write_report({policy: run}, path)
    look = Look(opened, path)
    rulings = look.ask("() => Array.from({ length: dmsb.runs[0].count }, (_, task) => ruling(dmsb.runs[0], task))")
    words = {"as it comes": "worth in the end", "posted": "the platform expects", "contract": "pays the contract bid"}
    uav_pays = words.get(case, "worth in the end")
    said = {"exceeds ρ": 0, "does not exceed": 0, "second-highest": 0, "under": 0}
    for row, text in zip(run.auctions.to_dict("records"), rulings, strict=True):
        kinds = [kind for kind in said if kind in text]
        assert bool(kinds) == (row["second_bid"] == row["second_bid"] and row["uav_bid"] == row["uav_bid"])
        if "exceeds ρ" in text:
            assert row["paid_by_provider"] == pytest.approx(row["rho"] * row["second_bid"])
        elif "does not exceed" in text:
            assert uav_pays in text or "when it has ended" in text
            if case == "contract":
                assert row["paid_by_provider"] == pytest.approx(row["contract_bid"])
            elif uav_pays == "worth in the end" in text:
                assert row["paid_by_provider"] == pytest.approx(0.5 * row["realised_surplus"])
            assert "when it has ended" in text or text_of(row["paid_by_provider"]) in text
        elif "second-highest" in text:
            bids = sorted((row["top_bid"], row["second_bid"], row["uav_bid"]))
            assert row["paid_by_provider"] == pytest.approx(bids[1])
        for kind in kinds:
            said[kind] += 1
    assert (said["exceeds ρ"] > 10 and said["does not exceed"] > 10) == (case in words)
    assert (said["second-highest"] > 10) == (case == "second price")
    assert (said["under"] > 10) == (case not in (*words, "second price"))
    look.page.close()


def test_a_screen_reader_is_told_of_auctions(opened: Browser, run: Result, report: Path) -> None:
    look = Look(opened, report)
    look.press("n")
    said = look.page.locator("[role=status]").inner_text()
    task = int(run.auctions.index[run.auctions["asked"]][0]) + 1
    row = run.auctions.iloc[task]
    assert f"Auction of task {task} at" in said
    assert text_of(row["paid_by_provider"]) in said
    for provider in run.providers["name"]:
        look.press("g")
        told = look.page.locator("[role=status]").inner_text()
        assert told.startswith(("Station ", "UAV "))
        assert f" {provider} at " in told
        assert "uplink" in told
    for key, what in (("f", "Following vehicle"), ("+", "times as fast"), ("w", "Charts show"), ("Escape", "selected")):
        look.press(key)
        assert what in look.page.locator("[role=status]").inner_text()
    assert "vehicles" in str(look.page.locator(".map canvas").get_attribute("aria-label"))
    assert "of" in str(look.page.locator("#scrub").get_attribute("aria-valuetext"))
    look.page.close()


def test_a_link_leads_to_its_moment_again_and_focus_stays(opened: Browser, run: Result, report: Path) -> None:
    look = Look(opened, report, "#t=300")
    link = look.page.locator("#tables tbody a").first
    link.click()
    moment = look.ask("() => dmsb.time")
    look.page.keyboard.press("Escape")
    look.page.select_option("#speed", "60")
    look.page.click("#play")
    look.play_until(moment + 10.0)
    link.click()
    look.settle()
    assert look.ask("() => [dmsb.time, dmsb.playing]") == [moment, False]
    # A card that is brought up to date keeps the focus, and a slow click its target.
    look.press("g")
    inside = look.page.locator("[data-provider] a").first
    inside.focus()
    look.press("ArrowRight")
    assert look.ask("() => document.activeElement.closest('[data-provider]') !== null")
    look.page.locator(".feed a").last.click(delay=400)
    look.settle()
    assert look.ask("() => dmsb.auction") >= 0
    look.page.close()


HOSTILE = "<script>alert(1)</script><!--head-->\"'&amp;\\u003c😀"


def test_hostile_names_are_text(opened: Browser, tmp_path: Path) -> None:
    long = HOSTILE + "x" * 9_900
    names = [HOSTILE, "</script><img src=x onerror=alert(2)>", "y" * 10_000, "é\u202e\u0301\u2028", "${alert(3)}"]
    run = simulate(
        "braunschweig",
        "conditional",
        duration=120,
        recording=straight(names, length=800.0),
        **fields(
            {
                "name": long,
                "about": HOSTILE,
                "stations.count": None,
                "stations.placed": [
                    {"name": HOSTILE, "x": -200, "y": 40},
                    {"name": "z" * 10_000, "x": 0, "y": 60},
                    {"name": "$&", "x": 200, "y": 30},
                ],
                "stations.radius_m": 220,
                "uavs.center": [0, 0],
                "uavs.radius_m": 400,
            }
        ),
    )
    assert len(run.auctions) >= 3
    path = tmp_path / "report.html"
    write_report({HOSTILE: run}, path)
    look = Look(opened, path)
    assert look.page.locator("h1").inner_text() == f"{long}: {HOSTILE}"
    seen = ""
    for _ in range(len(run.auctions) + 1):
        look.press("p")
    for _ in range(len(run.auctions)):
        seen += look.card()
        look.press("n")
    assert HOSTILE in seen
    assert "</script><img src=x onerror=alert(2)>" in seen
    for _ in run.providers["name"]:
        look.press("g")
        look.press("f")
        seen += look.page.locator("[data-provider], [data-vehicle]").first.inner_text()
    assert "\u2068é\u202e\u0301\u2028\u2069" in look.ask("() => dmsb.world.names.map((name) => clip(name, 90))")
    assert look.complaints == []
    assert look.page.locator("img, h1 script, main script").count() == 0
    for size in ({"width": 1440, "height": 900}, {"width": 390, "height": 844}):
        look.page.set_viewport_size(size)  # type: ignore[arg-type]
        look.settle()
        assert look.ask("() => document.documentElement.scrollWidth") <= size["width"]
    look.page.close()


def test_policies_side_by_side_and_where_they_disagreed(opened: Browser, tmp_path: Path) -> None:
    policies = ("conditional", "myopic", "spa")
    runs = {policy: simulate("four_way", policy, duration=300) for policy in policies}
    path = tmp_path / "report.html"
    write_report(runs, path)
    look = Look(opened, path, bypass_csp=True)
    assert violations(look) == []
    assert look.page.locator(".pane").count() == 2
    winners = np.array([run.auctions["winner"] for run in runs.values()])
    surplus = np.array([run.auctions["surplus"] for run in runs.values()])
    apart = (winners != winners[0]).any(axis=0)
    assert 0 < apart.sum() < len(apart)
    table = look.page.locator("#tables table", has_text="different winners")
    assert f"{apart.sum()} of {len(apart)}" in table.inner_text()
    table.locator("tbody a").first.click()
    look.settle()
    worst = int(np.argmax(np.where(apart, np.ptp(surplus, axis=0), -1.0)))
    shown = look.page.locator("[data-task]")
    assert [int(str(card.get_attribute("data-task"))) for card in shown.all()] == [worst, worst]
    for card, policy in zip(shown.all_inner_texts(), policies, strict=False):
        assert text_of(runs[policy].auctions["paid_by_provider"].iloc[worst]) in card
    look.page.locator(".pane select").nth(1).select_option("2")
    look.settle()
    assert text_of(runs["spa"].auctions["paid_by_provider"].iloc[worst]) in shown.nth(1).inner_text()
    assert look.complaints == []
    look.page.close()
