"""What does not agree with what a channel says is written down once, and told: somebody has to look at it."""

import hashlib

from msgspec.structs import replace

from yunduan.domains.payments import chargebacks
from yunduan.domains.payments.facts import NotificationMismatched
from yunduan.domains.payments.model import Alert, Mismatch, Told
from yunduan.domains.payments.store import ALERTS
from yunduan.runtime.transaction import Tx


def _id(channel: str, told: Told, reason: Mismatch) -> str:
    content = f"{channel}\0{told.event}\0{told.reference}\0{told.request}\0{told.outcome}\0{told.amount}\0{told.merchant}\0{reason}"
    return f"alr_{hashlib.blake2b(content.encode(), digest_size=13).hexdigest()}"


def settle(tx: Tx, channel: str, told: Told, reason: Mismatch) -> None:
    """It matches by now: nobody has to look at it any more."""
    found = tx.get(ALERTS, _id(channel, told, reason))
    if found is not None and not found.resolved_at:
        tx.put(ALERTS, found.id, replace(found, resolved_at=tx.now))


def alert(tx: Tx, channel: str, told: Told, reason: Mismatch) -> None:
    """Write down once what did not match; this is the only thing that changes."""
    id = _id(channel, told, reason)
    if tx.get(ALERTS, id) is not None:
        return
    found = Alert(
        id=id,
        channel=channel,
        event=told.event,
        reason=reason,
        reference=told.reference,
        outcome=told.outcome,
        amount=told.amount,
        at=tx.now,
        **chargebacks.figures(tx, channel, told),
    )
    tx.add(ALERTS, id, found)
    tx.tell(NotificationMismatched(alert_id=id, channel=channel, reason=reason, reference=told.reference, amount=told.amount))
