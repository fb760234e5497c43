"""Pictures that people send: of three kinds, checked piece by piece, and rid of all that a camera says beside the picture. Pure.

No picture is decoded here: its container is taken apart and put together anew from the pieces that draw it, so that where and with what it
was taken, by whom, and whatever was hung on behind, is gone. Of what a camera notes only the way to hold it is kept.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Annotated

from msgspec import Meta

from yunduan.kernel.refusals import RefusalCode, Refused

BYTES_MAX = 393_216
"""Of one picture, as it is sent: what a phone makes of a photograph of 1,600 pixels."""
SIDE_MAX = 8_192
PIXELS_MAX = 40_000_000
"""A small file may say that it is huge, and fill the memory of whoever opens it."""
_ORIENTATION = 0x0112
PictureId = Annotated[str, Meta(pattern=r"^pic_[0-9a-f]{1,40}(?![\s\S])", description="A picture, named after its content.")]
Content = Annotated[
    bytes,
    Meta(
        extra_json_schema={"pattern": r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?(?![\s\S])"},
        min_length=1,
        max_length=BYTES_MAX,
        description="A JPEG, PNG or WebP file. What is kept is the picture without its metadata.",
    ),
]
BODY_BYTES_MAX = 4 * BYTES_MAX // 3 + 8_192
"""Of a request that brings one."""


class ImageRefusal(RefusalCode):
    """What is no picture here."""

    UNREADABLE = "picture_unreadable", "This is no JPEG, PNG or WebP picture, is broken, moves, or has more pixels than anybody needs."


def name_of(picture: bytes) -> PictureId:
    """What a picture is called: the same content has the same name, and the name opens nothing."""
    return f"pic_{sha256(picture).hexdigest()[:32]}"


def cleaned(content: bytes) -> tuple[str, bytes]:
    """What kind of picture it is, and the picture alone; refuses what is none."""
    try:
        if content.startswith(b"\xff\xd8"):
            return "image/jpeg", _jpeg(content)
        if content.startswith(_PNG):
            return "image/png", _png(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return "image/webp", _webp(content)
    except (IndexError, struct.error):
        raise _unreadable() from None
    raise _unreadable()


def _unreadable() -> Refused:
    return Refused(ImageRefusal.UNREADABLE)


def _check(width: int, height: int) -> None:
    if not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX and width * height <= PIXELS_MAX):
        raise _unreadable()


# JPEG (ITU-T T.81, annex B)

_FILL, _EOI, _SOS, _APP0, _APP1, _APP14, _COMMENT = 0xFF, 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xFE
_APPLICATIONS = range(0xE0, 0xF0)
"""What programs note of their own."""
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive: what browsers draw."""
_DRAW = _FRAMES | {0xC4, 0xDB, 0xDD, _SOS}
"""With their tables, and what is drawn by them."""
_JFIF = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def _jpeg(content: bytes) -> bytes:
    out, turn, has_frame, is_drawn = [], 1, False, False
    for marker, body, drawn in _segments(content):
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", body, 1)
            _check(width, height)
            has_frame = True
        elif marker == _APP1 and body.startswith(b"Exif\x00\x00"):
            turn = _turn(body[6:])
        if marker == _SOS and not has_frame:
            raise _unreadable()
        is_drawn = is_drawn or marker == _SOS
        if marker in _DRAW or (marker == _APP14 and body.startswith(b"Adobe")):
            out.append(_segment(marker, body) + drawn)
        elif marker != _COMMENT and marker not in _APPLICATIONS:
            raise _unreadable()
    if not is_drawn:
        raise _unreadable()
    head = _segment(_APP0, _JFIF) if turn == 1 else _segment(_APP1, b"Exif\x00\x00" + _only_turn(turn))
    return b"".join([b"\xff\xd8", head, *out, b"\xff\xd9"])


def _segments(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each marker with what belongs to it, and the drawn data that follows; what comes after the end is left out."""
    at = 2
    while True:
        if content[at] != _FILL:
            raise _unreadable()
        while content[at + 1] == _FILL:
            at += 1
        marker = content[at + 1]
        if marker == _EOI:
            return
        size = struct.unpack_from(">H", content, at + 2)[0]
        body = content[at + 4 : at + 2 + size]
        if size < 2 or len(body) != size - 2:
            raise _unreadable()
        at += 2 + size
        end = _scan_end(content, at) if marker == _SOS else at
        yield marker, body, content[at:end]
        at = end


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _scan_end(content: bytes, at: int) -> int:
    """Where the drawn data ends: at the next marker that is neither a filled-up 255 nor a restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0:
            raise _unreadable()
        following = content[at + 1]
        if following and not 0xD0 <= following <= 0xD7:
            return at
        at += 2


def _turn(tiff: bytes) -> int:
    """How a camera says that it was held; 1, upright, when it does not say."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, first)
        for entry in range(min(count, 64)):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _only_turn(turn: int) -> bytes:
    return b"MM\x00*" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, turn, 0, 0)


# PNG (ISO 15948)

_PNG = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"IEND"})


def _png(content: bytes) -> bytes:
    out, at = [_PNG], len(_PNG)
    kinds: list[bytes] = []
    while not kinds or kinds[-1] != b"IEND":
        size, kind = struct.unpack_from(">I4s", content, at)
        body = content[at + 8 : at + 8 + size]
        (crc,) = struct.unpack_from(">I", content, at + 8 + size)
        if crc != zlib.crc32(kind + body) or (not kinds) != (kind == b"IHDR"):
            raise _unreadable()
        if kind == b"IHDR":
            _check(*struct.unpack_from(">II", body))
        if kind in _KEPT:
            out.append(content[at : at + 12 + size])
        elif not kind[0] & 0x20:  # what has to be understood, and is not
            raise _unreadable()
        kinds.append(kind)
        at += 12 + size
    if b"IDAT" not in kinds:
        raise _unreadable()
    return b"".join(out)


# WebP (RFC 9649)

_ALPHA = 0x10


def _webp(content: bytes) -> bytes:
    out, drawn = [], 0
    for kind, body in _chunks(content):
        if kind in (b"ANIM", b"ANMF"):
            raise _unreadable()
        if kind in _SIZES:
            _check(*_SIZES[kind](body))
        elif kind != b"ALPH":
            continue
        drawn += kind != b"VP8X" and kind in _SIZES
        kept = bytes([body[0] & _ALPHA]) + body[1:] if kind == b"VP8X" else body
        out.append(struct.pack("<4sI", kind, len(kept)) + kept + b"\x00" * (len(kept) % 2))
    if drawn != 1:
        raise _unreadable()
    whole = b"WEBP" + b"".join(out)
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk of a file that says how long it is; what comes after it is left out."""
    at, end = 12, 8 + struct.unpack_from("<I", content, 4)[0]
    if end > len(content):
        raise _unreadable()
    while at < end:
        kind, length = struct.unpack_from("<4sI", content, at)
        body = content[at + 8 : at + 8 + length]
        if len(body) != length:
            raise _unreadable()
        at += 8 + length + length % 2
        yield kind, body


def _of_canvas(body: bytes) -> tuple[int, int]:
    return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")


def _of_lossy(body: bytes) -> tuple[int, int]:
    if body[3:6] != b"\x9d\x01\x2a":
        raise _unreadable()
    width, height = struct.unpack_from("<HH", body, 6)
    return width & 0x3FFF, height & 0x3FFF


def _of_lossless(body: bytes) -> tuple[int, int]:
    (bits,) = struct.unpack_from("<I", body, 1)
    return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)


_SIZES: Mapping[bytes, Callable[[bytes], tuple[int, int]]] = {b"VP8X": _of_canvas, b"VP8 ": _of_lossy, b"VP8L": _of_lossless}
