"""Pictures that people send: what is kept is the picture, and nothing of who took it, where and with what."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.orders.casebook import picture
from yunduan.edges.pictures import pictures
from yunduan.kernel.images import cleaned
from yunduan.kernel.refusals import Refused

SECRET = b"GPS 30.25N 120.16E"


def segment(marker: int, body: bytes) -> bytes:
    """A piece of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def exif(turn: int, order: str = ">") -> bytes:
    """What a camera says: which way it was held, and where."""
    head = (b"MM\x00*" if order == ">" else b"II*\x00") + struct.pack(order + "I", 8)
    entries = struct.pack(order + "HHHIHH", 2, 0x0112, 3, 1, turn, 0) + struct.pack(order + "HHII", 0x8825, 4, 1, 60)
    return b"Exif\x00\x00" + head + entries + SECRET


FRAME = segment(0xC0, struct.pack(">BHHB", 8, 40, 30, 1) + b"\x01\x11\x00")
DRAWN = (
    segment(0xDB, b"\x00" * 65)
    + FRAME
    + segment(0xC4, b"\x00" * 20)
    + segment(0xDA, b"\x01\x01\x00\x00?\x00")
    + b"\x12\xff\x00\xff\xd0\x34"
)


def jpeg(*before: bytes, drawn: bytes = DRAWN, behind: bytes = b"") -> bytes:
    """A JPEG of 30 to 40."""
    return b"\xff\xd8" + b"".join(before) + drawn + b"\xff\xd9" + behind


def chunk(kind: bytes, body: bytes) -> bytes:
    """A piece of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of pieces."""
    whole = b"WEBP" + b"".join([struct.pack("<4sI", kind, len(body)) + body + b"\x00" * (len(body) % 2) for kind, body in chunks])
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


LOSSY = (b"VP8 ", b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 30, 40) + b"\x07")
CANVAS = b"\x2c\x00\x00\x00" + (29).to_bytes(3, "little") + (39).to_bytes(3, "little")


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_of_a_photograph_only_the_picture_is_kept_and_how_to_hold_it(turn: int, order: str) -> None:
    """Where it was taken, comments, programs' own notes and what hangs behind are gone."""
    noted = (segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x01\x01" + SECRET), segment(0xE1, exif(turn, order)))
    more = (segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + SECRET), segment(0xED, SECRET), segment(0xFE, SECRET))
    kind, kept = cleaned(jpeg(*noted, *more, behind=SECRET + b"<script>"))
    assert kind == "image/jpeg"
    assert SECRET not in kept
    assert kept.endswith(DRAWN + b"\xff\xd9")
    assert (b"Exif" in kept) == (turn != 1)
    assert len(kept) <= len(jpeg()) + 40
    again = cleaned(kept)
    assert again == (kind, kept)
    if turn != 1:
        assert struct.unpack_from(">H", kept, kept.index(struct.pack(">HHI", 0x0112, 3, 1)) + 8)[0] == turn


def test_of_the_others_too() -> None:
    """PNG and WebP, with all that they may carry."""
    plain = picture(3)
    head, rest = plain[:33], plain[33:]
    noted = head + chunk(b"tEXt", SECRET) + chunk(b"eXIf", SECRET) + chunk(b"iCCP", SECRET) + rest + SECRET
    assert cleaned(noted) == ("image/png", plain)
    marked = webp((b"VP8X", CANVAS), (b"ICCP", SECRET), LOSSY, (b"EXIF", SECRET), (b"XMP ", SECRET)) + SECRET
    kind, kept = cleaned(marked)
    assert (kind, SECRET in kept, kept) == ("image/webp", False, webp((b"VP8X", b"\x00" + CANVAS[1:]), LOSSY))
    for file in list(pictures().values())[:20]:
        assert cleaned(file.read_bytes())[0] == "image/webp"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg/>",
        b"GIF89a",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        jpeg(drawn=FRAME),
        jpeg(drawn=segment(0xDA, b"\x00") + b"\x12"),
        jpeg()[:-2],
        jpeg(segment(0xC3, b"\x08\x00\x01\x00\x01")),
        jpeg(drawn=DRAWN.replace(struct.pack(">HH", 40, 30), struct.pack(">HH", 9_000, 30))),
        jpeg(drawn=DRAWN.replace(struct.pack(">HH", 40, 30), struct.pack(">HH", 0, 30))),
        picture()[:-1],
        picture().replace(b"IDAT", b"IDAX"),
        picture()[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 8_000, 8_000, 8, 0, 0, 0, 0)) + picture()[33:],
        picture()[:33] + chunk(b"IEND", b""),
        picture()[:33] + chunk(b"ABCD", b"") + picture()[33:],
        webp((b"VP8X", CANVAS)),
        webp(LOSSY, LOSSY),
        webp((b"VP8X", CANVAS), (b"ANIM", b"\x00" * 6), LOSSY),
        webp((b"VP8 ", b"\x00" * 10)),
        webp(LOSSY)[:-3],
        webp((b"VP8L", b"\x2f" + struct.pack("<I", 0x0FFFFFFF))),
    ],
    ids=range(22),
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    """Broken, cut off, moving, of another kind, or larger than anybody needs."""
    with pytest.raises(Refused) as refused:
        cleaned(content)
    assert refused.value.code == "picture_unreadable"


@given(
    content=st.binary(max_size=200)
    | st.binary(max_size=120).map(lambda more: jpeg()[:20] + more)
    | st.binary(max_size=120).map(lambda more: picture()[:40] + more)
    | st.binary(max_size=120).map(lambda more: webp(LOSSY)[:24] + more)
)
def test_whatever_comes_is_a_picture_or_refused(content: bytes) -> None:
    """It never breaks, and what is kept is kept as it is the next time."""
    try:
        kind, kept = cleaned(content)
    except Refused:
        return
    assert cleaned(kept) == (kind, kept)
