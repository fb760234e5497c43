"""A name that an object has twice is found as Python's own reader finds it, however it is written."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from yunduan.edges.http.problems import ProblemError
from yunduan.edges.http.reading import decoded_body

_texts = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"é"', '"\\u00e9"', '""', '"{"', '"x:"', '"g\\""', '"\\\\"', ' "f" '])
_leaves = st.one_of(_texts, st.sampled_from(["1", "null", "[]", "{}"]))


def _objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    fields = st.lists(st.tuples(_texts, st.sampled_from([":", " : "]), inner).map("".join), max_size=4)
    return st.one_of(
        fields.map(lambda said: "{" + ",".join(said) + "}"), st.lists(inner, max_size=3).map(lambda said: f"[{','.join(said)}]")
    )


class _TwiceError(Exception):
    """The reference has found one."""


def _refuse(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise _TwiceError
    return dict(pairs)


@given(st.recursive(_leaves, _objects, max_leaves=12))
def test_a_name_that_comes_twice_is_refused_and_no_other(text: str) -> None:
    """Texts that look like names, braces or colons do not count."""
    raw = text.encode()
    try:
        json.loads(raw, object_pairs_hook=_refuse)
        expected = False
    except _TwiceError:
        expected = True
    try:
        assert decoded_body(json.loads, raw) == json.loads(raw)
        found = False
    except ProblemError as problem:
        found = b"given twice" in problem.reply.body
    assert found == expected
