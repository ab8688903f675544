"""`dmsb doctor`: exact where it must be, tolerant where it may be, and never satisfied with another result."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from simulator.cli.app import app
from simulator.errors import EXTRAS, need
from simulator.market.entry_points import known_mechanisms, known_policies
from simulator.scenario.shipped import shipped_scenarios
from simulator.study import doctor as module
from simulator.study.doctor import CHECKS, FIGURES, REFERENCE, Check, doctor, extras, machine, measure

SMALL = Check("paper", "conditional", 50.0)


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    before = module.SPREAD_WORLDS
    module.SPREAD_WORLDS = 4
    try:
        return {"machine": machine(), "checks": {str(SMALL): measure(SMALL)}}
    finally:
        module.SPREAD_WORLDS = before


def changed(
    reference: dict[str, Any], figure: str = "", deviations: float = 0.0, elsewhere: bool = True
) -> dict[str, Any]:
    """The reference with other tables, one figure moved, and of another machine."""
    other = copy.deepcopy(reference)
    known = other["checks"][str(SMALL)]
    known["tables"]["auctions"] = "0" * 64
    if figure:
        known["figures"][figure] += deviations * known["sd"][figure]
    if elsewhere:
        other["machine"]["numpy"] = "0.1"
    return other


def test_the_same_machine_gives_the_same_bytes(reference: dict[str, Any]) -> None:
    found = doctor((SMALL,), reference)
    assert [finding.verdict for finding in found] == ["exact", "exact"]


def test_other_bytes_on_the_machine_of_the_reference_are_wrong(reference: dict[str, Any]) -> None:
    found = doctor((SMALL,), changed(reference, elsewhere=False))
    assert found[0].verdict == "differs"
    assert "auctions" in found[0].detail


@pytest.mark.parametrize(
    ("deviations", "verdict"), [(0.0, "within"), (2.9, "within"), (-2.9, "within"), (3.1, "differs")]
)
def test_elsewhere_a_figure_may_differ_by_three_standard_deviations(
    reference: dict[str, Any], deviations: float, verdict: str
) -> None:
    found = doctor((SMALL,), changed(reference, "surplus_mean", deviations))
    assert found[0].verdict == verdict
    if deviations:
        assert "surplus_mean" in found[0].detail


def test_a_figure_that_is_no_number_differs(reference: dict[str, Any]) -> None:
    other = changed(reference)
    other["checks"][str(SMALL)]["figures"]["latency_mean"] = float("nan")
    assert doctor((SMALL,), other)[0].verdict == "differs"


def test_the_reference_that_is_shipped_has_every_check_and_spreads_that_can_be() -> None:
    known = json.loads(REFERENCE.read_text(encoding="utf-8"))
    assert set(known["checks"]) == {str(check) for check in CHECKS}
    for check in known["checks"].values():
        assert set(check["figures"]) == set(check["sd"]) == set(FIGURES)
        assert check["sd"]["surplus_mean"] > 0.0
        assert all(spread >= 0.0 for spread in check["sd"].values())


def test_every_shipped_scenario_policy_and_mechanism_is_checked() -> None:
    """`sb3` has no weights of its own, and a policy brings its mechanism."""
    assert {check.scenario for check in CHECKS} == set(shipped_scenarios())
    policies = {check.policy.partition(":")[0] for check in CHECKS if check.policy}
    assert policies == set(known_policies()) - {"sb3"}
    mechanisms = {check.mechanism for check in CHECKS if check.mechanism}
    assert mechanisms == set(known_mechanisms()) - {"msb", "myopic-msb", "direct"}


def test_an_optional_package_that_is_missing_leaves_a_check_out(
    reference: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = Check("four_way", None, 20.0, "vcg-assignment", "scipy")
    monkeypatch.setitem(EXTRAS, "scipy", "study")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = doctor((windows,), reference)
    assert found == [
        (
            str(windows),
            "left out",
            "this needs the package scipy: pip install 'dmsb[study]'",
        )
    ]
    assert {extra for _, _, extra in extras()} == {"study", "learn", "sb3", "cluster"}
    with pytest.raises(Exception, match=r"pip install 'dmsb\[learn\]'"):
        need("torch")


@pytest.mark.slow
def test_the_command_says_what_is_installed_and_that_all_is_well() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "Python" in done.output.splitlines()[0]
    assert "all is well" in done.output.splitlines()[-1]
    assert "differs" not in done.output


def test_the_command_fails_where_a_result_differs(reference: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [module.Diagnosis("a check", "differs", "surplus_mean 1, reference 2")]
    monkeypatch.setattr(module, "doctor", lambda **_: wrong)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "1 of 1 checks differ" in done.output
