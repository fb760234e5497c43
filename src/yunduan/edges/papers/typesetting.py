"""Text on paper: what of a text can be shown, how wide it is, where its lines end, and how it is drawn."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec import Struct
from reportlab.graphics.barcode.code128 import Code128
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

FOLDER = Path(__file__).parent / "fonts"
MM = 72 / 25.4
HAN, LATIN, LATIN_BOLD = "han", "latin", "latin-bold"
LOST = "\ufffd"
"""Stands where a character has no form in these fonts."""
TEXT_MAX = 2000
"""How much of a text is looked at: more than fits on a paper."""
_NO_BEGIN = frozenset("，。、；：？！）》」』】”’…·,.;:?!)]}%")
"""What no line begins with."""
_TOKENS = re.compile(r"[\u2e80-\uffef]|[^\s\u2e80-\uffef]+|\s+")
_BETWEEN = range(0x2010, 0x2028)
"""Dashes and quotes, which Chinese and Latin have in common: they look like what stands before them."""


class Fonts(Struct, frozen=True):
    """How wide each character of a font is, in thousandths of its size."""

    han: dict[int, int]
    latin: dict[int, int]
    latin_bold: dict[int, int]

    def widths(self, name: str) -> dict[int, int]:
        """Those of one font."""
        return {HAN: self.han, LATIN: self.latin, LATIN_BOLD: self.latin_bold}[name]


@cache
def fonts() -> Fonts:
    """The fonts, made known to the library once."""
    for name in (HAN, LATIN, LATIN_BOLD):
        pdfmetrics.registerFont(TTFont(name, FOLDER / f"{name}.ttf"))
    widths = [pdfmetrics.getFont(name).face.charWidths for name in (HAN, LATIN, LATIN_BOLD)]
    return Fonts(*widths)


def shown(text: str) -> str:
    """A text as it can be printed in one line: what has no form is marked, what steers others (marks of direction, joiners) is left out."""
    known = fonts()
    return " ".join("".join(_shown(char, known) for char in unicodedata.normalize("NFC", text[:TEXT_MAX])).split())


def _shown(char: str, known: Fonts) -> str:
    kind = unicodedata.category(char)
    if kind[0] == "Z" or kind == "Cc":
        return " "
    if kind == "Cf":
        return ""
    if ord(char) in known.latin or ord(char) in known.han:
        return char
    return "" if kind in {"Mn", "Me"} else LOST


def runs(text: str, *, bold: bool = False) -> Iterator[tuple[str, str]]:
    """A text that can be shown, cut where the font changes: the font and the piece."""
    latin, before = fonts().latin, LATIN_BOLD if bold else LATIN
    marked = []
    for char in text:
        if ord(char) not in _BETWEEN or ord(char) not in fonts().han:
            before = (LATIN_BOLD if bold else LATIN) if ord(char) in latin else HAN
        marked.append((before, char))
    for font, piece in groupby(marked, key=lambda pair: pair[0]):
        yield font, "".join(char for _, char in piece)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is that can be shown, or a little wider: of a dash or a quote the wider form is taken."""
    return sum([_advance(char, bold) for char in text]) * size / 1000


@cache
def _advance(char: str, bold: bool) -> int:
    known = fonts()
    latin, han = (known.latin_bold if bold else known.latin).get(ord(char)), known.han.get(ord(char), 1000)
    return han if latin is None else max(latin, han) if ord(char) in _BETWEEN else latin


def wrapped(text: str, size: float, room: float, *, lines: int, bold: bool = False) -> list[str]:
    """The lines of a text in so much room, at most so many: what does not fit ends in `…`."""
    found, line, used = list[str](), "", 0.0
    for token in _TOKENS.findall(shown(text)):
        for part in _parts(token, size, room, bold=bold):
            wide = width(part, size, bold=bold)
            if used + wide <= room:
                line, used = line + part, used + wide
                continue
            kept = line[-1:] if part[0] in _NO_BEGIN and len(line) > 1 else ""
            found.append(line.removesuffix(kept).rstrip())
            line = kept + part.lstrip()
            used = width(line, size, bold=bold)
        if len(found) >= lines:
            break
    found.append(line.rstrip())
    return found if len(found) <= lines else [*found[: lines - 1], _cut(found[lines - 1] + "…", size, room, bold=bold)]


def _parts(token: str, size: float, room: float, *, bold: bool) -> Iterator[str]:
    """A word, or pieces of it where it is wider than a line."""
    part, used = "", 0.0
    for char in token:
        wide = width(char, size, bold=bold)
        if part and used + wide > room:
            yield part
            part, used = "", 0.0
        part, used = part + char, used + wide
    yield part


def _cut(text: str, size: float, room: float, *, bold: bool) -> str:
    while len(text) > 1 and width(text, size, bold=bold) > room:
        text = text[:-2] + "…"
    return text


class Document:
    """A PDF that is being drawn, page by page; lengths in millimetres, from the top left corner."""

    def __init__(self, page_mm: tuple[float, float], *, title: str, language: str) -> None:
        """Without a page yet."""
        fonts()
        self._wide, self._high = page_mm
        self._out = BytesIO()
        page = self._wide * MM, self._high * MM
        self._canvas: Any = Canvas(self._out, pagesize=page, invariant=1, pageCompression=1, initialFontName=LATIN, lang=language)
        self._canvas.setTitle(title)
        self._canvas.setCreator("Yunduan")
        self.boxed = self.is_cut = False
        """Whether a character on this page could not be shown, and whether a block did not fit."""

    def end_page(self) -> None:
        """Begin the next."""
        self._canvas.showPage()
        self.boxed = self.is_cut = False

    def finished(self) -> bytes:
        """The whole."""
        self._canvas.save()
        return self._out.getvalue()

    def text(self, x: float, y: float, text: str, size: float, *, bold: bool = False, to: str = "left", grey: float = 0) -> None:
        """One line whose foot is at `y`; `x` is its left end, its right one or its middle. What is drawn has been `shown`."""
        self.boxed = self.boxed or LOST in text
        long = width(text, size, bold=bold)
        begin = x * MM - {"left": 0, "right": long, "middle": long / 2}[to]
        drawn = self._canvas.beginText(begin, (self._high - y) * MM)
        drawn.setFillGray(grey)
        drawn.setStrokeGray(grey)
        for font, piece in runs(text, bold=bold):
            drawn.setFont(font, size)
            if bold and font == HAN:  # there is no bold one: its outline is drawn as well
                self._canvas.setLineWidth(size * 0.035)
            drawn.setTextRenderMode(2 if bold and font == HAN else 0)
            drawn.textOut(piece)
        drawn.setTextRenderMode(0)
        self._canvas.drawText(drawn)

    def fitted(
        self, x: float, y: float, text: str, size: float, room: float, *, least: float, bold: bool = False, to: str = "left"
    ) -> None:
        """One line in so much room: smaller where it has to be, cut where that is not enough."""
        text = shown(text)
        size = max(least, min(size, 0.999 * size * room * MM / max(1.0, width(text, size, bold=bold))))
        self.text(x, y, _cut(text, size, room * MM, bold=bold), size, bold=bold, to=to)

    def block(self, x: float, y: float, text: str, room: tuple[float, float], sizes: tuple[float, ...], *, bold: bool = False) -> float:
        """Lines from `y` down, in the largest size in which all of them fit; answers where the last one ends."""
        wide, high = room
        for size in sizes:
            step = size * 1.3 / MM
            lines = wrapped(text, size, wide * MM, lines=max(1, int(high / step)), bold=bold)
            if not lines[-1].endswith("…"):
                break
        self.is_cut = self.is_cut or lines[-1].endswith("…")
        for place, line in enumerate(lines, 1):
            self.text(x, y + place * step - size * 0.35 / MM, line, size, bold=bold)
        return y + len(lines) * step

    def rule(self, x: float, y: float, to_x: float, to_y: float, *, points: float = 0.6, grey: float = 0) -> None:
        """A straight line."""
        self._canvas.setStrokeGray(grey)
        self._canvas.setLineWidth(points)
        self._canvas.line(x * MM, (self._high - y) * MM, to_x * MM, (self._high - to_y) * MM)

    def frame(self, x: float, y: float, wide: float, high: float, *, points: float = 0.6, grey: float = 0) -> None:
        """A rectangle."""
        self._canvas.setStrokeGray(grey)
        self._canvas.setLineWidth(points)
        self._canvas.rect(x * MM, (self._high - y - high) * MM, wide * MM, high * MM)

    def filled(self, x: float, y: float, wide: float, high: float, *, grey: float = 0) -> None:
        """A rectangle full of ink."""
        self._canvas.setFillGray(grey)
        self._canvas.rect(x * MM, (self._high - y - high) * MM, wide * MM, high * MM, stroke=0, fill=1)

    def bars(self, x: float, y: float, text: str, room: tuple[float, float], *, dot: float, to: str = "middle") -> None:
        """Code 128 of a text, within so much room, quiet zones included.

        A module is a whole number of a label printer's dots (1/8 mm at 203 dpi) where there is room for two of them, `dot` at most.
        """
        wide, high = room
        modules = Code128(text, barWidth=1, quiet=0).width + 20
        fits = wide / modules
        module = min(dot, int(fits * 8) / 8) if fits >= 0.25 else fits
        code = Code128(text, barWidth=module * MM, barHeight=high * MM, quiet=0)
        begin = {"left": x + 10 * module, "right": x - 10 * module - code.width / MM, "middle": x - code.width / MM / 2}[to]
        self._canvas.setFillGray(0)
        code.drawOn(self._canvas, begin * MM, (self._high - y - high) * MM)
