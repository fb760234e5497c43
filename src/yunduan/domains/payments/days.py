"""The money of a business day: a shop's, and the whole market's."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.ledger.model import Block, LedgerRefusal
from yunduan.domains.ledger.queries import BalanceAt, TrialBalance
from yunduan.domains.ledger.turnover import BlockBefore, TurnoverOf, TurnoverWithin
from yunduan.domains.payments import postings, store
from yunduan.domains.payments.payouts_seen import PAYOUTS_MAX, AwaitedPayoutsOf
from yunduan.domains.payments.queries import ALERTS_MAX, OpenAlertsOf, PlatformAccountsOf
from yunduan.domains.payments.settling import PayoutForecast
from yunduan.kernel.ids import AccountId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

Moment = Annotated[int, Meta(ge=0, le=2**43)]
_NAMES = {template.code: template.name for template in postings.TEMPLATES}


class DayMove(Struct, frozen=True, kw_only=True):
    """What one kind of posting did to a balance on a day: `change` in minor units, with its sign."""

    what: str
    transfers: int
    change: int


class ShopDayMoney(Struct, frozen=True, kw_only=True):
    """A shop's balance in one currency: as the day began and ended (minor units), all that moved it, and what will be paid out next.

    `due` comes at `next_at` (milliseconds since 1970, 0 when not by itself), `later` after it; the shop owes `owed` before any of it.
    """

    currency: str
    opening: int
    closing: int
    moves: tuple[DayMove, ...]
    next_at: int
    due: Money
    later: Money
    owed: Money


class ShopDayBook(Struct, frozen=True, kw_only=True):
    """A line for each currency, and the last block of the book before the day's end."""

    money: tuple[ShopDayMoney, ...]
    block: Block | None


class MoneyOfShopDay(Query[ShopDayBook], slow=True):
    """What moved on a shop's balances from `since` to before `until`; whoever asks answers for who may see it."""

    shop_id: ShopId
    since: Moment
    until: Moment


class Turnover(Struct, frozen=True, kw_only=True):
    """What postings of one kind moved on a day, in one currency."""

    what: str
    transfers: int
    amount: Money


class AccountDay(Struct, frozen=True, kw_only=True):
    """One of the marketplace's own accounts as the day began and ended, in minor units with its sign."""

    name: str
    currency: str
    opening: int
    closing: int


class MarketDayBook(Struct, frozen=True, kw_only=True):
    """The book of a day. `balanced` is the trial balance of now; `block` is the last before the day's end: keep its hash.

    `payouts` and `alerts` wait for an operator now; a hundred of each are counted at most.
    """

    turnover: tuple[Turnover, ...]
    transfers: int
    accounts: tuple[AccountDay, ...]
    balanced: bool
    block: Block | None
    payouts: int
    alerts: int


class MoneyOfMarketDay(Query[MarketDayBook], slow=True):
    """What moved in the whole market from `since` to before `until`; whoever asks answers for who may see it."""

    since: Moment
    until: Moment


@answers(MoneyOfShopDay)
def money_of_shop_day(at: Asking, ask: MoneyOfShopDay) -> ShopDayBook:
    """Each of its balances by the account's own links."""
    found = [_of_shop(at, ask, purse.account, purse.currency) for purse in store.purses(at, ask.shop_id)]
    return ShopDayBook(money=tuple(found), block=at.ask(BlockBefore(moment=ask.until)))


def _of_shop(at: Asking, ask: MoneyOfShopDay, account: AccountId, currency: str) -> ShopDayMoney:
    turnover = at.ask(TurnoverOf(id=account, since=ask.since, until=ask.until))
    forecast = at.ask(PayoutForecast(shop_id=ask.shop_id, currency=currency, limit=1))
    moves = turnover.moves if turnover else ()
    return ShopDayMoney(
        currency=currency,
        opening=turnover.opening if turnover else 0,
        closing=turnover.closing if turnover else 0,
        moves=tuple([DayMove(what=_NAMES.get(code, "other"), transfers=count, change=change) for code, count, change in moves]),
        next_at=forecast.next_at,
        due=forecast.due,
        later=forecast.later,
        owed=forecast.owed,
    )


@answers(MoneyOfMarketDay)
def money_of_market_day(at: Asking, ask: MoneyOfMarketDay) -> MarketDayBook:
    """The transfers of the day added up, and the marketplace's own accounts in each currency that any account has."""
    book = at.ask(TurnoverWithin(since=ask.since, until=ask.until))
    trial = at.ask(TrialBalance())
    currencies = sorted({line.currency for line in trial.lines})
    moved = [Turnover(what=_NAMES.get(move.code, "other"), transfers=move.transfers, amount=move.amount) for move in book.moves]
    return MarketDayBook(
        turnover=tuple(moved),
        transfers=book.transfers,
        accounts=tuple([line for currency in currencies for line in _own(at, currency, ask)]),
        balanced=trial.balanced,
        block=book.block,
        payouts=len(at.ask(AwaitedPayoutsOf(limit=PAYOUTS_MAX)).items),
        alerts=len(at.ask(OpenAlertsOf(limit=ALERTS_MAX)).items),
    )


def _own(at: Asking, currency: str, ask: MoneyOfMarketDay) -> list[AccountDay]:
    accounts = at.ask(PlatformAccountsOf(currency=currency)).items
    found = [(one.name, _balance(at, one.id, ask.since - 1), _balance(at, one.id, ask.until - 1)) for one in accounts]
    return [AccountDay(name=name, currency=currency, opening=opening, closing=closing) for name, opening, closing in found]


def _balance(at: Asking, id: AccountId, moment: int) -> int:
    """What an account stood at after a moment; one that has never been used at nothing."""
    try:
        return at.ask(BalanceAt(account_id=id, at=max(0, moment))).balance
    except Refused as refused:
        if refused.code is LedgerRefusal.ACCOUNT_NOT_FOUND:
            return 0
        raise
