"""What reaches a terminal."""

import pytest
from rich.table import Table
from rich.text import Text

from yunduan.edges.cli.screen import Screen, printable

HOSTILE = "\x1b[31m茶\n\x9b2J\u202eab\u2028[/]:tea:"
SHOWN = "\\x1b[31m茶\\n\\x9b2J\\u202eab\\u2028[/]:tea:"


@pytest.mark.parametrize("text", ["", "茶庄 [/] :tea: \\", "全角\u3000空白", "café", "🍵"])
def test_what_shows_is_left_as_it_is(text: str) -> None:
    """Whatever its script."""
    assert printable(text) == text


def test_what_a_terminal_would_obey_is_shown_as_its_escape() -> None:
    """Escape sequences in both forms, line ends, turned writing, and bytes that are no text."""
    assert printable(HOSTILE) == SHOWN
    assert printable("\udcff\r\t\x7f") == "\\udcff\\r\\t\\x7f"


def test_lines_and_tables_show_data_as_they_are() -> None:
    """Neither a line nor a cell lets markup or a control through; what the program itself styles is beside them."""
    screen = Screen()
    table = Table("name", box=None)
    table.add_row(HOSTILE)
    with screen.capture() as line:
        screen.print(Text("✗", style="bold red"), HOSTILE)
    with screen.capture() as cell:
        screen.print(table)
    assert line.get() == f"✗ {SHOWN}\n"
    assert [row.strip() for row in cell.get().splitlines()] == ["name", SHOWN]
