"""Commands and Python in processes of their own that need not import everything first.

One server process per worker of the tests imports what commands use. It forks a child per command or piece of code.
A child has its own streams, working directory and environment, as a new process has. What a real process adds, at its
start and at its end, is in `tests.test_streams`.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parent.parent

USED = (
    "matplotlib.figure",
    "scipy.stats",
    "statsmodels.stats.multitest",
    "simulator.cli.app",
    "simulator.study.arena",
    "simulator.study.audit",
    "simulator.study.compare",
    "simulator.study.train",
    "simulator.view.export",
    "simulator.view.figures",
    "simulator.view.report.write",
)
"""Modules that the server imports; with the extra `learn` it imports `policies.sac` too."""

MOST_S = 180.0
"""Longest time that a child may take, s."""


def dmsb(arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command `dmsb` in a forked process.

    Args:
        arguments: its arguments.
        cwd: its working directory.
        env: its environment. Warnings are errors, but for a `UserWarning`, which is printed.

    Returns:
        Its exit code and what it printed.
    """
    return _answer({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)})


def python(code: str, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python code in a forked process.

    Args:
        code: the code.
        cwd: its working directory.
        env: its environment. Warnings are errors, but for a `UserWarning`, which is printed.

    Returns:
        Its exit code and what it printed.
    """
    return _answer({"code": code, "cwd": str(cwd), "env": dict(env)})


def import_what_is_used() -> None:
    """Import what commands use, before children are forked."""
    for name in (*USED, *(("policies.sac",) if importlib.util.find_spec("torch") else ())):
        importlib.import_module(name)
    # The collector of a child would write to every object, and so copy the memory of the server.
    gc.freeze()


def run_command(arguments: Sequence[str]) -> int:
    """Run the command `dmsb` in this process and return its exit code."""
    from simulator.cli.app import main

    sys.argv = ["dmsb", *arguments]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@functools.cache
def _server() -> subprocess.Popen[str]:
    # As threads of the parent would be lost in a child, the libraries may have none.
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    env |= {"NO_COLOR": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error,default::UserWarning"}
    # The server ends when its standard input does.
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.forked"],
        cwd=ROOT, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    # That closes its streams and waits for it.
    atexit.register(server.__exit__, None, None, None)
    return server


def _answer(asked: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(asked) + "\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    what = str(asked.get("arguments", asked.get("code")))
    return subprocess.CompletedProcess(what, answer["code"], answer["stdout"], answer["stderr"])


def _serve() -> None:
    """Answer every line of standard input, which is a question in JSON, with a line of JSON."""
    import_what_is_used()
    for line in sys.stdin:
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            child = os.fork()
            if child == 0:
                _child(json.loads(line), stdout, stderr)
            code = _wait(child)
            said = []
            for stream in (stdout, stderr):
                stream.seek(0)
                said.append(stream.read().decode())
        print(json.dumps({"code": code, "stdout": said[0], "stderr": said[1]}), flush=True)


def _wait(child: int) -> int:
    """Return the exit code of a child, which is ended if it takes too long."""
    begin = time.monotonic()
    while time.monotonic() - begin < MOST_S:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _child(asked: dict[str, Any], stdout: IO[bytes], stderr: IO[bytes]) -> None:
    """Do what is asked in this forked process; never returns."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout.fileno(), 1)
        os.dup2(stderr.fileno(), 2)
        sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["env"])
        # `python -m` and `python -c` begin their path with the working directory.
        sys.path[0] = asked["cwd"]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        if "code" in asked:
            exec(compile(asked["code"], "<string>", "exec"), main.__dict__)
            code = 0
        else:
            code = run_command(asked["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        code = 1
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
