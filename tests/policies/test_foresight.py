"""The fitted price `foresight`: its regression, its price, its files."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import InputError, RunError, Scenario, simulate
from simulator.market.contracts import MARKET_INDEX, Observation
from simulator.market.plugins import find_policy
from simulator.study.train import train
from tests.fields import fields


def observation(**conditions: float) -> Observation:
    values = {"uav_seconds": 2.0, "best_seconds": 2.5, "second_seconds": 3.0, "uav_match": 1.2, "best_match": 0.7,
              "second_match": 0.6, "ground_match": 0.65} | conditions  # fmt: skip
    market = np.zeros(len(MARKET_INDEX))
    for name, value in values.items():
        market[MARKET_INDEX[name]] = value
    return Observation(market)


def ready(spec: str = "foresight", **overrides: Any) -> Any:
    policy = find_policy(spec)
    policy.reset(Scenario.load("four_way", **fields(overrides)), np.random.default_rng(0))  # type: ignore[attr-defined]
    return policy


def module(policy: Any, name: str) -> Any:
    """A module of the package that the policy comes from, which has a private name."""
    import importlib

    return importlib.import_module(type(policy).__module__.rpartition(".")[0] + f".{name}")


def test_the_regression_finds_the_coefficients_of_data_that_follow_it() -> None:
    regression = module(find_policy("foresight"), "regression")
    rng, fit = np.random.default_rng(1), None
    fit = regression.Fit()
    for _ in range(20_000):
        seen = observation(
            **{f"{who}_seconds": float(np.exp(rng.normal(1.0, 0.4))) for who in ("uav", "best", "second")}
        )
        lead = float(np.exp(rng.exponential(0.3)))
        x = {who: math.log(seen[f"{who}_match"] / seen[f"{who}_seconds"]) for who in ("uav", "best", "second")}
        top = -0.5 + 0.8 * math.log(lead) + 0.3 * x["best"] + 0.4 * x["second"] + rng.normal(0.0, 0.3)
        uav = 0.1 + 0.9 * x["uav"] + rng.normal(0.0, 0.2)
        late = rng.random() < 0.1
        info = {"own_top": math.exp(top), "own_uav": 0.0 if late else math.exp(uav), "lead": lead}
        fit.add(seen.vector(), info)
    found = fit.coefficients(0.25)
    assert (found.constant, found.lead, found.best, found.second) == pytest.approx((-0.5, 0.8, 0.3, 0.4), abs=0.03)
    assert (found.uav_constant, found.uav_slope) == pytest.approx((0.1, 0.9), abs=0.03)
    assert (found.variance, found.uav_variance) == pytest.approx((0.09, 0.04), rel=0.05)
    assert found.uav_share == pytest.approx(0.9, abs=0.01)
    assert found.theta == 0.25


def test_a_regressor_that_does_not_vary_and_too_few_rounds_give_numbers() -> None:
    regression = module(find_policy("foresight"), "regression")
    fit = regression.Fit()
    assert fit.coefficients(0.1).lead == 0.0
    for lead in (1.1, 1.4, 2.0, 1.7, 1.2, 1.3):
        fit.add(observation().vector(), {"own_top": lead, "own_uav": 0.5, "lead": lead})
    found = fit.coefficients(0.1)
    assert all(math.isfinite(value) for value in vars(found).values())
    assert found.lead == pytest.approx(1.0)


def test_at_its_price_both_expectations_are_equal() -> None:
    policy = ready("foresight:theta=0.2")
    for seconds in (0.8, 1.5, 2.0):
        seen = observation(uav_seconds=seconds)
        price, why = policy.price(seen), policy.explain(seen)
        assert set(why) == set(policy.reasons)
        if price > 1.0:
            assert why["top_value"] == pytest.approx(why["uav_value"])
        else:
            assert why["top_value"] >= why["uav_value"]
    assert policy.price(observation(uav_seconds=0.8)) > policy.price(observation(uav_seconds=1.5)) > 1.0
    assert policy.price(observation(uav_seconds=60.0)) == 1.0


def test_toll_and_zeta_multiply_what_the_uav_is_worth() -> None:
    seen = observation(uav_seconds=0.8)
    plain = ready("foresight:theta=0").explain(seen)["uav_value"]
    assert ready("foresight:theta=0.2").explain(seen)["uav_value"] == pytest.approx(0.8 * plain)
    halved = ready("foresight:theta=0", **{"market.uav_weight": 0.5}).explain(seen)["uav_value"]
    assert halved == pytest.approx(0.5 * plain)
    assert ready().explain(seen)["uav_value"] == pytest.approx(0.9 * plain), "the shipped coefficients carry .1"


def test_where_the_lead_says_nothing_it_is_the_scaled_conditional(tmp_path: Path) -> None:
    regression = module(find_policy("foresight"), "regression")
    flat = regression.Coefficients(0.1, 0.04, 0.3, 0.3, 0.1, 0.0, 1.0, 0.1, 1.0, 0.1)
    regression.save(tmp_path / "flat", flat, 10)
    mine, other = ready(f"foresight:weights={tmp_path / 'flat'}"), find_policy("conditional:scale=0.9")
    other.reset(Scenario.load("four_way"), np.random.default_rng(0))  # type: ignore[attr-defined]
    for seconds in (0.8, 2.0):
        seen = observation(uav_seconds=seconds)
        assert mine.price(seen) == pytest.approx(other.price(seen), rel=1e-12)  # type: ignore[attr-defined]


def test_no_bid_and_no_word_moves_the_price() -> None:
    seen = observation()
    other = Observation(seen.market, (9.0, 8.0), 77.0, 5.0)
    assert ready().price(seen) == ready().price(other)


def test_it_beats_conditional_where_it_was_fitted(tmp_path: Path) -> None:
    out = train(["four_way"], "foresight", 4_000, out=tmp_path / "fit", evaluate_every=4_000, held_out=4)
    rows = (tmp_path / "fit" / "metrics.csv").read_text().splitlines()
    ratio = float(rows[-1].split(",")[rows[0].split(",").index("evaluation/ratio")])
    assert ratio > 1.005
    run = simulate("four_way", f"foresight:weights={tmp_path / 'fit'}", duration=300)
    assert run.run["weights_sha256"] == json.loads((out / "meta.json").read_text())["sha256"]
    assert run.auctions["rho"].nunique() > 50


def test_a_resumed_fit_is_that_of_one_without_interruption(tmp_path: Path) -> None:
    short: dict[str, Any] = {"evaluate_every": 100_000, "held_out": 1, "hyper": {"worlds": 1}}
    brief = Scenario.load("four_way", **fields({"duration_s": 300}))
    whole, part = tmp_path / "whole", tmp_path / "part"
    train([brief], "foresight", 700, out=whole, **short)

    def stop(metrics: dict[str, float]) -> None:
        if metrics["steps"] > 400:
            raise ValueError("that is enough")

    with pytest.raises(RunError, match="that is enough"):
        train([brief], "foresight", 700, out=part, report=stop, **short)
    train([brief], "foresight", 700, out=part, resume=True, **short)
    assert (part / "deployed" / "meta.json").read_bytes() == (whole / "deployed" / "meta.json").read_bytes()
    assert (part / "last" / "meta.json").read_bytes() == (whole / "last" / "meta.json").read_bytes()


def shipped() -> Path:
    return Path(str(module(find_policy("foresight"), "foresight").SHIPPED))


def changed(folder: Path, change: Any) -> Path:
    shutil.copytree(shipped(), folder)
    meta = folder / "meta.json"
    meta.write_text(change(meta.read_text()))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"lead": 0', '"lead": 1'), "was changed after it was written"),
        (lambda text: text[:-40], "is not JSON"),
        (lambda text: "[]", "must say format = dmsb-foresight-1"),
        (lambda text: text.replace("dmsb-foresight-1", "dmsb-checkpoint-2"), "must say format = dmsb-foresight-1"),
        (lambda text: text.replace('"theta"', '"tetha"'), "was changed after it was written"),
        (lambda text: text.replace('"steps": ', '"steps": NaN, "x": '), "is not JSON"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_policy(f"foresight:weights={changed(tmp_path / 'w', change)}")


def test_what_is_sealed_must_still_be_coefficients(tmp_path: Path) -> None:
    regression = module(find_policy("foresight"), "regression")
    good = json.loads((shipped() / "meta.json").read_text())
    for wrong in ({"lead": 0.5}, {**good["coefficients"], "lead": "much"}, None):
        folder = tmp_path / str(wrong)[:5].strip("{'")
        regression._write(folder, {**{k: v for k, v in good.items() if k != "sha256"}, "coefficients": wrong})
        with pytest.raises(InputError, match="coefficient"):
            find_policy(f"foresight:weights={folder}")


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no coefficients"):
        find_policy(f"foresight:weights={tmp_path / 'none'}")


@pytest.mark.parametrize("theta", ["1", "x", "nan", "true"])
def test_a_toll_of_all_is_refused(theta: str) -> None:
    with pytest.raises(InputError, match=r"theta must be a (number from -10 to below 1|valid number)"):
        find_policy(f"foresight:theta={theta}")


@pytest.mark.parametrize("hyper", [{"theta": 2.0}, {"worlds": 0}, {"wolrds": 2}])
def test_a_wrong_hyperparameter_leaves_nothing_behind(tmp_path: Path, hyper: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"theta must be|worlds must be|did you mean 'worlds'"):
        train(["four_way"], "foresight", 100, out=tmp_path / "fit", hyper=hyper)
    assert not (tmp_path / "fit").exists()
