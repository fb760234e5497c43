"""A provider's statement of a day against our books: each line, and each balance at the end of the day; what differs is an alert."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.ledger.model import LedgerRefusal
from yunduan.domains.ledger.queries import BalanceAt
from yunduan.domains.payments import hearing_again, mirroring, model, store
from yunduan.domains.payments.alerting import alert
from yunduan.domains.payments.errands import OutgoingKind, OutgoingState
from yunduan.domains.payments.mirroring import NOTHING_KEPT, KeptBalances, KeptLine, KeptMove
from yunduan.domains.payments.model import BalanceOff, Channels, ChargeState, Mismatch, PaymentRefusal, StatementDay, StatementState
from yunduan.domains.payments.returning import have_asked
from yunduan.domains.payments.store import OUTGOING, PAYMENTS, STATEMENTS
from yunduan.kernel.ids import LAST, AccountId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.money import Currency, Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

LINES_AT_ONCE = 200
AGAIN_MS = 3_600_000
"""How long after something differed it is compared once more."""
DAYS_MAX = 100


class Closing(Struct, frozen=True, kw_only=True):
    """Where a provider says that its money was at the end of a day; `late` is what of the day's lines we heard of only after that."""

    currency: Currency
    theirs: KeptBalances
    late: KeptBalances


class Compared(Struct, frozen=True, kw_only=True):
    """How many of some lines differ, and what those moved, by currency, of which we heard only after the day had ended."""

    differing: int
    late: dict[str, KeptBalances]


class CompareStatement(Command[Compared]):
    """Compare lines of a provider's statement of a day with our books; a line that differs the second time becomes an alert, once."""

    statement_id: str
    lines: Annotated[tuple[KeptLine, ...], Meta(max_length=LINES_AT_ONCE)]


class CloseStatement(Command[None]):
    """Compare the balances at the end of a day, when all lines have been; a report that has been heard changes nothing."""

    outgoing_id: str
    tries: int
    lines: int
    differing: int
    closing: tuple[Closing, ...]


class Remark(Struct, frozen=True, kw_only=True):
    """What a statement says that differs, in the words of a notification."""

    event: str
    reference: str
    outcome: str
    amount: Money
    request: str = ""
    merchant: str = ""
    chargeback: str = ""
    fee: int = 0
    evidence_due: int = 0
    held_until: int = 0


@handles(CompareStatement)
def compare_statement(tx: Tx, ask: CompareStatement) -> Compared:
    """The same lines again find the same, and alerts that stand already."""
    day = tx.get(STATEMENTS, ask.statement_id)
    if day is None:
        return Compared(differing=0, late={})
    differing, late = 0, dict[str, KeptBalances]()
    for line in ask.lines:
        ours = mirroring.ours_of(tx, day.channel, line)
        if ours.amount != line.amount.amount:
            differing += 1
            told = Remark(event=day.id, reference=line.reference, outcome=line.word or line.what, amount=line.amount, request=line.request)
            _alert(tx, day, told, Mismatch.STATEMENT_DIFFERS)
            _ask_about(tx, day, line)
        elif ours.at >= day.until:
            currency = line.amount.currency
            late[currency] = late.get(currency, NOTHING_KEPT).plus(moved_by(line))
    return Compared(differing=differing, late=late)


def _ask_about(tx: Tx, day: StatementDay, line: KeptLine) -> None:
    """What was collected, or what a bank has done, and we have not heard of, the provider is asked about at once."""
    if line.what in (KeptMove.CHARGED_BACK, KeptMove.BANK_RETURNED):
        hearing_again.ask(tx, day.channel, line.request, model.chargeback_id(day.channel, line.request))
        return
    payment = tx.get(PAYMENTS, model.payment_of_reference(line.reference))
    charge = payment.charge(line.reference) if payment else None
    is_unheard = charge is not None and charge.channel == day.channel and charge.state in (ChargeState.PENDING, ChargeState.ENDED)
    if payment is not None and charge is not None and is_unheard and line.what is KeptMove.COLLECTED:
        have_asked(tx, OutgoingKind.QUERY, id=tx.id("ask"), charge=charge, cause=payment.id)


def moved_by(line: KeptLine) -> KeptBalances:
    """What a line does to the provider's balances."""
    whole, ours = line.amount.amount, line.amount.amount - line.of_shop
    return {
        KeptMove.COLLECTED: KeptBalances(held=whole, given=0, own=0),
        KeptMove.REFUNDED: KeptBalances(held=-whole, given=0, own=0),
        KeptMove.SPLIT: KeptBalances(held=-whole, given=line.of_shop, own=ours),
        KeptMove.RETURNED: KeptBalances(held=whole, given=-line.of_shop, own=-ours),
        KeptMove.CHARGED_BACK: KeptBalances(held=0, given=0, own=-whole),
        KeptMove.BANK_RETURNED: KeptBalances(held=0, given=0, own=whole),
        KeptMove.PAID_IN: KeptBalances(held=0, given=0, own=whole),
        KeptMove.TAKEN_OUT: KeptBalances(held=0, given=0, own=-whole),
        KeptMove.UNKNOWN: NOTHING_KEPT,
    }[line.what]


@handles(CloseStatement)
def close_statement(tx: Tx, ask: CloseStatement) -> None:
    """Ours at the day's end, with what we heard of later, is theirs to the last unit; what is not is compared once more, then an alert.

    What differed as much when the day before had ended is none again.
    In a currency in which the provider has collected and of which it says nothing it has nothing.
    """
    errand = tx.get(OUTGOING, ask.outgoing_id)
    day = tx.get(STATEMENTS, errand.cause) if errand is not None else None
    if errand is None or day is None or errand.tries != ask.tries or errand.state is not OutgoingState.WAITING:
        return
    off = [one for closing in (*ask.closing, *_unsaid(tx, day, ask.closing)) for one in _off(tx, day, closing)]
    stood = _stood(tx, day)
    for one in off:
        if one not in stood:
            amount = Money(amount=abs(one.by), currency=one.currency)
            _alert(tx, day, Remark(event=day.id, reference=one.name, outcome="balance", amount=amount), Mismatch.BALANCE_DIFFERS)
    differing = ask.differing + len(off)
    if differing and day.state is StatementState.ASKED:
        tx.put(STATEMENTS, day.id, replace(day, state=StatementState.DOUBTED, lines=ask.lines, differing=differing, at=tx.now))
        tx.put(OUTGOING, errand.id, replace(errand, tries=errand.tries + 1, next_at=tx.now + AGAIN_MS))
        return
    state = StatementState.DIFFERS if differing else StatementState.AGREES
    tx.put(STATEMENTS, day.id, replace(day, state=state, lines=ask.lines, differing=differing, at=tx.now, off=tuple(off)))
    tx.put(OUTGOING, errand.id, errand.done(tx.now))


def _off(tx: Tx, day: StatementDay, closing: Closing) -> list[BalanceOff]:
    ours, theirs = _at_the_end(tx, day, closing.currency).plus(closing.late), closing.theirs
    bys = {"held": theirs.held - ours.held, "given": theirs.given - ours.given, "own": theirs.own - ours.own}
    return [BalanceOff(name=name, currency=closing.currency, by=by) for name, by in bys.items() if by]


def _stood(tx: Tx, day: StatementDay) -> tuple[BalanceOff, ...]:
    """What differed before, at the end of the last day that has been compared: it has been told."""
    before = store.statements_of(tx, day.channel, day.id, DAYS_MAX)
    return next((one.off for one in before if one.is_compared), ())


def _unsaid(tx: Tx, day: StatementDay, said: tuple[Closing, ...]) -> list[Closing]:
    begun = tx.get(STATEMENTS, day.channel)
    unsaid = [one for one in (begun.currencies if begun else ()) if one not in {closing.currency for closing in said}]
    return [Closing(currency=one, theirs=NOTHING_KEPT, late=NOTHING_KEPT) for one in unsaid]


def _alert(tx: Tx, day: StatementDay, told: Remark, reason: Mismatch) -> None:
    """What differs the first time may be heard of yet."""
    if day.state is StatementState.DOUBTED:
        alert(tx, day.channel, told, reason)


def _at_the_end(at: Asking, day: StatementDay, currency: str) -> KeptBalances:
    held, given, own = (
        -_balance(at, of(day.channel, currency), day.until - 1) for of in (model.held_account, model.given_account, model.own_account)
    )
    return KeptBalances(held=held, given=given, own=own)


def _balance(at: Asking, id: AccountId, moment: int) -> int:
    """What an account stood at after a moment; one that has never been used at nothing."""
    try:
        return at.ask(BalanceAt(account_id=id, at=moment)).balance
    except Refused as refused:
        if refused.code is LedgerRefusal.ACCOUNT_NOT_FOUND:
            return 0
        raise


# What operators see


class StatementNow(Struct, frozen=True, kw_only=True):
    """A provider's statement of a business day, from `since` to before `until`, and whether it is our books.

    So many of its lines and balances are `differing`: alerts, but for balances that were off by as much the day before.
    """

    channel: str
    since: int
    until: int
    state: StatementState
    lines: int
    differing: int
    at: int


class StatementsPage(Struct, frozen=True, kw_only=True):
    """A page of a provider's statements, the latest first; `after` asks for the next."""

    items: tuple[StatementNow, ...]
    after: int | None


class StatementsOf(Query[StatementsPage], refuses=(PaymentRefusal.CHANNEL_UNKNOWN,)):
    """The statements of a provider, day by day, and whether they agree with our books."""

    channel: model.ChannelName
    after: Annotated[int, Meta(ge=0, le=2**43, description="The `after` of the page before.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=DAYS_MAX)] = 31


@answers(StatementsOf)
def statements_of(at: Asking, ask: StatementsOf) -> StatementsPage:
    """By the days on which they began."""
    at.port(Channels).named(ask.channel)
    before = model.statement_id(ask.channel, ask.after) if ask.after is not None else f"{ask.channel}{LAST}"
    found = store.statements_of(at, ask.channel, before, ask.limit + 1)
    items = tuple(
        [
            StatementNow(
                channel=one.channel, since=one.since, until=one.until, state=one.state, lines=one.lines, differing=one.differing, at=one.at
            )
            for one in found[: ask.limit]
        ]
    )
    return StatementsPage(items=items, after=items[-1].since if len(found) > ask.limit else None)
