"""Finds orders: their buyer's by what was bought, where and under which number; their shop's likewise, and by its own SKUs.

What the index does not have yet is looked through directly. Whatever it says, an order is shown to whoever it belongs to by the orders
themselves, and to nobody else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.queries import TermsOf
from yunduan.domains.orders.findable import (
    AT_ONCE,
    NEW_MAX,
    NEW_SCANNED,
    Carried,
    FindableOrder,
    LastPlace,
    NewOrdersOf,
    NumberedPlace,
    NumberOf,
    OwnedAmong,
    ParcelMark,
    PlaceBefore,
)
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import FOLLOWS, LinesOf, OrderLine
from yunduan.domains.search.looking import has, has_all, looked
from yunduan.domains.search.model import TEXT_MAX, TYPED
from yunduan.domains.search.order_indexing import TAIL
from yunduan.domains.search.planning import Plan, Slot, of_title, plan, read
from yunduan.domains.search.store_orders import OrderIndex, buyer_of
from yunduan.domains.search.store_words import Term
from yunduan.domains.search.words import folded
from yunduan.kernel.ids import OrderId, PersonId, ShopId
from yunduan.kernel.messages import Query
from yunduan.runtime.ports import SideStores
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

PAGE_MAX = 50
TITLES_MAX = 5_000
"""So many titles of a shop are looked at, the newest to the index, or of a buyer, the last bought; whoever has more is told so."""
ORDERS_MAX = 20_000
"""So many of a buyer's orders are looked through for a page, in five milliseconds; the next page goes on."""
SHOPS_MAX = 32
"""Whoever has bought of so many shops is looked for among what these sell; of more, among all that has the words."""
MATCHED_MAX = 20_000
PLACES_MAX = 1_024
"""So many orders that were found are looked at for a page, where only those of one state are wanted; the next page goes on."""
TAIL_MIN, NUMBER = 4, 12
"""The fewest of an order number's last digits that it is found by, and how many it has."""
PARCEL_MIN, PARCEL_MAX = 4, 40
LATEST = 2**53


class OrdersFound(Struct, frozen=True, kw_only=True):
    """One page of orders, the latest first; `after` asks for the next, nothing when there is none."""

    items: tuple[OrderLine, ...]
    after: OrderId | None
    is_whole: bool
    """Whether all were looked through. Some older ones may be missing while the index is being made, or where very many were asked for."""


OrderText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=TEXT_MAX,
        pattern=TYPED,
        description="Words of what was bought, in any form, an order number or its last digits (four or more), or a parcel's number.",
        examples=["longjing"],
    ),
]
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]


class FindMyOrders(Query[OrdersFound]):
    """The caller's orders by what was bought, what its shop is called today, the order's number or that of a parcel."""

    q: OrderText
    state: OrderState | None = None
    after: OrderId | None = None
    limit: PageSize = 20


class FindShopOrders(Query[OrdersFound]):
    """A shop's orders by what was bought or its SKU, the order's number or, for staff who follow parcels, that of a parcel."""

    shop_id: ShopId
    q: OrderText
    state: OrderState | None = None
    after: OrderId | None = None
    limit: PageSize = 20


class OrderFinder:
    """Finds in the generation that everybody reads; one for each process, or thread, that asks."""

    def __init__(self, sides: SideStores) -> None:
        """Open it when it is first asked."""
        self.sides = sides
        self._generation = 0
        self._index: OrderIndex | None = None

    def refresh(self) -> OrderIndex | None:
        """The index as it is now; nothing while the first is being made, or one in this program's form."""
        generation = self.sides.generation()
        if generation != self._generation:
            self.close()
            self._generation = generation
            index = OrderIndex(self.sides.read(generation)) if generation else None
            if index is not None and index.form() != index.FORM:
                index.close()
                index = None
            self._index = index
        return self._index

    def close(self) -> None:
        """Let go of it."""
        if self._index is not None:
            self._index.close()
            self._index = None


@answers(FindMyOrders)
def find_my_orders(at: Asking, ask: FindMyOrders) -> OrdersFound:
    """Among the caller's own."""
    return _found(at, _Wanted(at.actor.person, False, ask.q, ask.state, ask.after, ask.limit, is_led=True))


@answers(FindShopOrders)
def find_shop_orders(at: Asking, ask: FindShopOrders) -> OrdersFound:
    """Among the shop's own. Who does not see parcels' numbers does not learn by asking whose they are."""
    is_led = at.actor.serves(ask.shop_id, *FOLLOWS)
    return _found(at, _Wanted(ask.shop_id, True, ask.q, ask.state, ask.after, ask.limit, is_led=is_led))


class _Wanted(Struct, frozen=True):
    """What is looked for, and among whose."""

    owner: PersonId | ShopId
    is_shop: bool
    text: str
    state: OrderState | None
    after: OrderId | None
    limit: int
    is_led: bool


def _found(at: Asking, wanted: _Wanted) -> OrdersFound:
    index = at.port(OrderFinder).refresh()
    through = index.state().through if index is not None else 0  # before anything else is read: what comes in meanwhile is found twice
    before = at.ask(PlaceBefore(order_id=wanted.after)) if wanted.after else LATEST
    planned = read(plan(wanted.text, index or NOBODY), index or NOBODY)
    new = at.ask(NewOrdersOf(owner=wanted.owner, is_shop=wanted.is_shop, after=through, before=before))
    owner = 0 if index is None else index.shop(wanted.owner) if wanted.is_shop else buyer_of(wanted.owner)
    some = {*_new_that_match(at, wanted, planned, new, index), *_numbered(at, wanted, before, index, owner)}
    had = _had(at, wanted, planned, index, owner, before) if index is not None and owner and planned.slots else NOTHING
    ids, rest = _page(at, wanted, _Places(index, had, some), before)
    last = at.ask(LastPlace())
    return OrdersFound(
        items=at.ask(LinesOf(order_ids=tuple(ids[: wanted.limit]))),
        after=ids[wanted.limit - 1] if len(ids) > wanted.limit else rest,
        is_whole=had.is_all and last - through <= NEW_SCANNED and len(new) < NEW_MAX,
    )


class _Nobody:
    """Knows no words: there is no index yet."""

    def known(self, terms: Iterable[str]) -> list[Term]:  # noqa: ARG002 - the form of a lexicon
        return []

    def begins(self, head: str) -> bool:  # noqa: ARG002 - the same
        """Not here."""
        return False

    def slips(self, wrong: str) -> list[Term]:  # noqa: ARG002 - the same
        return []

    def syllables(self, text: str) -> dict[str, str]:  # noqa: ARG002 - the same
        return {}


NOBODY = _Nobody()


# Pages


class _Places:
    """The places of all that was found: of a shop's titles in pages, of the rest at once. What comes before `since` is for later."""

    def __init__(self, index: OrderIndex | None, had: "_Had", some: Iterable[int]) -> None:
        self._index = index
        self._titles = had.titles
        self._some = sorted([place for place in {*some, *had.places} if place >= had.since], reverse=True)
        self.since = had.since

    def next(self, before: int, limit: int) -> list[int]:
        """So many of them from before a place on, the latest first."""
        found = {place for place in self._some if place < before}
        if self._index is not None and self._titles:
            found.update(self._index.places(self._titles, before, limit))
        return sorted(found, reverse=True)[:limit]


def _page(at: Asking, wanted: _Wanted, places: _Places, before: int) -> tuple[list[OrderId], OrderId | None]:
    """(the orders of a page and one more, if there is one; where the next page begins if too many were looked at for that)."""
    ids: list[OrderId] = []
    size = wanted.limit + 1 if wanted.state is None else AT_ONCE
    for _ in range(0, PLACES_MAX, size):
        some = places.next(before, size)
        owned = at.ask(OwnedAmong(owner=wanted.owner, is_shop=wanted.is_shop, places=tuple(some), state=wanted.state)) if some else {}
        ids += [owned[place] for place in some if place in owned]
        if len(ids) > wanted.limit or (len(some) < size and not places.since):
            return ids, None
        before = some[-1] if len(some) == size else places.since
        if before == places.since:
            break
    last = at.ask(OwnedAmong(owner=wanted.owner, is_shop=wanted.is_shop, places=(before,)))
    return ids, last.get(before)


# What is looked through


def _new_that_match(at: Asking, wanted: _Wanted, planned: Plan, new: Sequence[FindableOrder], index: OrderIndex | None) -> list[int]:
    """Those of the newest orders that have what is looked for."""
    if not new:
        return []
    tail = _tail(wanted.text)
    found = [order.place for order in new if tail and order.number.endswith(tail)]
    if not planned.slots:
        return found
    names = {} if wanted.is_shop else _names(at, {order.shop_id for order in new})
    texts = {item: (item.title, item.title_en, item.option_text, item.option_text_en, item.sku) for order in new for item in order.items}
    readings = _readings(index, [*(text for said in texts.values() for text in said), *(text for said in names.values() for text in said)])
    said = {item: looked(text, readings) for item, text in texts.items()}
    shops = {shop: looked(name, readings) for shop, name in names.items()}
    for order in new:
        called = shops.get(order.shop_id)
        slots = [slot for slot in planned.slots if called is None or not has(slot, called)]
        if any(has_all(slots, said[item]) for item in order.items):
            found.append(order.place)
    return found


def _readings(index: OrderIndex | None, texts: Iterable[str]) -> Mapping[str, str]:
    return index.syllables("".join(dict.fromkeys(folded("".join(texts))))) if index is not None else {}


def _names(at: Asking, shops: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What shops are called today."""
    terms = {shop: at.ask(TermsOf(shop_id=ShopId(shop))) for shop in shops}
    return {shop: (said.name, said.name_en) for shop, said in terms.items()}


# What the index is asked


class _Had(Struct, frozen=True):
    """What the index says: the titles of a shop that are meant, or the places of a buyer's orders."""

    titles: Sequence[int] = ()
    places: Sequence[int] = ()
    is_all: bool = True
    """Whether these are all."""
    since: int = 0
    """The place of the earliest order that was looked at, where there may be earlier ones."""


NOTHING = _Had()


def _had(at: Asking, wanted: _Wanted, planned: Plan, index: OrderIndex, owner: int, before: int) -> _Had:
    """What somebody has bought or sold that has every word or, bought, is of a shop that is called so."""
    if wanted.is_shop:
        sold = _read_alike(planned, lambda expression: index.matched(expression, shops=(owner,), limit=TITLES_MAX))
        return _Had(titles=sold, is_all=len(sold) < TITLES_MAX)
    bought = index.bought(owner, before, ORDERS_MAX)
    titles = bought.titles()
    places = bought.places_of(_bought(at, planned, index, titles[:TITLES_MAX]))
    return _Had(places=places, is_all=len(titles) < TITLES_MAX, since=bought.places[-1] if len(bought.places) == ORDERS_MAX else 0)


def _bought(at: Asking, planned: Plan, index: OrderIndex, titles: Sequence[int]) -> Iterable[int]:
    """Those of some titles that have every word, or are of a shop that is called so."""
    shops = index.shops_of(titles)
    among = {no for no, _ in shops.values()}

    def matched(expression: str) -> list[int]:
        return list(shops.keys() & index.matched(expression, shops=among if len(among) <= SHOPS_MAX else (), limit=MATCHED_MAX))

    called = _called(at, planned.slots, index, {title: id for title, (_, id) in shops.items()})
    if not any(called):
        return _read_alike(planned, matched)
    found = set(titles)
    for slot, by_shop in zip(planned.slots, called, strict=True):
        found &= by_shop | (set(matched(of_title(slot.expression))) if found - by_shop else set())
    return found


def _read_alike(planned: Plan, matched: Callable[[str], list[int]]) -> list[int]:
    """What has every word; where nothing has, what has one that is read like it."""
    found = matched(planned.of_names())
    alike = planned.alike() if not found else ""
    return matched(of_title(alike)) if alike else found


def _called(at: Asking, slots: Sequence[Slot], index: OrderIndex, shops: Mapping[int, str]) -> list[set[int]]:
    """Of each word the titles of those shops that are called so."""
    names = _names(at, set(shops.values()))
    readings = _readings(index, [text for said in names.values() for text in said])
    texts = {shop: looked(said, readings) for shop, said in names.items()}
    by_word = [{shop for shop, text in texts.items() if has(slot, text)} for slot in slots]
    return [{title for title, shop in shops.items() if shop in so} if so else set() for so in by_word]


# Numbers


def _compact(text: str) -> str:
    return folded(text).replace(" ", "").replace("-", "").strip()


def _tail(text: str) -> str:
    """The last digits of an order number, if a text may be that."""
    digits = _compact(text)
    return digits if digits.isascii() and digits.isdigit() and TAIL_MIN <= len(digits) <= NUMBER else ""


def _numbered(at: Asking, wanted: _Wanted, before: int, index: OrderIndex | None, owner: int) -> set[int]:
    """The orders, whosever they are, that a text may be a number of."""
    found: set[int] = set()
    tail, compact = _tail(wanted.text), _compact(wanted.text)
    place = at.ask(NumberedPlace(number=tail)) if len(tail) == NUMBER else None
    if place is not None and place < before:
        found.add(place)
    if index is None or not owner:
        return found
    if tail and len(tail) < NUMBER:
        places = index.by_tail(owner, int(tail) % TAIL, before, AT_ONCE, is_shop=wanted.is_shop)
        found.update(places if len(tail) == TAIL_MIN else [place for place in places if at.ask(NumberOf(place=place)).endswith(tail)])
    if wanted.is_led and compact.isascii() and compact.isalnum() and PARCEL_MIN <= len(compact) <= PARCEL_MAX:
        places = index.by_parcel(owner, at.ask(ParcelMark(tracking=compact)), before, AT_ONCE)
        found.update(at.ask(Carried(places=tuple(places), owner=wanted.owner, is_shop=wanted.is_shop, tracking=compact)) if places else ())
    return found
