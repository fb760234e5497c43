"""By which methods channels collect, and how long each of them is waited for: the channel's own, or what the market has set."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.payments import model
from yunduan.domains.payments.model import Channels, Charge, Custody, Method, PaymentRefusal, Tender
from yunduan.domains.payments.store import PAYMENTS
from yunduan.kernel.ids import PaymentId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking


class MethodView(Struct, frozen=True, kw_only=True):
    """A method of a channel: stock is held for it for `hold_ms`, and for `extension_ms` more, once, when its money is on its way by then.

    A buyer may have few unpaid checkouts at once by methods that are slow. What a provider keeps (`custody`) fills no wallet.
    """

    channel: Annotated[str, Meta(examples=["sandbox"])]
    method: Annotated[str, Meta(examples=["slip"])]
    hold_ms: Annotated[int, Meta(examples=[259_200_000])]
    extension_ms: Annotated[int, Meta(examples=[172_800_000])]
    is_slow: bool
    custody: Custody


class Methods(Struct, frozen=True, kw_only=True):
    """Methods of payment; of each channel its usual one comes first."""

    items: tuple[MethodView, ...]


class PaymentMethods(Query[Methods]):
    """What can be paid with besides the wallet; of each channel its usual method comes first."""


class SlowAmong(Query[int]):
    """How many of these payments are by slow methods; whoever asks answers for who may know."""

    payment_ids: tuple[PaymentId, ...]


@answers(SlowAmong)
def slow_among(at: Asking, ask: SlowAmong) -> int:
    """By how long they may be waited for, however they were put off since."""
    return sum([payment.is_slow for payment in at.get_many(PAYMENTS, ask.payment_ids).values()])


@answers(PaymentMethods)
def payment_methods(at: Asking, _: PaymentMethods) -> Methods:
    """Channel by channel, in the order in which they were joined."""
    channels, found = at.port(Channels), []
    for name, channel in channels.by_name.items():
        for method in channel.methods:
            hold_ms, extension_ms = _waits(channels, name, method)
            found.append(
                MethodView(
                    channel=name,
                    method=method.name,
                    hold_ms=hold_ms,
                    extension_ms=extension_ms,
                    is_slow=hold_ms > model.SLOW_MS,
                    custody=channels.custody(name),
                )
            )
    return Methods(items=tuple(found))


def hold_ms(at: Asking, tenders: Iterable[Tender]) -> int:
    """How long a checkout is waited for that is paid so, by its slowest method; 0 when nothing is waited for."""
    waits = _of(at, tenders)
    return max([wait[0] for wait in waits]) if waits else 0


def extension_ms(at: Asking, tenders: Iterable[Tender]) -> int:
    """For how much longer at most."""
    waits = _of(at, tenders)
    return max([wait[1] for wait in waits]) if waits else 0


def _of(at: Asking, tenders: Iterable[Tender]) -> list[tuple[int, int]]:
    """The waits of each channel tender; what names no channel or method that there is, is refused when it is to be paid."""
    named = [tender for tender in tenders if tender.channel]
    if not named:
        return []
    channels = at.port(Channels)
    found = [(tender.channel, _named(channels, tender.channel, tender.method)) for tender in named]
    return [_waits(channels, channel, method) for channel, method in found if method is not None]


def _named(channels: Channels, channel: str, name: str) -> Method | None:
    methods = channels.by_name[channel].methods if channel in channels.by_name else ()
    return next((method for method in methods if name in ("", method.name)), None)


def _waits(channels: Channels, channel: str, method: Method) -> tuple[int, int]:
    return channels.waits.get((channel, method.name), (method.hold_ms, method.extension_ms))


def page(channels: Channels, charge: Charge, name: str, *, due: int) -> str:
    """Where a payer goes for a charge; refuses a channel or a method that there is not."""
    channel, method = channels.named(charge.channel), _named(channels, charge.channel, name)
    if method is None:
        raise Refused(PaymentRefusal.CHANNEL_UNKNOWN, f"{charge.channel} has no method {name}")
    return channel.redirect(charge.reference, charge.amount, due=due, method=method.name)
