"""The packing slip: A5, as many pages as its lines need."""

from collections.abc import Sequence

from msgspec import Struct

from yunduan.domains.identity.model import Postal
from yunduan.domains.orders.papers import PackingSlip, PackingSlips, SlipLine
from yunduan.edges.papers.typesetting import MM, Document, wrapped
from yunduan.edges.papers.waybill import address, phone
from yunduan.edges.papers.wording import in_fours, word

PAGE_MM = (148.0, 210.0)
LEFT, RIGHT = 9.0, 139.0
GOODS, QUANTITY, CHECK = 39.0, 127.0, 133.5
"""Where the columns begin, and where the quantity ends."""
FIRST_TOP, NEXT_TOP, BOTTOM = 51.0, 29.0, 197.0
"""Where the lines of the first page and of those after it begin, and where every page ends."""
TITLE, SMALL = 9.5, 7.5
NOTE_LINES_MAX = 8


class _Row(Struct, frozen=True):
    line: SlipLine
    title: list[str]
    options: list[str]
    note: list[str]

    @property
    def high(self) -> float:
        """How much of the page it takes."""
        return 2.4 + len(self.title) * 4.2 + (len(self.options) + len(self.note)) * 3.5


def packing_slips(asked: PackingSlips) -> bytes:
    """All of them, one after the other; each begins on a page of its own."""
    language = asked.language.value
    document = Document(PAGE_MM, title=word("packing_slips", language), language=language)
    for slip in asked.items:
        _slip(document, slip, language)
    return document.finished()


def _slip(document: Document, slip: PackingSlip, language: str) -> None:
    rows = [_row(line, language) for line in slip.lines]
    foot = _Foot(slip, language)
    pages = _pages(rows, foot.high)
    for place, some in enumerate(pages, 1):
        top = _head(document, slip, language) if place == 1 else _head_again(document, slip, language)
        y = _columns(document, top, language)
        for row in some:
            y = _line(document, row, y)
        if place == len(pages):
            foot.draw(document, y)
        said = word("page", language, page=place, pages=len(pages))
        document.text(RIGHT, 203, said, SMALL, to="right", grey=0.35)
        if document.boxed:
            document.text(LEFT, 203, word("boxed", language), SMALL)
        document.end_page()


def _row(line: SlipLine, language: str) -> _Row:
    room = (QUANTITY - 10 - GOODS) * MM
    return _Row(
        line,
        wrapped(line.title, TITLE, room, lines=2, bold=True),
        wrapped(line.options, SMALL, room, lines=2) if line.options else [],
        wrapped(word("line_note", language, note=line.note), SMALL, room, lines=3) if line.note else [],
    )


def _pages(rows: Sequence[_Row], foot: float) -> list[list[_Row]]:
    """Which lines stand on which page; what follows them stands on the last one."""
    pages: list[list[_Row]] = [[]]
    left = BOTTOM - FIRST_TOP
    for row in rows:
        if row.high > left:
            pages.append([])
            left = BOTTOM - NEXT_TOP
        pages[-1].append(row)
        left -= row.high
    if foot > left:
        pages.append([])
    return pages


def _head(document: Document, slip: PackingSlip, language: str) -> float:
    document.fitted(LEFT, 17, slip.shop, 17, 84, least=9, bold=True)
    document.text(RIGHT, 17, word("packing_slip", language), 15, to="right", grey=0.25)
    document.rule(LEFT, 20.5, RIGHT, 20.5, points=1.4)
    document.text(LEFT, 26, word("order", language), SMALL, grey=0.35)
    document.text(LEFT, 32.6, in_fours(slip.number), 16, bold=True)
    document.bars(RIGHT, 23.5, slip.number, (60, 12), dot=0.375, to="right")
    dates = [f"{word('placed', language)} {slip.placed_on}"]
    if slip.shipped_on:
        dates.append(f"{word('shipped', language)} {slip.shipped_on}")
    document.text(LEFT, 40.5, "   ".join(dates), 8.5)
    document.fitted(RIGHT, 40.5, _parcel(slip, language), 8.5, 70, least=6, bold=True, to="right")
    return 44


def _parcel(slip: PackingSlip, language: str) -> str:
    if not slip.parcel:
        return word("unsent", language)
    return f"{word('one_parcel', language, parcel=slip.parcel)}   {slip.carrier} {slip.tracking}".rstrip()


def _head_again(document: Document, slip: PackingSlip, language: str) -> float:
    document.text(LEFT, 16, f"{word('packing_slip', language)}  {in_fours(slip.number)}", 11, bold=True)
    document.fitted(RIGHT, 16, _parcel(slip, language), 8.5, 60, least=6, bold=True, to="right")
    document.rule(LEFT, 19, RIGHT, 19, points=1.4)
    return 22


def _columns(document: Document, y: float, language: str) -> float:
    document.filled(LEFT, y, RIGHT - LEFT, 6, grey=0.92)
    for x, name, to in ((LEFT + 2, "sku", "left"), (GOODS, "goods", "left"), (QUANTITY, "quantity", "right")):
        document.text(x, y + 4.2, word(name, language), SMALL, to=to, grey=0.2)
    return y + 7


def _line(document: Document, row: _Row, y: float) -> float:
    document.fitted(LEFT + 2, y + 4.2, row.line.sku, 8.5, GOODS - LEFT - 5, least=5.5)
    document.text(QUANTITY, y + 4.6, str(row.line.quantity), 12, bold=True, to="right")
    document.frame(CHECK, y + 1.1, 4, 4)
    foot = y
    for line in row.title:
        foot += 4.2
        document.text(GOODS, foot, line, TITLE, bold=True)
    for line, grey in [*((line, 0.3) for line in row.options), *((line, 0.0) for line in row.note)]:
        foot += 3.5
        document.text(GOODS, foot, line, SMALL, grey=grey)
    document.rule(LEFT, y + row.high - 0.6, RIGHT, y + row.high - 0.6, points=0.3, grey=0.6)
    return y + row.high


def _sender(slip: PackingSlip, sender: Postal, language: str) -> str:
    """Who has sent it: whom a question, or the goods, go to."""
    name = slip.shop if sender.recipient == slip.shop else f"{slip.shop} {sender.recipient}"
    return word("sender", language, who=name, phone=phone(sender, home=sender.country), address=address(sender, home=sender.country))


class _Foot:
    """What follows the lines: the sum, what the buyer says, how to give something back."""

    def __init__(self, slip: PackingSlip, language: str) -> None:
        """Laid out, so that it is known how much room it takes."""
        room = (RIGHT - LEFT - 8) * MM
        self._language = language
        self._sum = word("all", language, lines=len(slip.lines), pieces=slip.pieces)
        self._elsewhere = word("elsewhere", language, pieces=slip.elsewhere) if slip.elsewhere else ""
        self._note = wrapped(slip.note, TITLE, room, lines=NOTE_LINES_MAX) if slip.note else []
        hint = word("return_hint" if slip.return_days else "no_return_hint", language, days=slip.return_days)
        self._hint = wrapped(hint, 8, room, lines=4)
        if slip.sender is not None:
            self._hint += wrapped(_sender(slip, slip.sender, language), 8, room, lines=3)
        self.high = 9 + (self._note_high + 3 if self._note else 0) + self._hint_high

    @property
    def _note_high(self) -> float:
        return 7.5 + len(self._note) * 4.4

    @property
    def _hint_high(self) -> float:
        return 7.5 + len(self._hint) * 3.8

    def draw(self, document: Document, y: float) -> None:
        """From `y` down; the hint stands at the foot of the page."""
        document.text(QUANTITY, y + 5, self._sum, TITLE, bold=True, to="right")
        if self._elsewhere:
            document.text(LEFT + 2, y + 5, self._elsewhere, 8.5)
        if self._note:
            y += 9
            document.frame(LEFT, y, RIGHT - LEFT, self._note_high, points=1)
            document.text(LEFT + 4, y + 4.8, word("note", self._language), SMALL, bold=True)
            for place, line in enumerate(self._note, 1):
                document.text(LEFT + 4, y + 5.2 + place * 4.4, line, TITLE)
        top = BOTTOM - self._hint_high
        document.filled(LEFT, top, RIGHT - LEFT, self._hint_high, grey=0.95)
        document.text(LEFT + 4, top + 4.8, word("return", self._language), SMALL, bold=True)
        for place, line in enumerate(self._hint, 1):
            document.text(LEFT + 4, top + 5.2 + place * 3.8, line, 8)
