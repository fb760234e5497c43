"""Whom a fact concerns: one person, those who work in a shop, operators, or whoever has the money."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from msgspec import Struct

from yunduan.domains.identity.model import OperatorRole, ShopRole
from yunduan.domains.identity.queries import WorkersOf
from yunduan.kernel.ids import PersonId, ShopId
from yunduan.runtime.transaction import Tx

_MARKETPLACE = ShopId("")
"""The marketplace's staff is that of no shop."""


class Roll:
    """Who works where, while a run of facts is heard; each looked up once."""

    def __init__(self, tx: Tx) -> None:
        """Nobody has been looked up."""
        self.tx = tx
        self._found: dict[tuple[str, frozenset[str]], list[PersonId]] = {}

    def bearers(self, shop: str, roles: frozenset[str]) -> list[PersonId]:
        """Everybody who has one of these roles in a shop."""
        found = self._found.get((shop, roles))
        if found is None:
            workers = self.tx.ask(WorkersOf(shop_id=ShopId(shop)))
            found = self._found[shop, roles] = [person for person, held in workers.items() if not held.isdisjoint(roles)]
        return found


class Audience(Struct, frozen=True):
    """To whom a notice is due."""

    said: str
    """In words, for the reference."""
    of: Callable[[Roll, Any], Sequence[PersonId]]
    """Who they are, given what has happened."""


def person(field: str, said: str) -> Audience:
    """The one whom the fact names."""
    named = attrgetter(field)
    return Audience(said, lambda _, fact: (named(fact),))


def staff(*roles: ShopRole) -> Audience:
    """Everybody who has one of these roles in the fact's shop."""
    any_of = frozenset[str](roles)
    return Audience(f"in the shop: {', '.join(roles)}", lambda roll, fact: roll.bearers(fact.shop_id, any_of))


def operators(*roles: OperatorRole) -> Audience:
    """Everybody who has one of these roles among the operators."""
    any_of = frozenset[str](roles)
    return Audience(f"operators: {', '.join(roles)}", lambda roll, _: roll.bearers(_MARKETPLACE, any_of))


def holders(*roles: ShopRole) -> Audience:
    """The fact's `owner`: a person, or those who mind the money of a shop."""
    any_of = frozenset[str](roles)

    def of(roll: Roll, fact: Any) -> Sequence[PersonId]:
        return roll.bearers(fact.owner, any_of) if is_shop(fact.owner) else (PersonId(fact.owner),)

    return Audience(f"whose money it is; of a shop's: {', '.join(roles)}", of)


def is_shop(owner: str) -> bool:
    """Whether money is a shop's, or else a person's."""
    return owner.startswith("shp_")
