"""What a page answers: why this price, what holds over all worlds, and what a long run looks like."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator import Result, compare, simulate
from simulator.view.report.means import means
from simulator.view.report.payload import payload
from simulator.view.report.write import signed_page, write_report
from tests.fields import fields
from tests.view.browser import Look
from tests.view.test_page import text_of, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.parametrize("policy", ["conditional", "diffusion", "constant:1.3"])
def test_a_card_says_why_this_price(opened: Browser, tmp_path: Path, policy: str) -> None:
    history = 5 if policy == "constant:1.3" else 1
    run = simulate("four_way", policy, duration=120, explain=True, **fields({"market.history": history}))
    path = tmp_path / "report.html"
    write_report({policy: run}, path)
    task = int(run.decisions["task"].iloc[3])
    look = Look(opened, path, f"#t={run.tasks['requested'].iloc[task]:.3f}&task={task}", bypass_csp=True)
    why = look.page.locator(".why").inner_text()
    row = run.decisions.iloc[3]
    if policy == "conditional":
        assert text_of(row["why_uav_value"]) in why
        assert text_of(row["why_second_bid"]) in why
    elif policy == "diffusion":
        odds = run.decisions.filter(regex="^why_p_").iloc[3]
        assert look.page.locator(".odds i").count() == 20
        assert f"probability of the price {row['action']:.4g}: {np.float32(odds.max()):.4g}" in why
    else:
        assert "does not explain its prices" in why
    assert "The UAV's bid is not compared" in why
    assert ("last T = 5 tasks" in why) == (history == 5)
    assert violations(look) == []
    assert look.complaints == []
    look.page.close()


def test_a_run_that_did_not_record_reasons_says_how_to(opened: Browser, report: Path) -> None:
    look = Look(opened, report)
    assert "This run did not record it; with --explain a run does." in look.page.locator(".why").first.inner_text()
    look.page.close()


def test_the_page_of_a_comparison_begins_with_the_means_over_all_worlds(opened: Browser, tmp_path: Path) -> None:
    policies = ["conditional", "spa"]
    table, _ = compare("four_way", policies, seeds=3, duration=200)
    runs = {policy: simulate("four_way", policy, duration=200) for policy in policies}
    path = tmp_path / "report.html"
    path.write_bytes(signed_page(payload(runs), means(table, "surplus_mean")))
    look = Look(opened, path, bypass_csp=True)
    text = look.page.locator("#means").inner_text()
    for policy in policies:
        for figure in ("surplus_mean", "realised_mean", "latency_mean"):
            assert text_of(float(table[figure][policy])) in text
    assert f"{float(table['p_corrected']['spa']):.3f}" in text
    assert "One of these 3 worlds in detail: the world of seed 0" in text
    large = look.ask("() => parseFloat(getComputedStyle(document.getElementById('one-world')).fontSize)")
    assert large > 18
    assert look.page.locator("#totals > *").count() == 0, "the header shows no figure of one world"
    assert violations(look) == []
    assert look.complaints == []
    look.page.close()


def test_the_texts_of_a_map_do_not_overprint_each_other(opened: Browser, run: Result, report: Path) -> None:
    look = Look(opened, report)
    look.ask(
        """() => { window.drawn = [];
            const own = CanvasRenderingContext2D.prototype.fillText;
            CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
                if (this.canvas === dmsb.panes[0].view.canvas)
                    drawn.push([x, y - 4, this.measureText(text).width / 2]);
                own.call(this, text, x, y);
            }; }"""
    )
    for task in range(0, len(run.tasks), 7):
        look.ask("(time) => { drawn.length = 0; dmsb.seek(time); }", float(run.tasks["requested"].iloc[task]) + 0.5)
        look.settle()
        boxes = look.ask("() => drawn.splice(0)")
        for number, (x, y, half) in enumerate(boxes):
            for other_x, other_y, other_half in boxes[:number]:
                assert abs(x - other_x) >= half + other_half or abs(y - other_y) >= 13, (task, boxes)
    look.page.close()


def test_a_long_run_has_quantiles_in_place_of_points(opened: Browser, tmp_path: Path) -> None:
    """The 3,600 auctions of an hour would be a smear; a window of ten minutes has points."""
    path = tmp_path / "report.html"
    write_report({"conditional": simulate("paper", "conditional", duration=3600)}, path)
    look = Look(opened, path)
    kinds = "() => dmsb.charts[0].spec.marks.map((mark) => mark.kind)"
    assert set(look.ask(kinds)) == {"line"}
    look.page.select_option("#span", "600")
    look.settle()
    assert set(look.ask(kinds)) == {"points"}
    assert look.complaints == []
    look.page.close()


def test_a_page_inside_another_plays_too(opened: Browser, report: Path, tmp_path: Path) -> None:
    """As in a notebook, where it has no address of its own."""
    outer = tmp_path / "outer.html"
    inner = html.escape(report.read_text(encoding="utf-8"))
    outer.write_text(f'<!DOCTYPE html><iframe srcdoc="{inner}" width="1200" height="900"></iframe>', encoding="utf-8")
    complaints: list[str] = []
    look = opened.new_page(viewport={"width": 1300, "height": 950})
    look.on("console", lambda message: complaints.append(message.text))
    look.on("pageerror", lambda error: complaints.append(str(error)))
    look.goto(outer.resolve().as_uri())
    frame = look.frame_locator("iframe")
    before = frame.locator("#clock").inner_text()
    frame.locator("#play").click()
    frame.locator("[data-task]").first.wait_for()
    look.wait_for_function("(before) => frames[0].document.getElementById('clock').textContent !== before", arg=before)
    frame.locator("#next").click()
    frame.locator(".feed a").first.click()
    assert complaints == []
    look.close()
