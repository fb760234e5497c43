"""The close of a business day (日结): what a shop, and what an operator, looks at when it ends; by the market's calendar."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from yunduan.domains.ledger.model import Block
from yunduan.domains.orders import store, store_days
from yunduan.domains.orders.cases import CaseState
from yunduan.domains.orders.model import OrderRefusal, OrderSettings, OrderState
from yunduan.domains.orders.queries.lists import StateTotal
from yunduan.domains.payments.days import AccountDay, MoneyOfMarketDay, MoneyOfShopDay, ShopDayMoney, Turnover
from yunduan.kernel.ids import LAST, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

DISPUTES_MAX = 100
WAITS_FOR_SHOP = (CaseState.ASKED, CaseState.SENT)
Day = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?(?![\s\S])",
        description="A day of the market's calendar; nothing for today.",
        examples=["2026-09-21"],
    ),
]


class PlacedThatDay(Struct, frozen=True, kw_only=True):
    """The orders that were placed on a day and have come so far by now."""

    state: OrderState
    orders: int
    total: Money
    refunded: Money


class ShopDayView(Struct, frozen=True, kw_only=True):
    """A shop's business day, from `since` to before `until` (milliseconds since 1970); until it is `over`, as far as it has come.

    `to_ship` orders and `cases` wait for the shop now. `block` is the last of the book before the day's end: who notes its hash down can
    prove every transfer before it.
    """

    shop_id: ShopId
    day: str
    since: int
    until: int
    over: bool
    placed: tuple[PlacedThatDay, ...]
    to_ship: int
    cases: int
    money: tuple[ShopDayMoney, ...]
    block: Block | None


class ShopDay(Query[ShopDayView], refuses={OrderRefusal.NO_SUCH_DAY}, slow=True):
    """A shop's day: its orders, what was settled and paid out, what is due, and what still waits for it."""

    shop_id: ShopId
    day: Day = ""


class MarketDayView(Struct, frozen=True, kw_only=True):
    """The market's business day, from `since` to before `until` (milliseconds since 1970); until it is `over`, as far as it has come.

    `balanced` says whether the book's debits and credits agree now. `payouts`, `disputes` and `alerts` wait for an operator now, a hundred
    of each counted at most. `block` is the last of the book before the day's end: publish its hash.
    """

    day: str
    since: int
    until: int
    over: bool
    placed: tuple[StateTotal, ...]
    turnover: tuple[Turnover, ...]
    transfers: int
    accounts: tuple[AccountDay, ...]
    balanced: bool
    payouts: int
    disputes: int
    alerts: int
    block: Block | None


class MarketDay(Query[MarketDayView], refuses={OrderRefusal.NO_SUCH_DAY}, slow=True):
    """The market's day: orders, turnover by what moved it, the marketplace's own accounts, and whether the books balance."""

    day: Day = ""


class _Bounds(Struct, frozen=True):
    day: str
    since: int
    until: int


def _bounds(at: Asking, day: str) -> _Bounds:
    """From one midnight of the market to the next, which may be 23 or 25 hours; a day that has not begun is none."""
    zone = ZoneInfo(at.port(OrderSettings).time_zone)
    try:
        named = date.fromisoformat(day) if day else datetime.fromtimestamp(at.now / 1000, UTC).astimezone(zone).date()
        since, until = _midnight(named, zone), _midnight(named + timedelta(days=1), zone)
    except (ValueError, OverflowError):
        raise Refused(OrderRefusal.NO_SUCH_DAY, "no calendar has it") from None
    if not 0 <= since <= at.now:
        raise Refused(OrderRefusal.NO_SUCH_DAY, "it has not begun" if since > 0 else "no calendar of ours has it")
    return _Bounds(named.isoformat(), since, until)


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)


@answers(ShopDay)
def shop_day(at: Asking, ask: ShopDay) -> ShopDayView:
    """The edge has looked at the caller's role in this shop."""
    found = _bounds(at, ask.day)
    book = at.ask(MoneyOfShopDay(shop_id=ask.shop_id, since=found.since, until=found.until))
    placed = [
        PlacedThatDay(
            state=OrderState(state),
            orders=count,
            total=Money(amount=total, currency=currency),
            refunded=Money(amount=back, currency=currency),
        )
        for state, currency, count, total, back in store_days.placed_in_shop(at, ask.shop_id, since=found.since, until=found.until)
    ]
    return ShopDayView(
        shop_id=ask.shop_id,
        day=found.day,
        since=found.since,
        until=found.until,
        over=at.now >= found.until,
        placed=tuple(placed),
        to_ship=store_days.orders_in(at, ask.shop_id, (OrderState.PAID, OrderState.PARTLY_SHIPPED)),
        cases=store_days.cases_in(at, ask.shop_id, WAITS_FOR_SHOP),
        money=book.money,
        block=book.block,
    )


@answers(MarketDay)
def market_day(at: Asking, ask: MarketDay) -> MarketDayView:
    """The edge has looked at the caller's role."""
    found = _bounds(at, ask.day)
    book = at.ask(MoneyOfMarketDay(since=found.since, until=found.until))
    placed = [
        StateTotal(state=OrderState(state), orders=count, total=Money(amount=total, currency=currency))
        for state, currency, count, total in store_days.placed(at, since=found.since, until=found.until)
    ]
    return MarketDayView(
        day=found.day,
        since=found.since,
        until=found.until,
        over=at.now >= found.until,
        placed=tuple(placed),
        turnover=book.turnover,
        transfers=book.transfers,
        accounts=book.accounts,
        balanced=book.balanced,
        payouts=book.payouts,
        disputes=len(store.cases_in(at, (CaseState.HEARD,), LAST, DISPUTES_MAX)),
        alerts=book.alerts,
        block=book.block,
    )
