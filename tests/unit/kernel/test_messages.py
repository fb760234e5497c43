"""What every message promises by its form alone."""

import msgspec
import pytest

from yunduan.kernel.actors import ANONYMOUS, SYSTEM, Actor
from yunduan.kernel.ids import OrderId, PersonId, made, sibling
from yunduan.kernel.messages import Command, Fact, Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import BrokenError, RefusalCode, invariant
from yunduan.runtime.registry import answer_type


class Bad(RefusalCode):
    """Codes of a toy."""

    ONE = "one", "It is one."


class Buy(Command[Money], refuses=Bad, spends_key=True):
    """A toy."""

    order_id: OrderId
    price: Money


class Bought(Fact):
    """A toy."""

    order_id: OrderId


class Price(Query[int], slow=True):
    """A toy."""


def test_a_message_knows_its_answer_its_refusals_and_its_settings() -> None:
    """Everything that the edge and the docs need is in the declaration."""
    assert (answer_type(Buy), answer_type(Price), answer_type(Bought)) == (Money, int, None)
    assert (Buy.refuses, Buy.spends_key, Price.slow, Price.refuses) == ({Bad.ONE}, True, True, frozenset())


@pytest.mark.parametrize(
    "body",
    [
        b'{"order_id":"ord_1","price":{"amount":1,"currency":"CNY"},"more":1}',
        b'{"order_id":"ord_1"}',
        b'{"order_id":"x","price":{"amount":1,"currency":"CNY"}}',
        b'{"order_id":"ord_1","price":{"amount":-1,"currency":"CNY"}}',
        b'{"order_id":"ord_1","price":{"amount":1000000000000001,"currency":"CNY"}}',
        b'{"order_id":"ord_1","price":{"amount":true,"currency":"CNY"}}',
        b'{"order_id":"ord_1","price":{"amount":"1","currency":"CNY"}}',
        b'{"order_id":"ord_1","price":{"amount":1.5,"currency":"CNY"}}',
        b'{"order_id":"ord_1","price":{"amount":NaN,"currency":"CNY"}}',
        b'{"order_id":"ord_1","price":{"amount":1,"currency":"XXX"}}',
        b'{"order_id":"ord_1","price":{"amount":1,"currency":"cny"}}',
    ],
)
def test_a_command_takes_nothing_that_is_not_declared(body: bytes) -> None:
    """Unknown fields, wrong forms, and numbers that only look like amounts are refused by the decoder."""
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(body, type=Buy)


def test_a_fact_may_have_fields_that_an_older_program_does_not_know() -> None:
    """Fields are added to facts, so a reader must not stumble over them."""
    assert msgspec.json.decode(b'{"order_id":"ord_1","later":2}', type=Bought) == Bought(order_id=OrderId("ord_1"))


def test_messages_do_not_change() -> None:
    """A frozen message can be shared without fear."""
    with pytest.raises(AttributeError):
        Bought(order_id=OrderId("ord_1")).order_id = OrderId("ord_2")  # type: ignore[misc]


def test_nobody_owns_what_belongs_to_nobody() -> None:
    """An empty owner never equals an empty caller."""
    assert not ANONYMOUS.owns(PersonId(""))
    assert not SYSTEM.owns(PersonId(""))
    assert Actor(person=PersonId("per_1")).owns(PersonId("per_1"))
    assert not Actor(person=PersonId("per_1")).owns(PersonId("per_2"))
    assert len({actor.principal for actor in (ANONYMOUS, SYSTEM, Actor(person=PersonId("per_1")))}) == 3


def test_ids_sort_by_time_then_by_serial_and_siblings_share_their_serial() -> None:
    """Time first, whatever the entropy."""
    early = made("ord", at_ms=1_000, serial=2**20 - 1, entropy=2**40 - 1)
    late = made("ord", at_ms=1_001, serial=0, entropy=0)
    assert early < late
    assert len(early) == len("ord_") + 26
    assert sibling(early, "esc") == "esc_" + early[4:]


def test_a_claim_that_does_not_hold_is_a_broken_program() -> None:
    """Invariants stay on."""
    invariant(True, "fine")
    with pytest.raises(BrokenError, match="two is three"):
        invariant(2 == 3, "two is three")  # noqa: PLR0133 - that is the point
