"""Makes PDFs beside the loop: one at a time, since each takes the interpreter for milliseconds a page, and few that wait."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from yunduan.domains.orders.papers import PackingSlips, Waybills
from yunduan.kernel.refusals import BusyError

PDF = b"application/pdf"
WAITING_MAX = 16
"""How many documents are made or wait to be made; whoever comes then is told to come again."""
PRINTED = (Waybills, PackingSlips)
"""The answers that can be printed."""


def printed(answer: Any) -> bytes:
    """A query's answer as a PDF. The library and the fonts, 25 MiB in memory, are loaded by whoever prints first."""
    from yunduan.edges.papers.slip import packing_slips  # noqa: PLC0415 - as said
    from yunduan.edges.papers.waybill import waybills  # noqa: PLC0415 - as said

    return waybills(answer) if type(answer) is Waybills else packing_slips(answer)


class Press:
    """Prints in a thread of its own."""

    def __init__(self) -> None:
        """The thread begins with the first document."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="press")
        self._waiting = 0

    async def print(self, answer: Any) -> bytes:
        """Make a PDF of an answer; raises `BusyError` when too many wait."""
        if self._waiting >= WAITING_MAX:
            raise BusyError("too many documents wait to be printed")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, printed, answer)
        finally:
            self._waiting -= 1
