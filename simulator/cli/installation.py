"""The command that checks an installation."""

from __future__ import annotations

import typer

from simulator.cli.terminal import bar, print_rows, printable


def doctor() -> None:
    """Check this installation against reference results.

    Makes small runs. Exits with 1 if a figure differs from its reference by more
    than 3 standard deviations between worlds, or if tables differ on the machine
    of the reference. Times are not compared.
    """
    from simulator.study.doctor import CHECKS, doctor as check_installation, extras, machine
    from simulator.view.report.write import page

    about = machine()
    print(printable(f"dmsb {about['dmsb']}, Python {about['python']}, numpy {about['numpy']}, {about['processor']}"))  # noqa: T201
    for package, found, extra in extras():
        print(f"{package}: {found or f'not installed (dmsb[{extra}])'}")  # noqa: T201
    print()  # noqa: T201
    with bar("checks", len(CHECKS)) as step:
        findings = check_installation(show=page, progress=lambda done: step(float(done)))
    print_rows(("check", "verdict", "compared with the reference"), [tuple(finding) for finding in findings])
    wrong = sum(finding.verdict == "differs" for finding in findings)
    exact = sum(finding.verdict == "exact" for finding in findings)
    print()  # noqa: T201
    if wrong:
        print(f"{wrong} of {len(findings)} checks differ: this installation does not give the results of dmsb")  # noqa: T201
        raise typer.Exit(1)
    print(f"all is well: {exact} of {len(findings)} checks have the same bytes as the reference")  # noqa: T201
