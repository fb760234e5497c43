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
from yunduan.domains.orders.findable import AT_ONCE, LEAVES_IN_CASE, FindableOrder, LastPlace, OrdersToFind, OrdersToFindAgain, SoldAs
from yunduan.domains.search import words
from yunduan.domains.search.making import Ask, Maker
from yunduan.domains.search.store_orders import FORM, OrderIndex, OrderState, buyer_of, listed
from yunduan.domains.search.store_words import Written
from yunduan.domains.search.written import terms_of, text_of
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Fact
from yunduan.runtime.hearing import told_after
from yunduan.runtime.ports import Reader, SideStore, SideStores

FACTS_AT_ONCE = 1_000
"""So many are heard in one step: more than are told of as many orders as are read in one."""
COMMITS_AFTER = 2_048
"""So many orders are written in one transaction where they come without end: most of their pages are the same ones."""
REMEMBERED = 50_000
"""So many numbers of titles are remembered, five MiB, and of shops; then all are forgotten."""
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
        self._titles: dict[int, int] = {}
        """By the hash of what they are called."""
        self._shops: dict[str, int] = {}
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
        told = told_after(self._reader, state.seq, FACTS_AT_ONCE, DECODERS)
        if told.through == state.seq:
            return False
        gone = list(dict.fromkeys([fact.order_id for fact in told.facts if _has_left(fact)]))
        for start in range(0, len(gone), AT_ONCE):
            orders = self._ask(OrdersToFindAgain(order_ids=tuple(gone[start : start + AT_ONCE])))
            self._write(index, state, [order for order in orders if order.place <= state.through])
        erased = [fact.person_id for fact in told.facts if isinstance(fact, PersonErased)]
        self._write(index, replace(state, seq=told.through), erased=erased)
        return told.is_more

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
                index.drop_parcels(buyer_of(person))
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
            index.keep_terms()
            index.keep_words()  # last: terms that come between two have FTS5 write each alone
            index.commit()
        except BaseException:
            index.rollback()
            self._forget()
            raise
        self._uncommitted = None

    def _keep(self, index: OrderIndex, orders: Sequence[FindableOrder]) -> None:
        """Write orders; the words of new titles mostly by `_commit`, together."""
        shops = self._shops_among(index, orders)
        called = [[_called(order.shop_id, item) for item in order.items] for order in orders]
        titles = self._titles_among(index, called, shops)
        sold: list[tuple[int, int]] = []
        bought: list[tuple[int, int, int, bytes]] = []
        tails: list[tuple[int, int, int]] = []
        parcels: list[tuple[int, bytes, int, int]] = []
        for order, items in zip(orders, called, strict=True):
            place, buyer, shop, digits = order.place, buyer_of(order.buyer), shops[order.shop_id], int(order.number) % TAIL
            some = {titles[hash(item)] for item in items}
            sold += [(title, place) for title in some]
            bought.append((buyer, place, digits, listed(some)))
            tails.append((shop, digits, place))
            for mark in order.parcels:
                parcels += ((buyer, mark, place, buyer), (shop, mark, place, buyer))
        index.keep_sold(sorted(sold))  # so that a page is written once
        index.keep_bought(sorted(bought))
        index.keep_tails(sorted(tails))
        index.keep_parcels(parcels)
        if index.has_many_words:
            index.keep_new_terms()  # how usual the others are is written once, by `_commit`
            index.keep_words()

    def _shops_among(self, index: OrderIndex, orders: Sequence[FindableOrder]) -> dict[str, int]:
        """The numbers of all shops whose orders these are, others' included."""
        if len(self._shops) > REMEMBERED:
            self._shops.clear()
        if missing := list(dict.fromkeys([order.shop_id for order in orders if order.shop_id not in self._shops])):
            self._shops |= index.keep_shops(missing)
        return self._shops

    def _titles_among(self, index: OrderIndex, sold: Sequence[Sequence[Called]], shops: Mapping[str, int]) -> dict[int, int]:
        """The numbers of all that these orders are of, others' included; what is new is cut into words."""
        if len(self._titles) > REMEMBERED:
            self._titles.clear()
        missing = dict.fromkeys([called for items in sold for called in items if hash(called) not in self._titles])
        if not missing:
            return self._titles
        marks = {_mark(called): called for called in missing}
        kept = index.kept_titles(list(marks))
        new = {mark: called for mark, called in marks.items() if mark not in kept}
        kept |= zip(new, index.keep_titles([_title(index, mark, called, shops) for mark, called in new.items()]), strict=True)
        self._titles |= {hash(called): kept[mark] for mark, called in marks.items()}
        return self._titles

    def _forget(self) -> None:
        """No transaction is open any more, and numbers that were given out in it are nobody's."""
        self._uncommitted = None
        self._titles.clear()
        self._shops.clear()


def _has_left(fact: Fact) -> TypeGuard[OrderShipped | OrderPartlyShipped | ParcelSentAgain | CaseMoved]:
    """Whether a fact tells of another parcel of an order."""
    if isinstance(fact, CaseMoved):
        return fact.event in LEAVES_IN_CASE
    return isinstance(fact, OrderShipped | OrderPartlyShipped | ParcelSentAgain)


def _called(shop_id: str, item: SoldAs) -> Called:
    return shop_id, item.title, item.title_en, item.option_text, item.option_text_en, item.sku


def _mark(called: Called) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(called), digest_size=16).digest()


def _title(index: OrderIndex, mark: bytes, called: Called, shops: Mapping[str, int]) -> tuple[bytes, int, Written]:
    """A new title, cut into words; its terms are counted."""
    spoken = words.spoken(called[1:])
    written = Written(title=text_of(spoken.terms, spoken.pairs), syllables=" ".join(spoken.syllables), initials=" ".join(spoken.initials))
    index.count_terms(*terms_of(spoken))
    return mark, shops[called[0]], written
