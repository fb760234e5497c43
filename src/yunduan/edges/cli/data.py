"""A look at the health of everything."""

import typer

from yunduan.edges.cli.screen import BAD, GOOD, console, watched
from yunduan.edges.cli.ways import DataFolder, settings_of
from yunduan.edges.doctor import Finding, examine


def doctor(data: DataFolder = None) -> None:
    """Look at everything that can be wrong and say what to do about it; changes nothing, and may run beside a server."""
    settings = settings_of(data)
    with watched("looking at everything"):
        findings = examine(settings)
    for finding in findings:
        _print(finding)
    bad = sum(finding.is_bad for finding in findings)
    console.print(f"{bad} of {len(findings)} findings want something done" if bad else "all is well")
    if bad:
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    console.print(BAD if finding.is_bad else GOOD, f"{finding.what}: {finding.found}")
    if finding.is_bad and finding.advice:
        console.print(f"    {finding.advice}", style="yellow")
