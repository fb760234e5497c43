"""What may go into and out of a wallet: nothing in where the market has no wallets, and so much a day by how well its owner is known."""

from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from yunduan.domains.payments.model import PaymentRefusal
from yunduan.domains.payments.payees import PayeeState, PaymentSettings
from yunduan.domains.payments.store import DAYS, PAYEES, Day
from yunduan.kernel.ids import PersonId
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.transaction import Tx


class Way(StrEnum):
    """Which way money of a wallet goes."""

    IN = "in"
    OUT = "out"


class Level(StrEnum):
    """How well somebody is known."""

    BASIC = "basic"
    """By a phone number or an e-mail address."""
    VERIFIED = "verified"
    """By an account that a channel has confirmed to be theirs."""


def check_on(tx: Tx) -> None:
    """Refuse money for a wallet where there are none; what is in one already can always be withdrawn."""
    if not tx.port(PaymentSettings).wallet_is_on:
        raise Refused(PaymentRefusal.WALLET_OFF)


def level(tx: Tx, person: PersonId) -> Level:
    """How well somebody is known now."""
    payee = tx.get(PAYEES, person)
    return Level.VERIFIED if payee is not None and payee.state is PayeeState.VERIFIED else Level.BASIC


def use(tx: Tx, person: PersonId, way: Way, amount: Money) -> None:
    """Count an amount against the limit of this business day, or refuse it."""
    settings = tx.port(PaymentSettings)
    is_known = level(tx, person) is Level.VERIFIED
    limit = settings.out_a_day if way is Way.OUT else settings.in_a_day_verified if is_known else settings.in_a_day_basic
    used = _day(tx, person, way, amount.currency, tx.now)
    if used.amount + amount.amount > limit:
        raise Refused(PaymentRefusal.EXCEEDS_DAY, f"{max(0, limit - used.amount)} of {limit} minor units are left today")
    _put(tx, replace(used, amount=used.amount + amount.amount))


def free(tx: Tx, person: PersonId, way: Way, amount: Money, *, asked_at: int) -> None:
    """What came to nothing does not count, on the day on which it was asked for; what was asked for before there were limits never did."""
    used = _day(tx, person, way, amount.currency, asked_at)
    if used.amount:
        _put(tx, replace(used, amount=max(0, used.amount - amount.amount)))


def _day(tx: Tx, person: PersonId, way: Way, currency: str, at: int) -> Day:
    zone = ZoneInfo(tx.port(PaymentSettings).time_zone)
    date = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()
    slot = f"{way.value} {currency} {date.isoformat()}"
    return tx.get(DAYS, (person, slot)) or Day(person=person, slot=slot, amount=0)


def _put(tx: Tx, day: Day) -> None:
    change = tx.add if tx.get(DAYS, (day.person, day.slot)) is None else tx.put
    change(DAYS, (day.person, day.slot), day)
