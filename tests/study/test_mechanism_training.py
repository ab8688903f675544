"""Training of a mechanism by the command line, from the bids of training worlds to a run with the weights."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from simulator import simulate
from simulator.cli.app import app
from simulator.study import mechanism_training, price_training


@pytest.mark.parametrize("name", ["myerson-net", pytest.param("regret-net", marks=pytest.mark.slow)])
def test_the_command_trains_a_mechanism(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs the extra learn: pip install 'dmsb[learn]'")
    monkeypatch.setattr(mechanism_training, "COLLECTED_S", 200.0)
    monkeypatch.setattr(price_training, "EVALUATED_S", 100.0)
    out = tmp_path / "net"
    arguments = ["train", "paper", "--mechanism", name, "--steps", "30", "--held-out", "1", "--out", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    metrics = pd.read_csv(out / "metrics.csv")
    assert metrics["steps"].iloc[-1] == 30
    assert metrics["evaluation/ratio"].iloc[-1] > 0.0
    trained = simulate("paper", mechanism=f"{name}:weights={out}", duration=100)
    shipped = simulate("paper", mechanism=name, duration=100)
    assert trained.summary["payments"] > 0.0
    assert trained.summary["payments"] != shipped.summary["payments"]
