"""Every statement of payments: documents found by key, and the two lists that couriers and operators work through."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from yunduan.domains.payments.cycles import Plan
from yunduan.domains.payments.errands import Outgoing
from yunduan.domains.payments.model import (
    Alert,
    Chargeback,
    Escrow,
    Payment,
    Refund,
    Split,
    StatementDay,
)
from yunduan.domains.payments.model.bookings import Booking
from yunduan.domains.payments.model.chargebacks import Stated
from yunduan.domains.payments.payees import Payee, Payout
from yunduan.domains.payments.unclaimed import Unclaimed
from yunduan.kernel.ids import AccountId, OrderId, PaymentId, PersonId, RefundId, ShopId
from yunduan.runtime.ports import Reader, Row, Table
from yunduan.runtime.transaction import Tx

Document = TypeVar("Document", bound=Struct)
_encode = msgspec.json.Encoder().encode


DOCUMENTS_REMEMBERED = 1_000
"""Wide, and rarely wanted again soon."""


def _documents(kind: type[Document], name: str, key: str, *, of: str = "", flag: str = "") -> Table[Any, Document]:
    """A table of documents with their state beside them, whose they are, which never changes, and a flag, if they are found by these."""
    decode = msgspec.json.Decoder(kind).decode
    fixed, flags = [of] * bool(of), [flag] * bool(flag)
    beside = attrgetter(key, *fixed, "state._value_")

    def value(row: Row) -> Document:
        return decode(row[-1])

    def row(document: Document) -> Row:
        marked = (int(getattr(document, flag)),) if flag else ()
        return (*beside(document), *marked, _encode(document))

    return Table(
        name=name,
        columns={key: str, **dict.fromkeys(fixed, str), "state": str, **dict.fromkeys(flags, int), "body": bytes},
        value=value,
        row=row,
        updates=("state", *flags, "body"),
        remembered=DOCUMENTS_REMEMBERED,
    )


PAYMENTS: Table[PaymentId, Payment] = _documents(Payment, "payment", "id")
ESCROWS: Table[OrderId, Escrow] = _documents(Escrow, "escrow", "order_id")

REFUNDS: Table[RefundId, Refund] = _documents(Refund, "payment_refund", "id", of="order_id")

_outgoing = msgspec.json.Decoder(Outgoing).decode
OUTGOING: Table[str, Outgoing] = Table(
    name="channel_errand",
    columns={"id": str, "state": str, "next_at": int, "body": bytes},
    value=lambda row: _outgoing(row[3]),
    row=lambda outgoing: (outgoing.id, outgoing.state.value, outgoing.next_at, _encode(outgoing)),
)


class Day(Struct, frozen=True, gc=False):
    """How much has gone into or out of somebody's wallet on a business day; `slot` says which way, in which currency and when."""

    person: PersonId
    slot: str
    amount: int


DAYS: Table[tuple[str, str], Day] = Table(
    name="payment_day",
    columns={"person": str, "slot": str, "amount": int},
    value=lambda row: Day(*row),
    row=lambda day: (day.person, day.slot, day.amount),
    keys=2,
)

PAYEES: Table[str, Payee] = _documents(Payee, "payment_payee", "owner")

PLANS: Table[ShopId, Plan] = _documents(Plan, "payment_plan", "shop_id")

PAYOUTS: Table[str, Payout] = _documents(Payout, "payment_payout", "id", of="owner")

UNCLAIMED: Table[str, Unclaimed] = _documents(Unclaimed, "payment_unclaimed", "id", of="payer", flag="is_late")

SPLITS: Table[str, Split] = _documents(Split, "payment_split", "id", of="shop_id")

BOOKINGS: Table[str, Booking] = _documents(Booking, "payment_booking", "id", of="channel")

STATEMENTS: Table[str, StatementDay] = _documents(StatementDay, "payment_statement", "id", of="channel")

_alert = msgspec.json.Decoder(Alert).decode
ALERTS: Table[str, Alert] = Table(
    name="payment_alert",
    columns={"id": str, "resolved_at": int, "body": bytes},
    value=lambda row: _alert(row[2]),
    row=lambda alert: (alert.id, alert.resolved_at, _encode(alert)),
)


CHARGEBACKS: Table[str, Chargeback] = _documents(Chargeback, "payment_chargeback", "id", of="reference")

EVIDENCE: Table[tuple[str, int], Stated] = Table(
    name="payment_evidence",
    columns={"chargeback_id": str, "number": int, "shop_id": str, "speaker": str, "sealed": bytes, "at": int},
    value=lambda row: Stated(*row),
    row=lambda stated: (stated.chargeback_id, stated.number, stated.shop_id, stated.speaker, stated.sealed, stated.at),
    keys=2,
    remembered=DOCUMENTS_REMEMBERED,
)


class Purse(Struct, frozen=True, gc=False):
    """A currency in which somebody has money; `owes` when it is a shop against which the marketplace has a claim in it.

    Of that providers have been asked for so much (`claimed`, minor units) out of its splits, and have not answered.
    """

    owner: str
    currency: str
    account: AccountId
    owes: bool = False
    claimed: int = 0


def _purse(row: Row) -> Purse:
    return Purse(row[0], row[1], row[2], bool(row[3]), row[4])


PURSES: Table[tuple[str, str], Purse] = Table(
    name="payment_purse",
    columns={"owner": str, "currency": str, "account": str, "owes": int, "claimed": int},
    value=_purse,
    row=lambda purse: (purse.owner, purse.currency, purse.account, int(purse.owes), purse.claimed),
    keys=2,
)

_FILE = "INSERT INTO payment_of_payer (payer, kind, id) VALUES (?, ?, ?)"
_OF_PAYER = "SELECT id FROM payment_of_payer WHERE payer = ? AND kind = ? ORDER BY id"
_DUE = "SELECT body FROM channel_errand WHERE state IN ('waiting', 'asked') AND next_at <= ? ORDER BY next_at, id LIMIT ?"
_NEXT_DUE = "SELECT min(next_at) FROM channel_errand WHERE state IN ('waiting', 'asked')"
_OPEN_ALERTS = "SELECT body FROM payment_alert WHERE resolved_at = 0 AND id > ? ORDER BY id LIMIT ?"
_REFUNDS_OF = "SELECT body FROM payment_refund WHERE order_id = ? AND id < ? ORDER BY id DESC LIMIT ?"
_PAYOUTS_OF = "SELECT body FROM payment_payout WHERE owner = ? AND id < ? ORDER BY id DESC LIMIT ?"
_AWAITED = "SELECT body FROM payment_payout WHERE state = 'awaited' AND id > ? ORDER BY id LIMIT ?"
_OPEN_PAYOUTS = "SELECT body FROM payment_payout WHERE owner = ? AND state IN ('awaited', 'sent') ORDER BY id"
_CHARGEBACKS_ON = "SELECT body FROM payment_chargeback WHERE reference = ? ORDER BY id"
_FILE_CHARGEBACK = "INSERT INTO payment_chargeback_of (owner, place) VALUES (?, ?)"
_CHARGEBACKS_OF = "SELECT place FROM payment_chargeback_of WHERE owner = ? AND place < ? ORDER BY place DESC LIMIT ?"
_EVIDENCE = "SELECT chargeback_id, number, shop_id, speaker, sealed, at FROM payment_evidence WHERE chargeback_id = ? ORDER BY number"
_UNCLAIMED_OF = "SELECT body FROM payment_unclaimed WHERE payer = ? AND id < ? ORDER BY id DESC LIMIT ?"
_LATE = "SELECT body FROM payment_unclaimed WHERE state = 'waiting' AND is_late = 1 AND id > ? ORDER BY id LIMIT ?"
_REFUSED_SPLITS = "SELECT body FROM payment_split WHERE state = 'refused' AND id > ? ORDER BY id LIMIT ?"
_STATEMENTS_OF = "SELECT body FROM payment_statement WHERE channel = ? AND state != 'begun' AND id < ? ORDER BY id DESC LIMIT ?"
_BOOKINGS_OF = "SELECT body FROM payment_booking WHERE channel = ? AND id > ? ORDER BY id LIMIT ?"
_PURSES = "SELECT owner, currency, account, owes, claimed FROM payment_purse WHERE owner = ? ORDER BY currency"


def due_outgoing(reader: Reader, now: int, limit: int) -> list[Outgoing]:
    """What channels have to be asked now."""
    return [_outgoing(body) for (body,) in reader.rows(_DUE, (now, limit))]


def next_due(reader: Reader) -> int | None:
    """When a channel has to be asked next."""
    row = reader.row(_NEXT_DUE)
    return row[0] if row else None


def open_alerts(reader: Reader, after: str, limit: int) -> list[Alert]:
    """Alerts that nobody has dealt with."""
    return [_alert(body) for (body,) in reader.rows(_OPEN_ALERTS, (after, limit))]


def refunds_of(reader: Reader, order_id: OrderId, before: str, limit: int) -> list[Refund]:
    """Refunds of an order, the latest first."""
    return [REFUNDS.value((body,)) for (body,) in reader.rows(_REFUNDS_OF, (order_id, before, limit))]


def payouts_of(reader: Reader, owner: str, before: str, limit: int) -> list[Payout]:
    """Payouts of a person or a shop, the latest first."""
    return [PAYOUTS.value((body,)) for (body,) in reader.rows(_PAYOUTS_OF, (owner, before, limit))]


def awaited_payouts(reader: Reader, after: str, limit: int) -> list[Payout]:
    """Payouts that have to be approved, the longest waiting first."""
    return [PAYOUTS.value((body,)) for (body,) in reader.rows(_AWAITED, (after, limit))]


def open_payouts(reader: Reader, owner: str) -> list[Payout]:
    """Payouts of somebody that have not ended."""
    return [PAYOUTS.value((body,)) for (body,) in reader.rows(_OPEN_PAYOUTS, (owner,))]


def unclaimed_of(reader: Reader, payer: PersonId, before: str, limit: int) -> list[Unclaimed]:
    """What channels would not give back to somebody, the latest first."""
    return [UNCLAIMED.value((body,)) for (body,) in reader.rows(_UNCLAIMED_OF, (payer, before, limit))]


def late_unclaimed(reader: Reader, after: str, limit: int) -> list[Unclaimed]:
    """What has waited for its owner for long, the longest first."""
    return [UNCLAIMED.value((body,)) for (body,) in reader.rows(_LATE, (after, limit))]


def split(reader: Reader, id: str) -> Split | None:
    """What a provider is asked to divide."""
    rows = reader.load(SPLITS, (id,))
    return SPLITS.value(rows[0]) if rows else None


def refused_splits(reader: Reader, after: str, limit: int) -> list[Split]:
    """What providers would not divide, in the order of its orders."""
    return [msgspec.json.decode(body, type=Split) for (body,) in reader.rows(_REFUSED_SPLITS, (after, limit))]


def statements_of(reader: Reader, channel: str, before: str, limit: int) -> list[StatementDay]:
    """The statements of a provider, the latest first."""
    return [msgspec.json.decode(body, type=StatementDay) for (body,) in reader.rows(_STATEMENTS_OF, (channel, before, limit))]


def bookings_of(reader: Reader, channel: str, after: str, limit: int) -> list[Booking]:
    """What was booked of a provider's statements, by the names of their lines."""
    return [BOOKINGS.value((body,)) for (body,) in reader.rows(_BOOKINGS_OF, (channel, after, limit))]


def statement(reader: Reader, id: str) -> StatementDay | None:
    """A provider's statement of a day."""
    rows = reader.load(STATEMENTS, (id,))
    return STATEMENTS.value(rows[0]) if rows else None


def payee(reader: Reader, owner: str) -> Payee | None:
    """The account that somebody is paid out to."""
    rows = reader.load(PAYEES, (owner,))
    return PAYEES.value(rows[0]) if rows else None


def payout(reader: Reader, id: str) -> Payout | None:
    """A payout."""
    rows = reader.load(PAYOUTS, (id,))
    return PAYOUTS.value(rows[0]) if rows else None


def chargebacks_on(reader: Reader, reference: str) -> list[Chargeback]:
    """Chargebacks of one charge."""
    return [CHARGEBACKS.value((body,)) for (body,) in reader.rows(_CHARGEBACKS_ON, (reference,))]


def place_of(chargeback: Chargeback) -> str:
    """Where it stands in lists, by the time it was opened."""
    return f"{chargeback.opened_at:011x}{chargeback.id}"


def file_chargeback(tx: Tx, chargeback: Chargeback, owners: Iterable[str]) -> None:
    """Have a chargeback found by those whom it concerns."""
    for owner in owners:
        tx.append(_FILE_CHARGEBACK, (owner, place_of(chargeback)))


def chargebacks_of(reader: Reader, owner: str, before: str, limit: int) -> list[str]:
    """The ids of chargebacks that concern somebody, the latest first."""
    return [place[11:] for (place,) in reader.rows(_CHARGEBACKS_OF, (owner, before, limit))]


def evidence_in(reader: Reader, chargeback_id: str) -> list[Stated]:
    """Everything that was given in evidence about a chargeback."""
    return [Stated(*row) for row in reader.rows(_EVIDENCE, (chargeback_id,))]


def evidence(reader: Reader, chargeback_id: str, number: int) -> Stated | None:
    """One piece of it."""
    rows = reader.load(EVIDENCE, ((chargeback_id, number),))
    return EVIDENCE.value(rows[0]) if rows else None


def file_payment(tx: Tx, payment: Payment) -> None:
    """Have a payment over a channel found by who pays it."""
    tx.append(_FILE, (payment.payer, "payment", payment.id))


def file_refund(tx: Tx, refund: Refund) -> None:
    """Have a refund over a channel found by who is given it."""
    tx.append(_FILE, (refund.payer, "refund", refund.id))


def of_payer(reader: Reader, payer: PersonId) -> tuple[list[PaymentId], list[RefundId]]:
    """The payments and refunds over channels of one person, all that there ever were."""
    payments, refunds = (reader.rows(_OF_PAYER, (payer, kind)) for kind in ("payment", "refund"))
    return [PaymentId(id) for (id,) in payments], [RefundId(id) for (id,) in refunds]


def purses(reader: Reader, owner: str) -> list[Purse]:
    """Where somebody has money."""
    return [_purse(row) for row in reader.rows(_PURSES, (owner,))]
