"""What hostile and careless clients send in the place of a value: JSON as it stands on the wire, and texts in addresses and queries."""

import json
from typing import Any

NUMBERS = (
    "-1",
    "0",
    "-0",
    "1e9",
    "1E+2",
    "1.0",
    "1.5",
    "0.1",
    "-0.0",
    "1e400",
    "9007199254740993",
    "10000000000000000",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "1" + "0" * 400,
    "NaN",
    "Infinity",
    "-Infinity",
    "0x10",
    "01",
    "+1",
    ".5",
    "1_000",
    "1,5",
)
"""Signs, nothing, fractions, powers, what no 64 bits hold, and what is no JSON at all."""
KINDS = (
    "null",
    "true",
    "false",
    "[]",
    "[[]]",
    "[null]",
    "{}",
    '{"amount":1}',
    '{"$ne":null}',
    '"1"',
    '"1e9"',
    '"NaN"',
    '"true"',
    '""',
    '"null"',
)
"""Values of another type than is asked for."""
TEXTS = (
    r'"\u0000"',
    r'"a\u0000b"',
    '"a\x00b"',
    r'"\ud800"',
    r'"\udc00\ud800"',
    r'"\u0007"',
    r'"a\u001b[31m"',
    '"a\x07b"',
    r'"a\r\nb"',
    r'"a\u007fb"',
    r'"a\u0085b"',
    r'"a\u2028b"',
    r'"a\u202eb"',
    r'"a\u2066b"',
    r'"\ufeff"',
    r'"\uffff"',
    '" "',
    '"\\t"',
    '"\u3000"',
    '"' + "x" * 20_000 + '"',
    '"' + "云" * 10_001 + '"',
    '"' + "🦄" * 5_000 + '"',
    '"' + "e\u0301" * 200 + '"',
    '"\' OR 1=1 --"',
    '"\'; DROP TABLE orders; --"',
    '"%00"',
    '"../../etc/passwd"',
    '"${jndi:ldap://x}"',
    '"{{7*7}}"',
    '"<script>alert(1)</script>"',
    r'"\x"',
    r'"\u12"',
    '"open',
)
"""Nothing, halves of pairs, control and direction marks, giants, and what other languages would run."""
MARKS = (*range(10), *range(11, 32), *range(127, 160), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
"""What no text of ours may hold: control characters (but a line feed, where there are lines), and marks that turn a line around."""
DEEP = ("[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000, "[" * 10_000, '{"a":[' * 5_000)
"""Ten thousand levels, closed and open."""
BYTES = (b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", b"\x00", b"")
"""What is no UTF-8, the marks of an order of bytes, and nothing at all."""
FRAGMENTS = tuple(text.encode() for text in (*NUMBERS, *KINDS, *TEXTS, *DEEP)) + BYTES
WORDS = (
    "-1",
    "0",
    "1e9",
    "1.5",
    "1.0",
    "+1",
    "%2B1",
    "0x10",
    "01",
    "NaN",
    "Infinity",
    "true",
    "null",
    "undefined",
    "%5B%5D",
    "%7B%7D",
    "9223372036854775807",
    "9223372036854775808",
    "10000000000000000",
    "1" + "0" * 400,
    "%D9%A3",
    "%00",
    "a%00b",
    "%FF",
    "%C0%80",
    "%ED%A0%80",
    "%0A",
    "%0D%0Ax:%20y",
    "%20",
    "%E2%80%AE",
    "..",
    "..%2F..%2Fetc%2Fpasswd",
    "%2E%2E%2F",
    "%27%20OR%201=1--",
    "%27%3B%20DROP%20TABLE%20orders--",
    "%25",
    "%",
    "%zz",
    "x" * 300,
    "ord_%27",
    "ORD_1",
    "ord_1%0A",
    "var_1,var_1",
    ",",
    "%3Cscript%3E",
)
"""What stands in an address or behind a question mark."""
MARKER = "\ufdd0"
"""A character that no text may hold: where the fragment goes."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body, its own root left out: fields, what is in lists, and the objects between."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


def spoilt(body: Any, path: tuple[Any, ...], fragment: bytes) -> bytes:
    """The same body with one place filled by a fragment, byte for byte."""
    text = json.dumps(_with(body, path, MARKER), ensure_ascii=False).encode()
    return text.replace(json.dumps(MARKER, ensure_ascii=False).encode(), fragment, 1)


def at(body: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a place."""
    for step in path:
        body = body[step]
    return body


def without(body: Any, path: tuple[Any, ...]) -> Any:
    """The same body with one place left out."""
    copy = json.loads(json.dumps(body))
    parent = at(copy, path[:-1])
    del parent[path[-1]]
    return copy


def twice(body: Any, path: tuple[Any, ...]) -> bytes:
    """The same body with one field given twice, the same both times."""
    name, value = json.dumps(path[-1]), json.dumps(at(body, path), ensure_ascii=False)
    return spoilt(body, path, f"{value},{name}:{value}".encode())


def strict(raw: bytes) -> Any:
    """A body by the letter of RFC 8259, each name once and no NUL; raises `ValueError` for what is none."""
    text = raw.decode("utf-8", "strict")
    value = json.loads(text, parse_constant=_no, object_pairs_hook=_once)
    json.dumps(value, ensure_ascii=False).encode()  # halves of pairs have no bytes
    if "\\u0000" in json.dumps(value):
        raise ValueError("NUL")
    return value


def whole(value: Any) -> bool:
    """Whether no number in it was written with a point or a power: where whole numbers belong that is none, whatever its value."""
    if isinstance(value, dict):
        return all(whole(inner) for inner in value.values())
    if isinstance(value, list):
        return all(whole(inner) for inner in value)
    return not isinstance(value, float)


def _no(name: str) -> Any:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(copy[path[0]], path[1:], new)
    return copy
