"""What a command says: data as they are, and nothing in them that a terminal would obey."""

import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls, formats (those that turn the direction of writing among them), halves of pairs and line ends."""
Watch = Callable[[int, int], None]
"""Is told now and then how much is done, and of how much."""
GOOD, BAD = Text("✓", style="green"), Text("✗", style="bold red")


def printable(text: str) -> str:
    """The text, with each character that a terminal would obey instead of showing it as its escape."""
    return "".join(sign.encode("unicode_escape").decode("ascii") if unicodedata.category(sign) in _NOT_SHOWN else sign for sign in text)


class Screen(Console):
    """Takes every `str` for data: no markup and no emoji code is read in it, it keeps to its line, and it is made printable.

    What shall be styled is a `Text`, or has the `style` of its `print`.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        """On the standard output, or the standard error."""
        super().__init__(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every text of a line and of a table's cells comes by here."""
        return super().render_str(printable(text), **options)


console = Screen()
errors = Screen(stderr=True)


@contextmanager
def watched(what: str) -> Iterator[Watch]:
    """A bar on the standard error for as long as something takes: only where somebody looks, and gone afterwards."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bar = progress.add_task(printable(what), total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def progress() -> Progress:
    """Bars for what takes minutes, one for each kind of thing, that stay; `at` says beside each where it is."""
    return Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[at]}"),
        console=console,
    )
