"""The rows of orders."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from yunduan.domains.orders.cases import DEADLINES_MS, Case, CaseEvent, CaseState, Details, Said, Shown, case_id_of
from yunduan.domains.orders.dispatch import DispatchMark
from yunduan.domains.orders.limits import LimitedPurchase, LimitedPurchases
from yunduan.domains.orders.model import (
    PARCELS_MAX,
    Cart,
    CartLine,
    Order,
    OrderState,
    Progress,
    ReportReason,
    Review,
    ReviewReport,
    Terms,
    Verdict,
    Waiting,
    Who,
    Word,
    WordKind,
)
from yunduan.domains.orders.parcels import Scan, ScanKind, Watch
from yunduan.domains.orders.taxes import TaxTable
from yunduan.kernel.ids import LAST, CaseId, CheckoutId, GoodsId, OrderId, PersonId, ReviewId, ShopId, VariantId
from yunduan.runtime.ports import Reader, Row, Table
from yunduan.runtime.transaction import Asking, Tx

_encode = msgspec.msgpack.Encoder().encode
_cart_lines = msgspec.msgpack.Decoder(tuple[CartLine, ...]).decode
_progress = msgspec.msgpack.Decoder(Progress).decode
_terms = msgspec.msgpack.Decoder(Terms).decode

CART: Table[PersonId, Cart] = Table(
    name="cart",
    columns={"person": str, "lines": bytes},
    value=lambda row: Cart(row[0], _cart_lines(row[1])),
    row=lambda cart: (cart.person, _encode(cart.lines)),
)


def _order_row(order: Order) -> Row:
    return (
        order.id, order.seq, order.buyer, order.shop_id, order.state, order.total, order.currency, order.placed_at,
        _encode(order.progress), order.terms,
    )  # fmt: skip


def _order(row: Row) -> Order:
    id, seq, buyer, shop_id, state, total, currency, placed_at, progress, terms = row
    return Order(seq, id, buyer, shop_id, OrderState(state), total, currency, placed_at, _progress(progress), terms)


ORDER: Table[OrderId, Order] = Table(
    remembered=1_000,
    name="orders",
    columns={
        "id": str,
        "seq": int,
        "buyer": str,
        "shop_id": str,
        "state": str,
        "total": int,
        "currency": str,
        "placed_at": int,
        "progress": bytes,
        "terms": bytes,
    },
    value=_order,
    row=_order_row,
    updates=("state", "progress"),
)

WORD: Table[tuple[ReviewId, WordKind], Word] = Table(
    name="review_word",
    columns={"review_id": str, "kind": str, "writer": str, "sealed": bytes, "at": int},
    value=lambda row: Word(row[0], WordKind(row[1]), *row[2:]),
    row=lambda word: (word.review_id, word.kind, word.writer, word.sealed, word.at),
    keys=2,
    remembered=1_000,
)

_checkouts = msgspec.msgpack.Decoder(tuple[CheckoutId, ...]).decode
WAITING: Table[PersonId, Waiting] = Table(
    name="order_waiting",
    columns={"buyer": str, "checkouts": bytes},
    value=lambda row: Waiting(row[0], _checkouts(row[1])),
    row=lambda waiting: (waiting.buyer, _encode(waiting.checkouts)),
    remembered=1_000,
)

_details = msgspec.msgpack.Decoder(Details).decode
CASE: Table[CaseId, Case] = Table(
    name="order_case",
    columns={
        "id": str,
        "order_id": str,
        "buyer": str,
        "shop_id": str,
        "state": str,
        "due": int,
        "currency": str,
        "details": bytes,
    },
    value=lambda row: Case(row[0], row[1], row[2], row[3], CaseState(row[4]), row[5], row[6], _details(row[7])),
    row=lambda case: (
        case.id, case.order_id, case.buyer, case.shop_id, case.state, case.due, case.currency, _encode(case.details),
    ),
    updates=("state", "due", "details"),
    remembered=1_000,
)  # fmt: skip

SAID: Table[tuple[CaseId, int], Said] = Table(
    name="case_statement",
    columns={"case_id": str, "number": int, "who": str, "event": str, "speaker": str, "sealed": bytes, "at": int},
    value=lambda row: Said(row[0], row[1], Who(row[2]), CaseEvent(row[3]) if row[3] else None, *row[4:]),
    row=lambda said: (said.case_id, said.number, said.who, said.event or "", said.speaker, said.sealed, said.at),
    keys=2,
    remembered=1_000,
)

_limited = msgspec.msgpack.Decoder(tuple[LimitedPurchase, ...]).decode
LIMITED: Table[tuple[PersonId, GoodsId], LimitedPurchases] = Table(
    name="limited_purchase",
    columns={"buyer": str, "goods_id": str, "purchases": bytes},
    value=lambda row: LimitedPurchases(row[0], row[1], _limited(row[2])),
    row=lambda one: (one.buyer, one.goods_id, _encode(one.purchases)),
    keys=2,
    remembered=1_000,
)

WATCH: Table[tuple[OrderId, int], Watch] = Table(
    name="parcel_watch",
    columns={"order_id": str, "parcel": int, "number": bytes, "next_at": int, "asked": int},
    value=lambda row: Watch(*row),
    row=lambda one: (one.order_id, one.parcel, one.number, one.next_at, one.asked),
    keys=2,
    remembered=1_000,
)

SCAN: Table[tuple[OrderId, int, str], Scan] = Table(
    name="parcel_scan",
    columns={"order_id": str, "parcel": int, "id": str, "kind": str, "at": int, "heard_at": int, "sealed": bytes},
    value=lambda row: Scan(row[0], row[1], row[2], ScanKind(row[3]), *row[4:]),
    row=lambda one: (one.order_id, one.parcel, one.id, one.kind, one.at, one.heard_at, one.sealed),
    keys=3,
    remembered=1_000,
)

_tax_table = msgspec.msgpack.Decoder(TaxTable).decode
TAX_TABLE: Table[tuple[str, str], TaxTable] = Table(
    name="tax_table",
    columns={"country": str, "region": str, "body": bytes},
    value=lambda row: _tax_table(row[2]),
    row=lambda table: (table.country, table.region, _encode(table)),
    keys=2,
    remembered=1_000,
)

_TAX_TABLES = "SELECT body FROM tax_table WHERE country = ? ORDER BY region"
DISPATCH: Table[str, DispatchMark] = Table(
    name="order_dispatch",
    columns={"name": str, "through": int, "next_at": int},
    value=lambda row: DispatchMark(*row),
    row=lambda mark: (mark.name, mark.through, mark.next_at),
    remembered=1,
)

COUNT: Table[str, tuple[str, int]] = Table(name="order_count", columns={"name": str, "last": int}, value=tuple, row=tuple)


def _review(row: Row) -> Review:
    order_id, variant_id, id, goods_id, shop_id, author, stars, words, at, hidden = row
    return Review(order_id, variant_id, id, goods_id, shop_id, author, stars, words, at, bool(hidden))


REVIEW: Table[tuple[OrderId, VariantId], Review] = Table(
    name="review",
    columns={
        "order_id": str,
        "variant_id": str,
        "id": str,
        "goods_id": str,
        "shop_id": str,
        "author": str,
        "stars": int,
        "sealed": bytes,
        "at": int,
        "hidden": int,
    },
    value=_review,
    row=lambda r: (r.order_id, r.variant_id, r.id, r.goods_id, r.shop_id, r.author, r.stars, r.sealed, r.at, int(r.hidden)),
    keys=2,
    updates=("hidden",),
)

REPORT: Table[tuple[ReviewId, PersonId], ReviewReport] = Table(
    name="review_report",
    columns={
        "review_id": str,
        "reporter": str,
        "reason": str,
        "sealed": bytes,
        "at": int,
        "verdict": str,
        "judge": str,
        "answer": bytes,
        "judged_at": int,
    },
    value=lambda row: ReviewReport(row[0], row[1], ReportReason(row[2]), row[3], row[4], Verdict(row[5]), *row[6:]),
    row=lambda one: (
        one.review_id, one.reporter, one.reason, one.sealed, one.at, one.verdict, one.judge, one.answer, one.judged_at,
    ),
    keys=2,
    updates=("verdict", "judge", "answer", "judged_at"),
    remembered=1_000,
)  # fmt: skip

_BY_STATE = "SELECT state, currency, count(*), CAST(sum(total) AS INTEGER) FROM orders GROUP BY state, currency ORDER BY state, currency"
_FILE_FOR_BUYER = "INSERT INTO order_of_buyer (buyer, order_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
_FILE_FOR_SHOP = "INSERT INTO order_of_shop (shop_id, state, order_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_UNFILE_FOR_SHOP = (
    "DELETE FROM order_of_shop WHERE shop_id = ? AND order_id = ?"
    " AND state IN ('placed', 'paid', 'partly_shipped', 'shipped', 'received', 'cancelled', 'refunded') AND state <> ?"
)
_MARK = (
    "INSERT INTO order_index_mark (name, through) VALUES ('orders', ?)"
    " ON CONFLICT (name) DO UPDATE SET through = excluded.through WHERE excluded.through > order_index_mark.through"
)
_THROUGH = "SELECT through FROM order_index_mark WHERE name = 'orders'"
NEW_ORDERS_MAX = 2000
"""How many of the newest orders are looked through for those that the index does not have yet."""
_NEW = (
    "SELECT id FROM (SELECT id, buyer FROM orders WHERE id > ? ORDER BY id DESC LIMIT ?) AS latest"
    " WHERE buyer = ? AND id < ? ORDER BY id DESC"
)
_BUYER_PAGE = "SELECT order_id FROM order_of_buyer WHERE buyer = ? AND order_id < ? ORDER BY order_id DESC LIMIT ?"
_BUYER_PAGE_IN = (
    "SELECT f.order_id FROM order_of_buyer f JOIN orders o ON o.id = f.order_id"
    " WHERE f.buyer = ? AND f.order_id < ? AND o.state = ? ORDER BY f.order_id DESC LIMIT ?"
)
_SHOP_PAGE = "SELECT order_id FROM order_of_shop WHERE shop_id = ? AND state = ? AND order_id < ? ORDER BY order_id DESC LIMIT ?"
_SHOP_PAGE_AFTER = "SELECT order_id FROM order_of_shop WHERE shop_id = ? AND state = ? AND order_id > ? ORDER BY order_id LIMIT ?"
_SHOP_CASES = " UNION ALL ".join(
    f"SELECT '{state}', CAST(count(*) AS INTEGER)"  # noqa: S608 - names from code
    f" FROM (SELECT 1 FROM order_case WHERE shop_id = ? AND state = '{state}' LIMIT ?) AS few"
    for state in CaseState
)
_SHOP_STATES = " UNION ALL ".join(
    f"SELECT '{state}', CAST(count(*) AS INTEGER)"  # noqa: S608 - names from code
    f" FROM (SELECT 1 FROM order_of_shop WHERE shop_id = ? AND state = '{state}' LIMIT ?) AS few"
    for state in OrderState
)
_BUYER_STATES = (
    "SELECT o.id, o.state FROM order_of_buyer f JOIN orders o ON o.id = f.order_id WHERE f.buyer = ? ORDER BY f.order_id DESC LIMIT ?"
)
_OPEN_FILED = (
    "SELECT f.order_id FROM order_of_buyer f JOIN orders o ON o.id = f.order_id"
    " WHERE f.buyer = ? AND o.state IN ('placed', 'paid', 'partly_shipped', 'shipped')"
)
_OPEN_NEW = "SELECT id FROM orders WHERE id > ? AND buyer = ? AND state IN ('placed', 'paid', 'partly_shipped', 'shipped')"
_ID_OF_SEQ = "SELECT id FROM orders WHERE seq = ?"
_REVIEWS = (
    "SELECT order_id, variant_id, id, goods_id, shop_id, author, stars, sealed, at, hidden"
    " FROM review WHERE goods_id = ? AND id < ? AND hidden = 0 ORDER BY id DESC LIMIT ?"
)
_REVIEW_BY_ID = "SELECT order_id, variant_id, id, goods_id, shop_id, author, stars, sealed, at, hidden FROM review WHERE id = ?"
_OPEN_REPORTS = "SELECT reporter FROM review_report WHERE review_id = ? AND verdict = 'open' ORDER BY at, reporter LIMIT ?"
_REPORTED = "SELECT DISTINCT review_id FROM review_report WHERE verdict = 'open' AND review_id > ? ORDER BY review_id LIMIT ?"
_REPORTS_OF = "SELECT review_id FROM review_report WHERE reporter = ? AND review_id < ? ORDER BY review_id DESC LIMIT ?"
_ORDERS_BY_NUMBER = "SELECT DISTINCT order_id FROM parcel_watch WHERE number = ? ORDER BY order_id LIMIT ?"
_WATCHES_DUE = (
    "SELECT order_id, parcel, number, next_at, asked FROM parcel_watch"
    " WHERE next_at > 0 AND next_at <= ? ORDER BY next_at, order_id, parcel LIMIT ?"
)
_NEXT_WATCH = "SELECT min(next_at) FROM parcel_watch WHERE next_at > 0"
_SCANS = "SELECT order_id, parcel, id, kind, at, heard_at, sealed FROM parcel_scan WHERE order_id = ? AND parcel = ? ORDER BY at, id"
_PLACED_AFTER = "SELECT seq, id, state, placed_at FROM orders WHERE seq > ? ORDER BY seq LIMIT ?"
_REVIEWED = "SELECT variant_id FROM review WHERE order_id = ? ORDER BY variant_id"
_KEEP_PICTURE = (
    "INSERT INTO case_picture (case_id, number, picture, who, media_type, speaker, sealed, at, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PICTURES = "SELECT case_id, number, picture, who, media_type, speaker, sealed, at FROM case_picture WHERE case_id = ? ORDER BY number"
_PICTURE_CONTENT = "SELECT content FROM case_picture WHERE case_id = ? AND number = ?"
_OPEN_STATES = ", ".join(f"'{state}'" for state in DEADLINES_MS)
_CASES_OF_SHOP = "SELECT id FROM order_case WHERE shop_id = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT ?"
_CASES_IN = "SELECT id FROM order_case WHERE state = ? AND id < ? ORDER BY id DESC LIMIT ?"
_IN_CASE = f"SELECT order_id FROM order_case WHERE buyer = ? AND state IN ({_OPEN_STATES})"  # noqa: S608 - names from code


def terms(order: Order) -> Terms:
    """What was agreed."""
    return _terms(order.terms)


def waiting(at: Asking, buyer: PersonId) -> tuple[CheckoutId, ...]:
    """The checkouts of a buyer that wait for their payment."""
    found = at.get(WAITING, buyer)
    return found.checkouts if found else ()


def keep_waiting(tx: Tx, buyer: PersonId, checkouts: tuple[CheckoutId, ...]) -> None:
    """Keep which of them wait now."""
    (tx.add if tx.get(WAITING, buyer) is None else tx.put)(WAITING, buyer, Waiting(buyer, checkouts))


def next_seq(tx: Tx, orders: int) -> int:
    """Numbers for so many new orders: the first of them."""
    found = tx.get(COUNT, "orders")
    if found is None:
        tx.add(COUNT, "orders", ("orders", orders))
        return 1
    tx.put(COUNT, "orders", ("orders", found[1] + orders))
    return found[1] + 1


def encoded(agreed: Terms) -> bytes:
    """What was agreed, as it is kept."""
    return _encode(agreed)


def keep_cart(tx: Tx, cart: Cart, lines: tuple[CartLine, ...]) -> None:
    """Write what a person wants now."""
    tx.put(CART, cart.person, Cart(cart.person, lines))


# Lists


def filed(tx: Tx, orders: Sequence[Order], *, through: OrderId) -> None:
    """File orders under their buyers and, by the state they are in now, under their shops; sorted, so that a page is written once."""
    for row in sorted((order.buyer, order.id) for order in orders):
        tx.append(_FILE_FOR_BUYER, row)
    for place in sorted((order.shop_id, order.state.value, order.id) for order in orders):
        tx.append(_FILE_FOR_SHOP, place)
    tx.write(_MARK, (through,))


def refile(tx: Tx, orders: Sequence[Order]) -> None:
    """File orders under their shops by the state they are in now, and by no other."""
    for order in orders:  # first all of them out, then all in: a statement would have whatever waits for its table written first
        tx.write(_UNFILE_FOR_SHOP, (order.shop_id, order.id, order.state))
    for order in orders:
        tx.append(_FILE_FOR_SHOP, (order.shop_id, order.state, order.id))


def page_of_buyer(at: Asking, buyer: PersonId, state: OrderState | None, before: str, limit: int) -> list[OrderId]:
    """A person's orders, the latest first: those filed, and the newest that are not filed yet."""
    found = at.rows(_BUYER_PAGE_IN, (buyer, before, state, limit)) if state else at.rows(_BUYER_PAGE, (buyer, before, limit))
    through = at.row(_THROUGH)
    new = at.rows(_NEW, (through[0] if through else "", NEW_ORDERS_MAX, buyer, before))
    return sorted({row[0] for row in (*found, *new)}, reverse=True)


def open_orders_of(at: Asking, buyer: PersonId) -> set[OrderId]:
    """A person's orders that are not at their end, or in a case: filed or not filed yet, however far the follower is behind."""
    filed, through = at.rows(_OPEN_FILED, (buyer,)), at.row(_THROUGH)
    new = at.rows(_OPEN_NEW, (through[0] if through else "", buyer))
    return {row[0] for row in (*filed, *new, *at.rows(_IN_CASE, (buyer,)))}


def page_of_shop(at: Asking, shop_id: ShopId, states: Sequence[OrderState], before: str, limit: int) -> list[OrderId]:
    """A shop's orders in some states, the latest first."""
    rows = [row for state in states for row in at.rows(_SHOP_PAGE, (shop_id, state, before, limit))]
    return sorted({row[0] for row in rows}, reverse=True)[:limit]


def states_of_shop(at: Asking, shop_id: ShopId, most: int) -> dict[OrderState, int]:
    """How many orders of a shop are filed under each state, so many of each at most."""
    return {OrderState(row[0]): row[1] for row in at.rows(_SHOP_STATES, (shop_id, most) * len(OrderState))}


def waiting_to_leave(at: Asking, shop_id: ShopId, states: Sequence[OrderState], after: str, limit: int) -> list[OrderId]:
    """A shop's orders in some states, the oldest first, from after one on."""
    rows = [row for state in states for row in at.rows(_SHOP_PAGE_AFTER, (shop_id, state, after, limit))]
    return sorted({row[0] for row in rows})[:limit]


def case_states_of_shop(at: Asking, shop_id: ShopId, most: int) -> dict[CaseState, int]:
    """How many cases of a shop are in each state, so many of each at most."""
    return {CaseState(row[0]): row[1] for row in at.rows(_SHOP_CASES, (shop_id, most) * len(CaseState))}


def states_of_buyer(at: Asking, buyer: PersonId, most: int) -> tuple[Counter[OrderState], bool]:
    """How many of a person's latest orders are in each state, those that are not filed yet included; and whether there are more."""
    filed, through = at.rows(_BUYER_STATES, (buyer, most + 1)), at.row(_THROUGH)
    new = at.rows(_NEW, (through[0] if through else "", NEW_ORDERS_MAX, buyer, LAST))
    states = {id: OrderState(state) for id, state in filed}
    states |= {order.id: order.state for order in at.get_many(ORDER, [row[0] for row in new]).values()}
    return Counter(states[id] for id in sorted(states, reverse=True)[:most]), len(states) > most


def id_of_seq(at: Asking, seq: int) -> OrderId | None:
    """The order with a number's place."""
    row = at.row(_ID_OF_SEQ, (seq,))
    return row[0] if row else None


def reviews_of_goods(at: Asking, goods_id: GoodsId, before: str, limit: int) -> list[Review]:
    """What was said of goods, the latest first."""
    return [REVIEW.value(row) for row in at.rows(_REVIEWS, (goods_id, before, limit))]


def review_by_id(at: Asking, id: ReviewId) -> Review | None:
    """One review."""
    row = at.row(_REVIEW_BY_ID, (id,))
    return REVIEW.value(row) if row else None


def open_reports(at: Asking, review_id: ReviewId, limit: int) -> list[PersonId]:
    """Who waits for a decision about a review, the longest waiting first."""
    return [row[0] for row in at.rows(_OPEN_REPORTS, (review_id, limit))]


def reported(at: Asking, after: str, limit: int) -> list[ReviewId]:
    """The reviews of which reports wait."""
    return [row[0] for row in at.rows(_REPORTED, (after, limit))]


def reports_of(at: Asking, reporter: PersonId, before: str, limit: int) -> list[ReviewId]:
    """The reviews that somebody has reported."""
    return [row[0] for row in at.rows(_REPORTS_OF, (reporter, before, limit))]


def words_of(at: Asking, reviews: Sequence[Review]) -> dict[tuple[ReviewId, WordKind], Word]:
    """What was said later about some reviews."""
    return at.get_many(WORD, [(review.id, kind) for review in reviews for kind in WordKind])


def reviewed(at: Asking, order_id: OrderId) -> tuple[VariantId, ...]:
    """Which lines of an order have been reviewed."""
    return tuple(row[0] for row in at.rows(_REVIEWED, (order_id,)))


ORDERS_OF_A_NUMBER = 2 * PARCELS_MAX
"""How many orders of one shop to one buyer are looked at that travel by one number."""


def orders_by_number(at: Asking, number: bytes) -> list[OrderId]:
    """The orders of which a parcel travels by a number, given its hash."""
    return [row[0] for row in at.rows(_ORDERS_BY_NUMBER, (number, ORDERS_OF_A_NUMBER))]


def watches_due(at: Asking, now: int, limit: int) -> list[Watch]:
    """The parcels whose carriers are to be asked now."""
    return [Watch(*row) for row in at.rows(_WATCHES_DUE, (now, limit))]


def next_watch(reader: Reader) -> int | None:
    """When a carrier is to be asked next."""
    row = reader.row(_NEXT_WATCH)
    return row[0] if row else None


class PlacedRow(NamedTuple):
    """What is looked at of an order that may not have left."""

    seq: int
    id: OrderId
    state: str
    placed_at: int


def placed_after(at: Asking, seq: int, limit: int) -> list[PlacedRow]:
    """The orders that were placed next after one."""
    return [PlacedRow(*row) for row in at.rows(_PLACED_AFTER, (seq, limit))]


def scans_of(at: Asking, order_id: OrderId, parcel: int) -> list[Scan]:
    """What has been told of a parcel, by the carrier's clock."""
    return [SCAN.value(row) for row in at.rows(_SCANS, (order_id, parcel))]


def by_state(reader: Reader) -> list[tuple[str, str, int, int]]:
    """Of each state and currency: how many orders there are, and what they come to."""
    return [(row[0], row[1], row[2], row[3]) for row in reader.rows(_BY_STATE)]


# Cases


def cases_of(at: Asking, order: Order) -> list[Case]:
    """Every case about an order, the first first."""
    return list(at.get_many(CASE, [case_id_of(order.id, number) for number in range(order.progress.cases)]).values())


def said_in(at: Asking, case: Case) -> list[Said]:
    """What was said in a case, from its opening on."""
    return list(at.get_many(SAID, [(case.id, number) for number in range(case.details.statements)]).values())


def keep_picture(tx: Tx, one: Shown, content: bytes) -> None:
    """Keep a picture that was shown: straight in the store, since it is large and hardly ever looked at."""
    row = (one.case_id, one.number, one.picture, one.who.value, one.media_type, one.speaker, one.sealed, one.at, content)
    tx.append(_KEEP_PICTURE, row)


def pictures_in(at: Asking, case_id: CaseId) -> list[Shown]:
    """What was shown in a case, without the pictures themselves."""
    return [Shown(row[0], row[1], row[2], Who(row[3]), *row[4:]) for row in at.rows(_PICTURES, (case_id,))]


def picture_content(at: Asking, case_id: CaseId, number: int) -> bytes:
    """A picture, sealed."""
    row = at.row(_PICTURE_CONTENT, (case_id, number))
    return row[0] if row else b""


def cases_of_shop(at: Asking, shop_id: ShopId, states: Sequence[CaseState], before: str, limit: int) -> list[CaseId]:
    """The cases of a shop's orders in some states, those of the latest orders first."""
    rows = [row for state in states for row in at.rows(_CASES_OF_SHOP, (shop_id, state, before, limit))]
    return sorted({row[0] for row in rows}, reverse=True)[:limit]


def cases_in(at: Asking, states: Sequence[CaseState], before: str, limit: int) -> list[CaseId]:
    """The same of every shop."""
    rows = [row for state in states for row in at.rows(_CASES_IN, (state, before, limit))]
    return sorted({row[0] for row in rows}, reverse=True)[:limit]


def tax_tables(reader: Reader, country: str) -> list[TaxTable]:
    """What was set for a country and its regions, its own first."""
    return [_tax_table(body) for (body,) in reader.rows(_TAX_TABLES, (country,))]
