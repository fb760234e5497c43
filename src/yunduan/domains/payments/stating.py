"""Each business day a provider is asked what moved in its books on the day before, from when it has collected anything on."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from yunduan.domains.payments import cycles, store
from yunduan.domains.payments.alerting import alert
from yunduan.domains.payments.errands import Outgoing, OutgoingKind, OutgoingState
from yunduan.domains.payments.model import Charge, Custody, Mismatch, StatementDay, StatementState, statement_id
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.domains.payments.statements import Remark
from yunduan.domains.payments.store import OUTGOING, STATEMENTS
from yunduan.kernel.messages import Command
from yunduan.kernel.money import zero
from yunduan.kernel.refusals import invariant
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

READY_MS = 6 * 3_600_000
"""How long after a business day its statement is asked for: by then everything of it has been heard of."""

MISSING_MS = 36 * 3_600_000
"""How long a statement may be asked for in vain before somebody is told: seen once a day, that is when it has been for two days."""
MISSING_LOOKED_AT = 8
"""How many statements before are looked at for that."""


class AskStatement(Command[None]):
    """Ask a provider for its statement of a business day, which began at `since`. An alarm; each sets the next."""

    channel: str
    since: int


def begin(tx: Tx, charge: Charge) -> None:
    """A provider has collected, in this currency: from this day on it is asked for its statements."""
    if charge.custody is not Custody.PROVIDER:
        return
    begun, currency = tx.get(STATEMENTS, charge.channel), charge.amount.currency
    if begun is None:
        today = cycles.day_of(tx.now, _zone(tx))
        begun = StatementDay(
            id=charge.channel, channel=charge.channel, since=today, until=today, state=StatementState.BEGUN, currencies=(currency,)
        )
        tx.add(STATEMENTS, begun.id, begun)
        _ask_about(tx, charge.channel, today)
    elif currency not in begun.currencies:
        tx.put(STATEMENTS, begun.id, replace(begun, currencies=(*begun.currencies, currency)))


def _zone(tx: Tx) -> ZoneInfo:
    return ZoneInfo(tx.port(PaymentSettings).time_zone)


def _ask_about(tx: Tx, channel: str, since: int) -> None:
    tx.at(_end_of(since, _zone(tx)) + READY_MS, AskStatement(channel=channel, since=since))


def _end_of(since: int, zone: ZoneInfo) -> int:
    """When the business day that began then has ended."""
    noon = datetime.fromtimestamp(since / 1000, UTC).astimezone(zone) + timedelta(days=1, hours=12)
    return cycles.day_of(int(noon.timestamp() * 1000), zone)


@handles(AskStatement)
def ask_statement(tx: Tx, ask: AskStatement) -> None:
    """By a courier, as everything that providers are asked."""
    invariant(tx.actor.is_system, "a statement is asked for by an alarm alone")
    until = _end_of(ask.since, _zone(tx))
    day = StatementDay(
        id=statement_id(ask.channel, ask.since), channel=ask.channel, since=ask.since, until=until, state=StatementState.ASKED, at=tx.now
    )
    if tx.get(STATEMENTS, day.id) is None:
        tx.add(STATEMENTS, day.id, day)
        errand = Outgoing(
            id=tx.id("sta"),
            kind=OutgoingKind.STATEMENT,
            state=OutgoingState.WAITING,
            channel=ask.channel,
            reference="",
            amount=zero("CNY"),
            cause=day.id,
            next_at=tx.now,
            custody=Custody.PROVIDER,
        )
        tx.add(OUTGOING, errand.id, errand)
        _ask_about(tx, ask.channel, until)
        _alert_of_missing(tx, day)


def _alert_of_missing(tx: Tx, day: StatementDay) -> None:
    """Each that has not come for so long is told of once, and of those after it none before another has come."""
    found = store.statements_of(tx, day.channel, day.id, MISSING_LOOKED_AT)
    befores: list[StatementDay | None] = [*found[1:], *([None] if len(found) < MISSING_LOOKED_AT else [])]
    for one, before in zip(found, befores, strict=False):
        is_first = not one.is_compared and (before is None or before.is_compared)
        if is_first and tx.now - one.at >= MISSING_MS:
            told = Remark(event=one.id, reference=day.channel, outcome="statement", amount=zero("CNY"))
            alert(tx, day.channel, told, Mismatch.STATEMENT_MISSING)
