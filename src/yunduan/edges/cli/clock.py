"""`yunduan confirm-clock`: the time, looked at by somebody."""

import time

from yunduan.edges.cli.screen import console
from yunduan.edges.cli.ways import DataFolder, moment, settings_of, with_operator
from yunduan.runtime.timekeeping import ConfirmClock


def confirm_clock(data: DataFolder = None) -> None:
    """Say that the machine's clock is right, so that alarms ring again; prints the time that was confirmed."""
    said = with_operator(settings_of(data), lambda operator: operator.send(ConfirmClock(wall_ms=time.time_ns() // 1_000_000)))
    console.print(
        f"{moment(said.wall_ms)} is right: {f'it was in doubt, because {said.doubted.why}' if said.doubted else 'nobody doubted it'}"
    )
    if said.books_ahead_ms:
        console.print(f"the books are {said.books_ahead_ms / 1000:,.0f} s ahead of it: in them time stands still until then")
