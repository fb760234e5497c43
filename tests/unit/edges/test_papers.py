"""What is printed can be read: by eyes, by whoever searches the text, by a scanner; whatever stands in it, and the same each time."""

import re
import unicodedata
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from pypdf import PdfReader
from reportlab.graphics.barcode.code128 import Code128

from yunduan.domains.identity.model import Language, Postal
from yunduan.domains.orders.papers import PackingSlip, PackingSlips, SlipLine, Waybill, Waybills
from yunduan.edges.papers.printing import printed
from yunduan.edges.papers.slip import packing_slips
from yunduan.edges.papers.typesetting import LOST, TEXT_MAX, fonts, shown, width, wrapped
from yunduan.edges.papers.waybill import address, waybills
from yunduan.edges.papers.wording import WORDS
from yunduan.kernel.ids import OrderId

HOME = Postal(
    recipient="王芳",
    phone="+8613800000003",
    country="CN",
    region="浙江省",
    city="杭州市",
    district="西湖区",
    lines=("文三路 478 号华星时代广场",),
    postal_code="310012",
)
ABROAD = Postal(
    recipient="Jean-François Müller-Łukasiewicz",
    phone="+33612345678",
    country="FR",
    region="Île-de-France",
    city="Paris",
    lines=("12 bis, rue de l’Échiquier",),
    postal_code="75010",
)
BILL = Waybill(
    order_id=OrderId("ord_1"),
    number="381966011273",
    parcel=1,
    parcels=2,
    complete=True,
    carrier="顺丰速运",
    tracking="SF1234567890123",
    shipped_on="2026-11-29",
    pieces=3,
    shop="龙井茶庄",
    country="CN",
    region="浙江省",
    destination=HOME,
)
LINE = SlipLine(sku="LJ-50", title="西湖龙井 明前", options="净含量 50 g", quantity=2, note="刻“平安”二字")
SLIP = PackingSlip(
    order_id=OrderId("ord_1"),
    number="381966011273",
    parcel=1,
    carrier="SF Express",
    tracking="SF1234567890123",
    shop="龙井茶庄",
    placed_on="2026-11-28",
    shipped_on="2026-11-29",
    lines=(LINE,),
    pieces=2,
    elsewhere=1,
    note="周末不在家。",
    return_days=7,
)
HOSTILE = (
    "",
    "\x00\x07\x1b[31m\r\n\t",
    "\u202e\u200f\u2066\u200babc\ufeff",
    "😀👩‍👩‍👧🏽 عربي עברית ไทย 한국 𠮷",
    ") Tj ET\nendstream endobj << /Type /Page /Contents 1 0 R >> \\(\\ (((",
    "Z" + "\u0301\u0336" * 400,
    "<b>&amp;<img src='x'/>%PDF-1.7 %%EOF",
    "\ud800\udfff",
    "\U0010ffff\ufffe\ue000",
    "W" * 10_000,
    "长" * 10_000,
    "a " * 5_000,
    "—…“”" * 500,
)


def bills(*items: Waybill, language: Language = Language.ZH) -> bytes:
    """Waybills as PDF."""
    return waybills(Waybills(language=language, items=items))


def slips(*items: PackingSlip, language: Language = Language.ZH) -> bytes:
    """Packing slips as PDF."""
    return packing_slips(PackingSlips(language=language, items=items))


def pages(document: bytes) -> list[str]:
    """The text of each page, without its spaces and line ends."""
    return ["".join(page.extract_text().split()) for page in PdfReader(BytesIO(document)).pages]


def bars(document: bytes, page: int = 0) -> Iterator[list[tuple[float, float]]]:
    """The bars of each barcode on a page, left ends and widths in points; they alone are that thin and that high."""
    content = PdfReader(BytesIO(document)).pages[page].get_contents()
    assert content is not None
    row: list[tuple[float, float]] = []
    for x, wide, high in re.findall(rb"([\d.]+) [\d.-]+ ([\d.]+) ([\d.]+) re f", content.get_data()):
        if float(wide) > 10 or float(high) < 20:
            continue
        if row and float(x) < row[-1][0]:
            yield row
            row = []
        row.append((float(x), float(wide)))
    yield row


def decoded(row: list[tuple[float, float]]) -> str:
    """What a scanner reads: Code 128 by its own tables, the check digit seen to. Written apart from what draws it."""
    edges = [edge for x, wide in row for edge in (x, x + wide)]
    spans = [right - left for left, right in pairwise(edges)]
    module = sum(spans[:6]) / 11
    sizes = [round(span / module) for span in spans]
    assert all(abs(span - size * module) < 0.1 * module for span, size in zip(spans, sizes, strict=True))
    assert sizes[-7:] == [2, 3, 3, 1, 1, 1, 2]
    codes = [PATTERNS.index("".join(map(str, sizes[place : place + 6]))) for place in range(0, len(sizes) - 7, 6)]
    *said, check = codes
    assert (said[0] + sum(place * code for place, code in enumerate(said[1:], 1))) % 103 == check
    return "".join(_characters(said))


def _characters(codes: list[int]) -> Iterator[str]:
    mode = {104: "B", 105: "C"}[codes[0]]
    for code in codes[1:]:
        if code in (99, 100) and mode != {99: "C", 100: "B"}[code]:
            mode = {99: "C", 100: "B"}[code]
        else:
            yield f"{code:02d}" if mode == "C" else chr(code + 32)


_WIDTHS = (
    "212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222123122123221223211221132"
    "221231213212223112312131311222321122321221312212322112322211212123212321232121111323131123131321112313132113132311211313"
    "231113231311112133112331132131113123113321133121313121211331231131213113213311213131311123311321331121312113312311332111"
    "314111221411431111111224111422121124121421141122141221112214112412122114122411142112142211241211221114413111241112134111"
    "111242121142121241114212124112124211411212421112421211212141214121412121111143111341131141114113114311411113411311113141"
    "114131311141411131211412211214211232"
)
PATTERNS = [_WIDTHS[place : place + 6] for place in range(0, len(_WIDTHS), 6)]
"""ISO/IEC 15417, table 1: the widths of the bars and spaces of the values 0 to 105."""


@pytest.mark.parametrize("tracking", ["SF1234567890123", "JD0146-00003889", "1", "A" * 40, "0123456789" * 4, "a1b2c3d4-5678-90EF"])
def test_a_scanner_reads_what_is_written_under_the_bars(tracking: str) -> None:
    """The tracking number and the order's, on the waybill; the order's on the slip."""
    bill = bills(replace(BILL, tracking=tracking))
    assert [decoded(row) for row in bars(bill)] == [tracking, BILL.number]
    assert tracking in pages(bill)[0]
    assert [decoded(row) for row in bars(slips(SLIP))] == [SLIP.number]


def test_bars_are_whole_dots_of_a_label_printer() -> None:
    """An eighth of a millimetre each, or two, or four; a number that leaves no room for two is as wide as the label."""
    for tracking, module_mm in (("SF1234567890123", 0.5), ("JD0146-00003889X", 0.375), ("a1b2c3d4-5678-90EF-x0x0x0", 0.25)):
        row = next(bars(bills(replace(BILL, tracking=tracking))))
        assert min(wide for _, wide in row) == pytest.approx(module_mm * 72 / 25.4, rel=0.01), tracking
    row = next(bars(bills(replace(BILL, tracking="A" * 40))))
    assert row[-1][0] + row[-1][1] - row[0][0] < 92 * 72 / 25.4
    assert min(wide for _, wide in row) > 0.18 * 72 / 25.4


def test_a_waybill_says_all_that_is_needed_in_both_languages() -> None:
    """And is a label: 100 × 150 mm."""
    document = bills(BILL, replace(BILL, destination=ABROAD, complete=False), language=Language.EN)
    home, abroad = pages(document)
    for said in (
        "顺丰速运",
        "王芳",
        "13800000003",
        "浙江省杭州市西湖区",
        "310012浙江省杭州市西湖区文三路478号",
        "Parcel1/2",
        "381966011273",
        "Pieces3",
    ):
        assert said in home, said
    for said in ("Jean-FrançoisMüller-Łukasiewicz", "+33612345678", "FRANCE75010", "FRANCE(FR)", "浙江省,CHINA", "Parcel1"):
        assert said in abroad, said
    assert "Parcel1/2" not in abroad
    (chinese,) = pages(bills(BILL))
    assert all(word in chinese for word in ("包裹1/2", "发货2026-11-29", "收", "寄", "龙井茶庄", "件数3", "签收人"))
    box = PdfReader(BytesIO(document)).pages[0].mediabox
    assert [round(float(side) / 72 * 25.4) for side in (box.width, box.height)] == [100, 150]
    assert "西湖龙井" not in chinese


def test_a_slip_says_what_is_in_the_parcel_in_both_languages() -> None:
    """A5; the buyer's words stand in it as they were written."""
    (chinese,), (english,) = pages(slips(SLIP)), pages(slips(SLIP, language=Language.EN))
    for said in (
        "龙井茶庄",
        "装箱单",
        "381966011273",
        "LJ-50",
        "西湖龙井明前",
        "净含量50g",
        "备注：刻“平安”二字",
        "合计1项，共2件",
        "另有1件",
    ):
        assert said in chinese, said
    for said in ("Packingslip", "Note:刻“平安”二字", "1lines,2piecesinall", "1morepieces", "周末不在家。", "Within7days", "Page1of1"):
        assert said in english, said
    assert "买家留言周末不在家。" in chinese
    assert "签收后7天内" in chinese
    assert "待发货" in pages(slips(replace(SLIP, parcel=0, carrier="", tracking="", shipped_on="")))[0]
    assert "7天" not in pages(slips(replace(SLIP, return_days=0)))[0]
    box = PdfReader(BytesIO(slips(SLIP))).pages[0].mediabox
    assert [round(float(side) / 72 * 25.4) for side in (box.width, box.height)] == [148, 210]


def test_a_long_slip_goes_on_and_loses_nothing() -> None:
    """Every line once, in its order; how many pages there are stands on each; the sum and the hint on the last alone."""
    lines = tuple(replace(LINE, sku=f"SKU-{number:03d}", note="备" * number) for number in range(100))
    found = pages(slips(replace(SLIP, lines=lines, pieces=200, note="长" * 500), SLIP))
    assert re.findall(r"SKU-\d{3}", "".join(found)) == [line.sku for line in lines]
    assert [f"第{place}页，共{len(found) - 1}页" in page for place, page in enumerate(found[:-1], 1)] == [True] * (len(found) - 1)
    assert ["签收后7天内" in page for page in found] == [False] * (len(found) - 2) + [True, True]
    assert all(SLIP.number in page for page in found)


@pytest.mark.parametrize("kind", range(len(HOSTILE)))
def test_whatever_stands_in_it_is_printed_safely(kind: int) -> None:
    """A text of any kind in every field: one page a waybill, as many bars, nothing that steers, the marks where something is lost."""
    text = HOSTILE[kind]
    to = Postal(recipient=text, phone=text, country="ZZ", region=text, city=text, district=text, lines=(text,) * 4, postal_code=text)
    bill = bills(replace(BILL, carrier=text, shop=text, region=text, destination=to))
    line = SlipLine(sku=text, title=text, options=text, quantity=999, note=text)
    slip = slips(replace(SLIP, shop=text, carrier=text, tracking=text, note=text, lines=(line,)))
    assert [decoded(row) for row in bars(bill)] == [BILL.tracking, BILL.number]
    (label,), (sheet,) = pages(bill), pages(slip)
    for found in (label, sheet):
        assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co"} for char in found)
        assert (LOST in found) == (LOST in shown(text)), found
        assert ("无法印出" in found) == (LOST in shown(text)) or "未印全" in found
    assert len(bill) < 200_000
    assert len(slip) < 200_000


def test_an_address_that_does_not_fit_says_so() -> None:
    """In letters that are still letters; a carrier must not go by half of one."""
    (found,) = pages(bills(replace(BILL, destination=replace(HOME, lines=("很长的地址，" * 33,) * 4))))
    assert "…" in found
    assert "地址未印全" in found
    assert "地址未印全" not in pages(bills(BILL))[0]


def test_the_same_makes_the_same_bytes() -> None:
    """Whatever was printed in between, and no clock is in it."""
    first = [bills(BILL), slips(SLIP)]
    bills(replace(BILL, carrier="别的快递"), language=Language.EN)
    assert [bills(BILL), slips(SLIP)] == first
    assert b"2000" in first[0]  # the library's fixed date
    assert first[0] != bills(replace(BILL, pieces=4))


def test_a_document_carries_only_the_letters_that_it_shows() -> None:
    """The fonts are 2.9 MB."""
    assert len(bills(BILL)) < 40_000
    assert len(bills(*[BILL] * 100)) < 250_000


def test_the_fonts_have_what_is_written_here() -> None:
    """Every sign of GB 2312 that is a character, what European names are written in, and the papers' own words."""
    known = fonts()
    han = [
        bytes((row, cell)).decode("gb2312")
        for row in range(0xB0, 0xF8)
        for cell in range(0xA1, 0xFF)
        if (row, cell) < (0xD7, 0xFA) or row > 0xD7
    ]
    assert len(han) == 6763
    assert [char for char in han if ord(char) not in known.han] == []
    assert shown("喆犇堃淼鑫堯镕䶮").count(LOST) <= 1
    text = "ÀÉÎÕÜßçñøåžłőğşțđ ΑΩ Жя Việt Nam Nguyễn €£¥ “”‘’–—…·×"
    assert shown(text) == text
    assert LOST not in shown("".join(chinese + english for chinese, english in WORDS.values()).replace(LOST, ""))


def test_lines_end_where_they_may() -> None:
    """Words stay whole where they fit, Chinese breaks anywhere but before a closing mark, and no line is wider than its room."""
    room = 60.0
    lines = wrapped("Longjing tea 西湖龙井，明前特级。Donaudampfschifffahrtsgesellschaft", 8, room, lines=20)
    assert all(width(line, 8) <= room for line in lines)
    assert not any(line[0] in "，。" for line in lines)
    assert lines[0] == "Longjing tea 西"
    assert "".join(lines).replace(" ", "") == "Longjingtea西湖龙井，明前特级。Donaudampfschifffahrtsgesellschaft"
    assert wrapped("一二三四五六七八九十", 8, 24.1, lines=2) == ["一二三", "四五…"]
    assert wrapped("", 8, room, lines=3) == [""]
    assert len(shown("长" * 3 * TEXT_MAX)) == TEXT_MAX


def test_addresses_are_written_as_they_are_where_they_are() -> None:
    """From the large to the small in China, the other way round in France, with the country only when it is another one."""
    assert address(HOME, home="CN") == "310012 浙江省 杭州市 西湖区 文三路 478 号华星时代广场"
    assert address(HOME, home="FR") == "310012 CHINA (CN) 浙江省 杭州市 西湖区 文三路 478 号华星时代广场"
    assert address(ABROAD, home="CN") == "12 bis, rue de l’Échiquier, Paris Île-de-France 75010, FRANCE (FR)"
    assert address(ABROAD, home="FR") == "12 bis, rue de l’Échiquier, Paris Île-de-France 75010"


def test_what_is_printed_is_told_by_what_it_is() -> None:
    """Both kinds by one way in."""
    assert printed(Waybills(language=Language.ZH, items=(BILL,))) == bills(BILL)
    assert printed(PackingSlips(language=Language.EN, items=(SLIP,))) == slips(SLIP, language=Language.EN)


def test_the_reader_of_bars_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that is drawn too wide is not read as what it should be."""
    drawn = Code128.encode

    def otherwise(self: Any) -> Any:
        answer = drawn(self)
        self.encoded = [*self.encoded[:2], self.encoded[3], *self.encoded[3:]] if len(self.encoded) > 4 else self.encoded
        return answer

    monkeypatch.setattr(Code128, "encode", otherwise)
    with pytest.raises((AssertionError, ValueError)):
        assert decoded(next(bars(bills(BILL)))) == BILL.tracking


def test_a_shops_own_address_stands_on_its_papers() -> None:
    """With its telephone, as it is dialled from where the parcel goes; whatever stands in it, the paper is one page."""
    sender = replace(HOME, recipient="茶庄仓库", phone="+8657188157788", lines=("文一西路969号",))
    (label,) = pages(bills(replace(BILL, sender=sender)))
    assert all(text in label for text in ("龙井茶庄茶庄仓库", "057188157788", "浙江省杭州市西湖区文一西路969号"))
    (abroad,) = pages(bills(replace(BILL, sender=sender, destination=ABROAD)))
    assert "+8657188157788" in abroad
    (slip,) = pages(slips(replace(SLIP, sender=sender)))
    assert "寄件方：龙井茶庄茶庄仓库" in slip
    assert "文一西路969号" in slip
    same = replace(sender, recipient=SLIP.shop)
    assert "寄件方：龙井茶庄，" in pages(slips(replace(SLIP, sender=same)))[0]
    for text in HOSTILE:
        odd = replace(sender, recipient=text, phone=text, city=text, lines=(text, text))
        assert len(pages(bills(replace(BILL, sender=odd)))) == 1
        assert len(pages(slips(replace(SLIP, sender=odd)))) == 1
