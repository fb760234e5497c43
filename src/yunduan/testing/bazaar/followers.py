"""Who follows the toy market: two read models, one by statements, one by remembered rows, either of which may be struck down."""

from typing import Protocol

from yunduan.kernel.messages import Fact
from yunduan.runtime.registry import Follower, hears
from yunduan.runtime.transaction import Tx
from yunduan.testing.bazaar import facts, store
from yunduan.testing.bazaar.commands import Thank
from yunduan.testing.bazaar.store import CENSUS

THANKS_EVERY = 7


class Weather(Protocol):
    """What kills followers."""

    def strikes(self, whom: str) -> bool:
        """Whether to die now."""
        ...


class Calm:
    """Weather in which nobody dies."""

    def strikes(self, whom: str) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False


@hears(facts.Paid)
def on_paid(tx: Tx, paid: list[facts.Paid]) -> None:
    """Remember who was paid, and give thanks for every seventh."""
    for fact in paid:
        store.make_famous(tx, fact.payee, fact.amount)
        if fact.op % THANKS_EVERY == 0:
            tx.send(Thank(op=fact.op))
        _strike(tx, "fame")


def _count(tx: Tx, told: list[Fact]) -> None:
    kind = type(told[0]).__name__
    before = tx.get(CENSUS, kind)
    if before is None:
        tx.add(CENSUS, kind, (kind, len(told)))
    else:
        tx.put(CENSUS, kind, (kind, before[1] + len(told)))
    _strike(tx, "census")


@hears(facts.Minted)
def on_minted(tx: Tx, told: list[Fact]) -> None:
    """Count it."""
    _count(tx, told)


@hears(facts.Reserved)
def on_reserved(tx: Tx, told: list[Fact]) -> None:
    """Count it."""
    _count(tx, told)


@hears(facts.Rang)
def on_rang(tx: Tx, told: list[Fact]) -> None:
    """Count it."""
    _count(tx, told)


@hears(facts.Thanked)
def on_thanked(tx: Tx, told: list[Fact]) -> None:
    """Count it."""
    _count(tx, told)


def _strike(tx: Tx, whom: str) -> None:
    if tx.port(Weather).strikes(whom):  # type: ignore[type-abstract]
        raise RuntimeError(f"{whom} was struck down")


FAME = Follower("fame", (on_paid,))
CENSUS_TAKER = Follower("census", (on_minted, on_reserved, on_rang, on_thanked))
COUNTED = frozenset({"Minted", "Reserved", "Rang", "Thanked"})
