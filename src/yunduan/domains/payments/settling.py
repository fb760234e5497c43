"""A shop's settlement cycle (结算周期): it is paid out by itself, once a day or once a week, and sees beforehand what will come."""

from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.ledger.commands import POSTING_REFUSALS
from yunduan.domains.ledger.model import LedgerRefusal
from yunduan.domains.ledger.queries import LINES_MAX, AccountOf, Line, StatementOf
from yunduan.domains.payments import cycles, drawing, model, payouts, postings, recourse, store
from yunduan.domains.payments.cycles import AfterDays, Cycle, Mark, Plan, Weekday
from yunduan.domains.payments.model import Channels
from yunduan.domains.payments.payees import PAYOUT_MAX, PaymentSettings
from yunduan.domains.payments.store import PAYEES, PLANS
from yunduan.kernel.ids import OrderId, ShopId, TransferId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import invariant
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx


class PlanSet(Struct, frozen=True, kw_only=True):
    """A shop's cycle as it is now; `next_at` (milliseconds since 1970) is when it is paid out next, 0 when not by itself."""

    shop_id: ShopId
    cycle: Cycle
    after_days: int
    weekday: int
    next_at: int


class SetPayoutPlan(Command[PlanSet]):
    """Say when a shop is paid out by itself; what was earned before a daily plan was made waits as long as what is earned that day."""

    shop_id: ShopId
    cycle: Cycle
    after_days: AfterDays = 1
    weekday: Weekday = 1


class RunPayoutPlan(Command[None], refuses=POSTING_REFUSALS):
    """Pay a shop out whose day has begun. An alarm; harmless when the plan is another by now or has run."""

    shop_id: ShopId
    serial: int


@handles(SetPayoutPlan)
def set_payout_plan(tx: Tx, ask: SetPayoutPlan) -> PlanSet:
    """The edge has looked at the caller's role in this shop; the alarm of the plan before finds another serial."""
    before = tx.get(PLANS, ask.shop_id)
    plan = Plan(
        shop_id=ask.shop_id,
        cycle=ask.cycle,
        after_days=ask.after_days,
        weekday=ask.weekday,
        serial=before.serial + 1 if before else 1,
        set_by=tx.actor.person,
        next_at=0,
    )
    change = tx.add if before is None else tx.put
    change(PLANS, plan.shop_id, _armed(tx, plan))
    return _told(tx.get(PLANS, plan.shop_id) or plan)


def _armed(tx: Tx, plan: Plan) -> Plan:
    plan = replace(plan, next_at=cycles.next_run(plan, tx.now, _zone(tx)))
    if plan.next_at:
        tx.at(plan.next_at, RunPayoutPlan(shop_id=plan.shop_id, serial=plan.serial))
    return plan


def _zone(at: Asking) -> ZoneInfo:
    return ZoneInfo(at.port(PaymentSettings).time_zone)


def _told(plan: Plan) -> PlanSet:
    return PlanSet(shop_id=plan.shop_id, cycle=plan.cycle, after_days=plan.after_days, weekday=plan.weekday, next_at=plan.next_at)


@handles(RunPayoutPlan)
def run_payout_plan(tx: Tx, ask: RunPayoutPlan) -> None:
    """Each currency by itself; where nothing can be paid out now, the money waits for the next time."""
    invariant(tx.actor.is_system, "a plan runs by its own alarm")
    plan = tx.get(PLANS, ask.shop_id)
    if plan is None or plan.serial != ask.serial or not plan.next_at or tx.now < plan.next_at:
        return
    zone = _zone(tx)
    today = cycles.day_of(tx.now, zone)
    for purse in store.purses(tx, plan.shop_id):
        account = tx.ask(AccountOf(id=purse.account))
        if account is None:
            continue
        plan = cycles.marked(plan, purse.currency, Mark(day=today, credited=account.credits_posted))
        available = account.available().amount
        due = cycles.ripe(plan, purse.currency, available=available, credited=account.credits_posted, today=today, zone=zone)
        _pay_out(tx, plan, Money(amount=min(due, PAYOUT_MAX), currency=purse.currency))
    tx.put(PLANS, plan.shop_id, _armed(tx, plan))


def _pay_out(tx: Tx, plan: Plan, amount: Money) -> None:
    payee = tx.get(PAYEES, plan.shop_id)
    if (
        not amount
        or payee is None
        or not payee.is_usable(tx.port(PaymentSettings), now=tx.now)
        or payee.channel not in tx.port(Channels).by_name
    ):
        return
    payouts.begin(tx, payee, amount, asked_by=plan.set_by)


# The forecast


class Deduction(Struct, frozen=True, kw_only=True):
    """What was taken off, and the transfer that took it."""

    id: TransferId
    what: str
    amount: Money


class ForecastLine(Struct, frozen=True, kw_only=True):
    """One movement of the balance since the last payout: `change` (minor units, with its sign) is what it did.

    Of an order that was settled, `commission` is what the marketplace has kept of it before.
    """

    id: TransferId
    what: str
    change: int
    at: int
    order_id: OrderId | None
    commission: Deduction | None


class TakenOut(Struct, frozen=True, kw_only=True):
    """What a provider has handed to the marketplace out of a shop's part of an order, for what the shop owed, and by which transfer."""

    id: TransferId
    order_id: OrderId | None
    amount: Money
    at: int


class Forecast(Struct, frozen=True, kw_only=True):
    """What a shop will be paid in one currency, as things stand: `due` at `next_at`, `later` after that, `owed` before any of it.

    `items` are the movements since the last payout, the latest first; `after` asks for the following page. `taken_out` is, among the last
    movements of what it owes, what was taken out of its part where providers split its orders and give it the rest there.
    """

    currency: str
    next_at: int
    due: Money
    later: Money
    owed: Money
    items: tuple[ForecastLine, ...]
    after: int | None
    taken_out: tuple[TakenOut, ...] = ()


class PayoutForecast(Query[Forecast], refuses=(LedgerRefusal.PAGE_NOT_FOUND,), slow=True):
    """What a shop will be paid out next, and everything that makes it so much."""

    shop_id: ShopId
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}(?![\s\S])", examples=["CNY"])]
    after: Annotated[int, Meta(ge=1, le=2**53, description="The `after` of the page before.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=LINES_MAX)] = 50


@answers(PayoutForecast)
def payout_forecast(at: Asking, ask: PayoutForecast) -> Forecast:
    """The edge has looked at the caller's role in this shop; by the same rule as the alarm, for the moment at which it will ring."""
    plan, standing = at.get(PLANS, ask.shop_id), recourse.standing(at, ask.shop_id, ask.currency)
    account = at.ask(AccountOf(id=model.shop_account(ask.shop_id, ask.currency)))
    due = 0
    if plan is not None and plan.next_at and account is not None:
        zone = _zone(at)
        today = cycles.day_of(plan.next_at, zone)
        then = cycles.marked(plan, ask.currency, Mark(day=today, credited=account.credits_posted))
        available = standing.available.amount
        due = cycles.ripe(then, ask.currency, available=available, credited=account.credits_posted, today=today, zone=zone)
    lines, following = _lines(at, ask) if account is not None else ((), None)
    due_money = Money(amount=min(due, PAYOUT_MAX), currency=ask.currency)
    return Forecast(
        currency=ask.currency,
        next_at=plan.next_at if plan else 0,
        due=due_money,
        later=standing.available - due_money,
        owed=standing.owed,
        items=lines,
        after=following,
        taken_out=_taken_out(at, ask) if ask.after is None else (),
    )


def _taken_out(at: Asking, ask: PayoutForecast) -> tuple[TakenOut, ...]:
    id = drawing.receivable_account(ask.shop_id, ask.currency)
    page = at.ask(StatementOf(account_id=id, limit=ask.limit)).items if at.ask(AccountOf(id=id)) is not None else ()
    return tuple(
        [
            TakenOut(id=line.id, order_id=model.order_of_escrow(line.other_id), amount=line.amount, at=line.at)
            for line in page
            if line.code == postings.SPLIT.code
        ]
    )


def _lines(at: Asking, ask: PayoutForecast) -> tuple[tuple[ForecastLine, ...], int | None]:
    page = at.ask(StatementOf(account_id=model.shop_account(ask.shop_id, ask.currency), after=ask.after, limit=ask.limit))
    found: list[ForecastLine] = []
    for line in page.items:
        if line.code == postings.PAY_OUT.code:
            return tuple(found), None
        found.append(_line(at, line))
    return tuple(found), page.after


def _line(at: Asking, line: Line) -> ForecastLine:
    order_id = model.order_of_escrow(line.other_id) if line.code == postings.SETTLE.code else None
    names = {template.code: template.name for template in postings.TEMPLATES}
    return ForecastLine(
        id=line.id,
        what=names.get(line.code, "other"),
        change=line.change,
        at=line.at,
        order_id=order_id,
        commission=_commission(at, line) if order_id else None,
    )


def _commission(at: Asking, line: Line) -> Deduction | None:
    """What the marketplace has kept of an order: the other transfer of its settlement."""
    fee = model.commission_account(line.amount.currency)
    last = at.ask(StatementOf(account_id=line.other_id, limit=2)).items
    found = [other for other in last if other.other_id == fee and other.code == postings.SETTLE.code]
    return Deduction(id=found[0].id, what="commission", amount=found[0].amount) if found else None
