"""Keeps the index of orders: walks along the places of orders, which only grow, and hears of what leaves later.

What was bought never changes, so that an order is read once, in the order of places, by whoever keeps the index, and nothing is asked of
the checkout. Only parcels come later: what tells of one has its order read again. The hashes of erased buyers' parcels go.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeGuard

import msgspec
from msgspec.structs import replace

from yunduan.domains.identity.facts import PersonErased
from yunduan.domains.orders.facts import CaseMoved, OrderPartlyShipped, OrderShipped, ParcelSentAgain
from yunduan.domains.orders.findable import AT_ONCE, LEAVES_IN_CASE, FindableOrder, LastPlace, OrdersToFind, OrdersToFindAgain
from yunduan.domains.orders.model import SoldItem
from yunduan.domains.search import words
from yunduan.domains.search.making import Ask, Maker
from yunduan.domains.search.store_orders import FORM, OrderIndex, OrderState
from yunduan.domains.search.store_words import Written
from yunduan.domains.search.written import terms_of, text_of
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Fact
from yunduan.runtime.hearing import told_after
from yunduan.runtime.ports import Reader, SideStore, SideStores

FACTS_AT_ONCE = 5_000
"""So many are read in one step: more than are told of as many orders as are read in one."""
COMMITS_AFTER = 2_048
"""So many orders are written in one transaction where they come without end: most of their pages are the same ones."""
REMEMBERED = 20_000
"""So many numbers of titles and of owners are remembered, each; then all are forgotten."""
TAIL = 10_000
HEARD = (OrderShipped, OrderPartlyShipped, ParcelSentAgain, CaseMoved, PersonErased)
DECODERS = {fact.__name__: msgspec.json.Decoder(fact) for fact in HEARD}


Called: TypeAlias = tuple[str, ...]
"""What one shop calls one thing: the shop's id, then titles, choice and SKU."""


class OrderIndexer(Maker[OrderIndex]):
    """Writes the index of orders, a step at a time: one process does."""

    def __init__(self, sides: SideStores, *, ask: Ask, reader: Reader, at_once: int = AT_ONCE) -> None:
        """Go on with the generation that everybody reads, if there is one; `at_once` orders are read and written in one step."""
        super().__init__(sides, reader=reader)
        self._ask = ask
        self._at_once = at_once
        self._titles: dict[Called, int] = {}
        self._owners: dict[str, int] = {}
        self._uncommitted: int | None = None
        """How many orders the open transaction has; nothing where none is open."""

    def opened(self, side: SideStore) -> OrderIndex:
        """Over a file."""
        self._forget()
        return OrderIndex(side)

    def begun(self, index: OrderIndex, epoch: int, seq: int) -> None:
        """Nothing was read yet."""
        index.keep_state(OrderState(form=FORM, epoch=epoch, seq=seq))

    def go_on(self, index: OrderIndex) -> bool:
        """Read the next orders, and hear what is told of those that were read: also while new ones come without end."""
        state = index.state()
        orders = self._ask(OrdersToFind(after=state.through, limit=self._at_once))
        if orders:
            state = replace(state, through=orders[-1].place)
            self._write(index, state, orders)
        is_full = len(orders) == self._at_once
        if not state.is_whole:
            self._commit(index, if_full=is_full)
            if not orders and not index.knit():
                self._write(index, replace(state, is_whole=True))
                self._commit(index)
                self.publish(index)
            return True
        more = self._hear(index, state)
        self._commit(index, if_full=is_full)
        return more or is_full

    def walked(self) -> tuple[int, int]:
        """(orders that are in the index, how many there are)."""
        done = self._index.state().through if self._index is not None else 0
        return done, max(done, self._ask(LastPlace()))

    def _hear(self, index: OrderIndex, state: OrderState) -> bool:
        told = list(told_after(self._reader, state.seq, FACTS_AT_ONCE, DECODERS))
        if not told:
            return False
        facts = [fact for _, fact in told if fact is not None]
        gone = list(dict.fromkeys([fact.order_id for fact in facts if _has_left(fact)]))
        for start in range(0, len(gone), AT_ONCE):
            orders = self._ask(OrdersToFindAgain(order_ids=tuple(gone[start : start + AT_ONCE])))
            self._write(index, state, [order for order in orders if order.place <= state.through])
        self._write(index, replace(state, seq=told[-1][0]), erased=[fact.person_id for fact in facts if isinstance(fact, PersonErased)])
        return len(told) == FACTS_AT_ONCE

    def _write(
        self, index: OrderIndex, state: OrderState, orders: Sequence[FindableOrder] = (), *, erased: Sequence[PersonId] = ()
    ) -> None:
        """Write what some orders are, and how far the index is; what is there already stays as it is. `_commit` ends the transaction."""
        if self._uncommitted is None:
            index.begin()
            self._uncommitted = 0
        try:
            self._uncommitted += len(orders)
            self.has_written |= bool(orders)
            if orders:
                self._keep(index, orders)
            for person in erased:
                index.drop_parcels(index.owner(person))
            index.keep_state(state)
        except BaseException:
            index.rollback()
            self._forget()
            raise

    def _commit(self, index: OrderIndex, *, if_full: bool = False) -> None:
        """Let others see what was written: not yet where more comes at once, unless it is much."""
        if self._uncommitted is None or (if_full and self._uncommitted < COMMITS_AFTER):
            return
        try:
            index.commit()
        except BaseException:
            index.rollback()
            self._forget()
            raise
        self._uncommitted = None

    def _keep(self, index: OrderIndex, orders: Sequence[FindableOrder]) -> None:
        owners = self._owners_among(index, orders)
        titles = self._titles_among(index, orders, owners)
        lines: list[tuple[int, int, int]] = []
        tails: list[tuple[int, int, int]] = []
        parcels: list[tuple[int, bytes, int, int]] = []
        for order in orders:
            buyer, shop = owners[order.buyer], owners[order.shop_id]
            for title in {titles[_called(order, item)] for item in order.items}:
                lines += ((buyer, title, order.place), (shop, title, order.place))
            digits = int(order.number) % TAIL
            tails += ((buyer, digits, order.place), (shop, digits, order.place))
            for mark in order.parcels:
                parcels += ((buyer, mark, order.place, buyer), (shop, mark, order.place, buyer))
        index.keep_lines(sorted(lines))  # so that a page is written once
        index.keep_tails(sorted(tails))
        index.keep_parcels(parcels)
        index.keep_terms()
        index.keep_words()

    def _owners_among(self, index: OrderIndex, orders: Sequence[FindableOrder]) -> dict[str, int]:
        """The numbers of everybody whose orders these are, others' included."""
        if len(self._owners) > REMEMBERED:
            self._owners.clear()
        named = dict.fromkeys([id for order in orders for id in (order.buyer, order.shop_id)])
        if missing := [id for id in named if id not in self._owners]:
            self._owners |= index.keep_owners(missing)
        return self._owners

    def _titles_among(self, index: OrderIndex, orders: Sequence[FindableOrder], owners: Mapping[str, int]) -> dict[Called, int]:
        """The numbers of all that these orders are of, others' included; what is new is cut into words."""
        if len(self._titles) > REMEMBERED:
            self._titles.clear()
        sold = dict.fromkeys([_called(order, item) for order in orders for item in order.items])
        marks = {called: _mark(called) for called in sold if called not in self._titles}
        kept = index.kept_titles(list(marks.values())) if marks else {}
        for called, mark in marks.items():
            self._titles[called] = kept.get(mark) or _keep_title(index, called, mark, owners[called[0]])
        return self._titles

    def _forget(self) -> None:
        """No transaction is open any more, and numbers that were given out in it are nobody's."""
        self._uncommitted = None
        self._titles.clear()
        self._owners.clear()


def _has_left(fact: Fact) -> TypeGuard[OrderShipped | OrderPartlyShipped | ParcelSentAgain | CaseMoved]:
    """Whether a fact tells of another parcel of an order."""
    if isinstance(fact, CaseMoved):
        return fact.event in LEAVES_IN_CASE
    return isinstance(fact, OrderShipped | OrderPartlyShipped | ParcelSentAgain)


def _called(order: FindableOrder, item: SoldItem) -> Called:
    return order.shop_id, item.title, item.title_en, item.option_text, item.option_text_en, item.sku


def _mark(called: Called) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(called), digest_size=16).digest()


def _keep_title(index: OrderIndex, called: Called, mark: bytes, shop: int) -> int:
    """The number that is given to a title, which is cut into words."""
    spoken = words.spoken(called[1:])
    written = Written(title=text_of(spoken.terms, spoken.pairs), syllables=" ".join(spoken.syllables), initials=" ".join(spoken.initials))
    index.count_terms(*terms_of(spoken))
    return index.keep_title(mark, shop=shop, words=written)
