"""Weights and states of trainings that are damaged: each is refused in one sentence, or prices as before."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from policies.deployed import SHIPPED
from policies.learning.layout import LARGEST, MOST
from simulator import InputError, Scenario, simulate
from simulator.errors import LONGEST_MESSAGE
from simulator.files import checkpoint
from simulator.market.contracts import MARKET_CONDITIONS, Observation
from simulator.market.mechanisms.learned import SHIPPED as OF_MECHANISMS
from simulator.market.plugins import find_policy
from tests.fields import fields

KINDS = ("diffusion", "sac", "ppo", "dqn")
Arrays = dict[str, Any]
Damage = Callable[[Path], None]

PAPER = Scenario.load("paper")
DRAWS = np.random.default_rng(1)
OBSERVATIONS = [
    Observation(np.exp(DRAWS.normal(0.0, 1.0, len(MARKET_CONDITIONS))), (), 1.0, 1.0) for _ in range(25)
]  # fmt: skip


def prices(kind: str, folder: Path) -> list[float]:
    policy: Any = find_policy(f"{kind}:weights={folder}")
    policy.reset(PAPER, np.random.default_rng(0))
    return [policy.price(observation) for observation in OBSERVATIONS]


def of_arrays(change: Callable[[Arrays], object], sealed: bool = True) -> Damage:
    """Change the arrays; sealed, so that only what they hold can give the damage away."""

    def damage(folder: Path) -> None:
        arrays = {name: array.copy() for name, array in load((folder / checkpoint.ARRAYS).read_bytes()).items()}
        change(arrays)
        meta = json.loads((folder / checkpoint.META).read_text())
        data, text = checkpoint.encode(arrays, meta)
        (folder / checkpoint.ARRAYS).write_bytes(data)
        if sealed:
            (folder / checkpoint.META).write_text(text)

    return damage


def of_meta(change: Callable[[dict[str, Any]], object], sealed: bool = True) -> Damage:
    """Change what the JSON says; sealed, so that only what it says can give the damage away."""

    def damage(folder: Path) -> None:
        meta = json.loads((folder / checkpoint.META).read_text())
        change(meta)
        if sealed:
            meta["sha256"] = checkpoint.seal(meta, (folder / checkpoint.ARRAYS).read_bytes())
        (folder / checkpoint.META).write_text(json.dumps(meta))

    return damage


def of_file(name: str, change: Callable[[Path], object]) -> Damage:
    def damage(folder: Path) -> None:
        change(folder / name)

    return damage


def instead(name: str, make: Callable[[Path], object]) -> Damage:
    """Put something else in the place of a file."""

    def damage(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return damage


def put(name: str, value: Callable[[Any], Any]) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name] = value(arrays[name])

    return change


def one(number: float) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        array.flat[array.size // 2] = number
        return array

    return change


OF_EACH_ARRAY: dict[str, Callable[[Any], Any]] = {
    "float64": lambda array: array.astype(np.float64),
    "float16": lambda array: array.astype(np.float16),
    "int32": lambda array: array.astype(np.int32),
    "bool": lambda array: array.astype(np.bool_),
    "a row more": lambda array: np.concatenate([array, array[:1]]),
    "no rows": lambda array: array[:0],
    "an axis more": lambda array: array[None],
    "flat and one more": lambda array: np.append(array.ravel(), array.dtype.type(0)),
    "no axis": lambda array: np.float32(0.5).reshape(()),
    "one nan": one(np.nan),
    "one inf": one(np.inf),
    "one -inf": one(-np.inf),
    "all nan": lambda array: np.full_like(array, np.nan),
    "one too large": one(2 * LARGEST),
    "one of 3e38": one(3e38),
}

WRONG: tuple[Any, ...] = (None, True, "x", "", -1, 1.5, 10**400, [], {}, [[]], {"a": [1]}, "x" * 100_000, [1.0] * 5_000)

META_FIELDS = ("format", "features", "kind", "settings", "grid", "steps", "information")

GRIDS: tuple[list[Any], ...] = (
    [1.0], [1.0, 1.0], [2.0, 1.0], [0.5, 1.0], [1.0, 11.0], [1, 2], ["1.0"], [1.0, None], [1.0, True],
)  # fmt: skip

SETTINGS: tuple[dict[str, Any], ...] = (
    {"width": 0}, {"width": -64}, {"width": 64.0}, {"width": "64"}, {"width": None}, {"width": True}, {"width": 65},
    {"width": MOST["width"] + 1}, {"width": 10**9}, {"gamma": "x"}, {"gamma": [0.9]}, {"rate": None},
)  # fmt: skip

LENGTHS = (0, 1, 7, 8, 9, 100, 1_000, -1_000, -4, -1)


def _write(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(1 << 40)  # a hole takes no room on the disk


def _header(header: bytes, claimed: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if claimed is None else claimed) + header


TERABYTES = json.dumps({"actor.second": {"dtype": "F32", "shape": [1 << 20, 1 << 20], "data_offsets": [0, 1 << 42]}})
MANY = json.dumps({"actor.second": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 0]}})
ODD = json.dumps({"actor.second": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}})

NO_ARRAYS: dict[str, bytes] = {
    "text": b"these are not weights",
    "json": b'{"a": 1}',
    "zip": b"PK\x03\x04" + bytes(200),
    "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "zeros": bytes(4_000),
    "ones": b"\xff" * 4_000,
    "a header of exabytes": _header(b"{}", 1 << 63),
    "a header of megabytes": _header(b"{}", 1 << 24),
    "arrays of terabytes": _header(TERABYTES.encode()),
    "arrays beyond any machine": _header(MANY.encode()),
    "an odd type": _header(ODD.encode()) + bytes(4),
    "no arrays": save({}),
    "a deep header": _header(b"[" * 10_000),
}

NO_META: dict[str, bytes] = {
    "empty": b"", "a word": b"weights", "cut off": b'{"format":', "a list": b"[]", "a number": b"7", "null": b"null",
    "deep": b"[" * 100_000, "not UTF-8": b'{"format": "\xff"}', "long number": b'{"steps": ' + b"9" * 5_000 + b"}",
}  # fmt: skip

SPECIAL: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": lambda path: os.mkfifo(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path),
    "nothing": lambda path: None,
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "a hole of a terabyte": _huge,
}


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda found: found.pop(name)


def renamed(name: str) -> Callable[[Arrays], object]:
    return lambda found: found.update({f"{name} ": found.pop(name)})


def with_settings(**settings: Any) -> Callable[[dict[str, Any]], object]:
    return lambda meta: meta["settings"].update(settings)


def cut_at(length: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def with_tail(tail: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes() + tail)


def copy_of(source: Path) -> Callable[[Path], object]:
    return lambda path: shutil.copyfile(source, path)


def set_to(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda meta: meta.__setitem__(name, value)


def damages(kind: str) -> Iterator[tuple[str, Damage]]:
    """Damages that must be refused."""
    arrays = load((SHIPPED / kind / checkpoint.ARRAYS).read_bytes())
    for name in arrays:
        for what, change in OF_EACH_ARRAY.items():
            yield f"{name}: {what}", of_arrays(put(name, change))
        yield f"{name}: missing", of_arrays(without(name))
        yield f"{name}: renamed", of_arrays(renamed(name))
        yield f"{name}: changed a little", of_arrays(put(name, one(0.25)), sealed=False)
    for number in (0.0, 1e-9, -1.0):
        yield f"a deviation of {number}", of_arrays(put("scaler.sd", one(number)))
    yield "an array more", of_arrays(lambda found: found.update(extra=np.zeros(3, np.float32)))
    yield "an empty array more", of_arrays(lambda found: found.update({"": np.zeros(0, np.float32)}))
    for name in META_FIELDS:
        yield f"no {name}", of_meta(without(name))
        for value in WRONG:
            yield f"{name} = {str(value)[:20]}", of_meta(set_to(name, value))
    for grid in GRIDS:
        yield f"grid {grid}", of_meta(set_to("grid", grid))
    for settings in SETTINGS:
        yield f"settings {settings}", of_meta(with_settings(**settings))
    yield "no width", of_meta(lambda meta: meta["settings"].pop("width"))
    if kind not in ("ppo", "dqn"):
        yield "no steps of diffusion", of_meta(lambda meta: meta["settings"].pop("steps_of_diffusion"))
        for steps in (0, -1, MOST["steps_of_diffusion"] + 1, 10**9, 5.0):
            yield f"{steps} steps", of_meta(with_settings(steps_of_diffusion=steps))
        yield "a step fewer", of_meta(with_settings(steps_of_diffusion=4), sealed=False)
    for name, value in (("information", "masked"), ("steps", 5), ("more", 1)):
        yield f"{name} changed", of_meta(set_to(name, value), sealed=False)
    for value in ("", "0" * 64, None, 7, []):
        yield f"hash {value}", of_meta(set_to("sha256", value), sealed=False)
    yield "no hash", of_meta(without("sha256"), sealed=False)
    for length in LENGTHS:
        yield f"arrays cut at {length}", of_file(checkpoint.ARRAYS, cut_at(length))
        yield f"JSON cut at {length}", of_file(checkpoint.META, cut_at(length - (length < 0)))  # a line break ends it
    for name, tail in ((checkpoint.ARRAYS, b"\0"), (checkpoint.ARRAYS, bytes(5_000)), (checkpoint.META, b"{}")):
        yield f"{name} and {len(tail)} bytes more", of_file(name, with_tail(tail))
    for what, data in NO_ARRAYS.items():
        yield f"arrays: {what}", instead(checkpoint.ARRAYS, _write(data))
    for what, data in NO_META.items():
        yield f"JSON: {what}", instead(checkpoint.META, _write(data))
    for what, make in SPECIAL.items():
        for name in (checkpoint.ARRAYS, checkpoint.META):
            yield f"{name}: {what}", instead(name, make)
    for other in set(KINDS) - {kind}:
        for name in (checkpoint.ARRAYS, checkpoint.META):
            yield f"{name} of {other}", of_file(name, copy_of(SHIPPED / other / name))


@pytest.mark.parametrize("kind", KINDS)
def test_every_damage_is_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    messages: dict[str, str] = {}
    for number, (what, damage) in enumerate(damages(kind)):
        folder = tmp_path / str(number)
        shutil.copytree(SHIPPED / kind, folder)
        damage(folder)
        try:
            messages[what] = f"priced: {prices(kind, folder)[:3]}"
        except InputError as error:
            messages[what] = str(error).removeprefix(f"policy '{kind}:weights={folder}': {folder}")
    assert len(messages) > 300
    assert {what: message for what, message in messages.items() if not message.startswith((": ", "/"))} == {}
    assert max(map(len, messages.values())) <= LONGEST_MESSAGE
    assert not [what for what, message in messages.items() if "\n" in message or "Error: <" in message]


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_refused_or_changes_nothing(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    shutil.copytree(SHIPPED / kind, folder)
    right, draws, refused = prices(kind, folder), np.random.default_rng(0), 0
    for name in (checkpoint.ARRAYS, checkpoint.META):
        whole = (folder / name).read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            data[draws.integers(len(data))] ^= 1 << int(draws.integers(8))
            (folder / name).write_bytes(data)
            try:
                assert prices(kind, folder) == right
            except InputError:
                refused += 1
        (folder / name).write_bytes(whole)
    assert refused > 250, "white space between the words of the JSON may change"


def test_what_is_harmless_prices_as_before(tmp_path: Path) -> None:
    right = prices("sac", SHIPPED / "sac")
    harmless: list[Damage] = [
        of_meta(lambda meta: None),  # written on one line
        of_meta(set_to("note", {"by": ["me"]})),
        of_meta(set_to("steps", 5)),
        of_file(checkpoint.META, lambda path: path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))),
        of_file(checkpoint.META, lambda path: path.write_bytes(path.read_bytes() + b"\n\n")),
        of_file("thesis.txt", lambda path: path.write_text("mine")),
    ]
    for number, change in enumerate(harmless):
        folder = tmp_path / str(number)
        shutil.copytree(SHIPPED / "sac", folder)
        change(folder)
        assert prices("sac", folder) == right, number


def test_the_hash_is_that_of_both_files(tmp_path: Path) -> None:
    hashes = set()
    changes = (
        of_meta(lambda meta: None), of_meta(set_to("information", "masked")), of_arrays(put("scaler.mean", one(0.25)))
    )  # fmt: skip
    for number, change in enumerate(changes):
        folder = tmp_path / str(number)
        shutil.copytree(SHIPPED / "ppo", folder)
        change(folder)
        overrides = fields({"market.contract_rounds": 100})
        run = simulate("paper", f"ppo:weights={folder}", duration=3, **overrides).run
        assert run["weights_sha256"] == json.loads((folder / checkpoint.META).read_text())["sha256"]
        hashes.add(run["weights_sha256"])
    assert len(hashes) == len(changes)


def test_a_network_that_overflows_gives_no_price(tmp_path: Path) -> None:
    """Weights that are large, but not too large each, and an observation that drives them beyond float32."""
    folder = tmp_path / "w"
    shutil.copytree(SHIPPED / "diffusion", folder)

    def enlarge(arrays: Arrays) -> None:
        for name in arrays:
            if name.startswith("actor."):
                arrays[name] = np.copysign(np.float32(LARGEST), arrays[name])

    of_arrays(enlarge)(folder)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="no probability"):
        prices("diffusion", folder)


def test_shipped_weights_are_sealed() -> None:
    for kind in KINDS:
        meta = json.loads((SHIPPED / kind / checkpoint.META).read_text())
        assert meta["sha256"] == checkpoint.seal(meta, (SHIPPED / kind / checkpoint.ARRAYS).read_bytes())


def test_all_weights_together_are_small() -> None:
    """3 MB are shipped, and 10 MB with those that the results of the site are made from."""

    def megabytes(folder: Path) -> float:
        return sum(file.stat().st_size for file in folder.rglob("*.safetensors")) / 1e6

    assert 0.5 < megabytes(SHIPPED) + megabytes(OF_MECHANISMS) <= 3.0
    kept = megabytes(Path(__file__).parents[2] / "docs" / "learning")
    assert megabytes(SHIPPED) + megabytes(OF_MECHANISMS) + kept <= 10.0
