"""The table of notices is whole: every fact has a line or a reason, and every gap of the words is filled."""

import types
from collections.abc import Iterator
from string import Formatter
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest

from yunduan.cloud import DOMAINS
from yunduan.domains.identity.model import Language
from yunduan.domains.notices.causes import CAUSES, UNTOLD, By, Cause
from yunduan.domains.notices.model import About, NoticeKind
from yunduan.domains.notices.templates import TEMPLATES
from yunduan.domains.orders.cases import CaseEvent
from yunduan.kernel.money import Money
from yunduan.runtime.registry import Registry

FACTS = frozenset(Registry(DOMAINS).facts.values())
FILLED_BY = {
    "order": {"order_id"},
    "goods": {"order_id", "goods_id"},
    "choice": {"variant_id"},
    "shop": {"shop_id"},
    "whose": set[str](),
    "amount": {"amount"},
    "number": {"number"},
    "until": {"until"},
    "where": set[str](),
    "role": {"role"},
    "contact": {"contact"},
}
"""What each gap of the words is taken from: one of these fields of `About`.

Of no shop, money is the reader's own, and work is for the marketplace.
"""
SILENT = {CaseEvent.END: "the order is told of, which ended it"}
"""Steps in a case that nobody is told of."""


def test_every_fact_has_a_line_or_a_reason() -> None:
    """Whoever adds a fact says whom it concerns."""
    told = [cause.fact for cause in CAUSES]
    assert len(told) == len(set(told)), "one line a fact"
    assert not set(told) & set(UNTOLD), "told, or not told"
    assert set(told) | set(UNTOLD) == FACTS
    assert all(UNTOLD.values())


def test_every_notice_comes_of_something_and_has_words_in_both_languages() -> None:
    """None is left over."""
    assert {kind for cause in CAUSES for kind in cause.kinds()} == set(NoticeKind)
    assert {kind: set(words) for kind, words in TEMPLATES.items()} == {kind: set(Language) for kind in NoticeKind}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.fact.__name__)
def test_every_gap_of_the_words_is_filled_by_what_the_notice_is_about(cause: Cause) -> None:
    """In both languages; and everything that is named is a field of the fact."""
    fields, known = set(msgspec.structs.asdict(About())), {field.name for field in msgspec.structs.fields(cause.fact)}
    assert set(cause.about) <= fields
    named = {source for source in cause.about.values() if isinstance(source, str)}
    assert named | {tell.kind.field for tell in cause.tells if isinstance(tell.kind, By)} <= known
    for kind in cause.kinds():
        for words in TEMPLATES[kind].values():
            for gap in gaps(words.title + words.text):
                assert not FILLED_BY[gap] or FILLED_BY[gap] & set(cause.about), f"{kind} leaves {{{gap}}} empty"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.fact.__name__)
def test_what_leaves_facts_out_can_be_asked_of_each(cause: Cause) -> None:
    """Whatever is in it."""
    for tell in cause.tells:
        if tell.only is not None:
            assert tell.only.holds(some(cause.fact)) in (True, False)


def test_every_step_of_a_case_is_told_or_has_a_reason() -> None:
    """A step that is added is not forgotten."""
    told = {
        event
        for cause in CAUSES
        for tell in cause.tells
        if isinstance(tell.kind, By) and tell.kind.field == "event"
        for event in tell.kind.kinds
    }
    assert told | set(SILENT) == set(CaseEvent)


def gaps(text: str) -> Iterator[str]:
    """What a text leaves open."""
    return (name for _, name, _, _ in Formatter().parse(text) if name)


def some(kind: Any) -> Any:
    """Any value of a type: a fact of this kind."""
    if get_origin(kind) in {types.UnionType, Union}:
        kind = get_args(kind)[0]
    kind = getattr(kind, "__supertype__", kind)
    if kind is Money:
        return Money(amount=1, currency="CNY")
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{field.name: some(field.type) for field in msgspec.structs.fields(kind)})
    if get_origin(kind) is tuple:
        return ()
    return next(iter(kind)) if hasattr(kind, "__members__") else kind()
