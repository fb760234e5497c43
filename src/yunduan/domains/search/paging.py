"""Pages of what was found: a cursor names the last of a page by its place in the order, and when the search was begun.

What is sorted by depends on the time, so that every page of one search is ranked as of the same moment.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64Error
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct

from yunduan.domains.search.columns import Places
from yunduan.domains.search.finding import Matched
from yunduan.domains.search.model import SearchRefusal
from yunduan.kernel.refusals import Refused

_MARK_BYTES = 6
_pack = msgspec.msgpack.Encoder().encode
_Number = Annotated[int, Meta(ge=-(2**53), le=2**53)]


class Place(Struct, frozen=True, array_like=True):
    """The last of a page: when its search was begun, what it is sorted by, and its document."""

    began_ms: Annotated[int, Meta(ge=0, le=2**53)]
    value: _Number
    document: Annotated[int, Meta(ge=0, le=2**40)]


_unpack = msgspec.msgpack.Decoder(Place).decode


def _mark(packed: bytes, search: bytes) -> bytes:
    """What ties a place to its search. It is no secret: whoever makes one up is only shown the search from somewhere else."""
    return hashlib.blake2b(packed, digest_size=_MARK_BYTES, key=hashlib.blake2b(search, digest_size=32).digest()).digest()


def cursor(place: Place, search: bytes) -> str:
    """The cursor of what comes after a place in a search."""
    packed = _pack(place)
    return urlsafe_b64encode(_mark(packed, search) + packed).rstrip(b"=").decode()


def place_of(after: str, search: bytes) -> Place:
    """The place that a cursor names; refuses one that is garbled or of another search."""
    try:
        found = urlsafe_b64decode(after + "=" * (-len(after) % 4))
        mark, packed = found[:_MARK_BYTES], found[_MARK_BYTES:]
        if mark == _mark(packed, search):
            return _unpack(packed)
    except (NotBase64Error, ValueError) as error:  # msgspec's errors are among the latter
        raise Refused(SearchRefusal.CURSOR) from error
    raise Refused(SearchRefusal.CURSOR)


def after(matched: Matched, place: Place | None) -> tuple[Places, Places]:
    """Documents from after a place on, and what they are sorted by; the order is by value, downwards, then by document."""
    if place is None:
        return matched.ranked, matched.values
    behind = (matched.values < place.value) | ((matched.values == place.value) & (matched.ranked > place.document))
    start = int(np.argmax(behind)) if behind.any() else len(behind)
    return matched.ranked[start:], matched.values[start:]
