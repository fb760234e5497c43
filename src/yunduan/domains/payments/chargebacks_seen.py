"""What may be seen of chargebacks: by the shops whose orders they concern, and by operators."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.identity.model import Vault
from yunduan.domains.payments import chargebacks, store
from yunduan.domains.payments.model import Chargeback, ChargebackId, ChargebackState, PaymentRefusal
from yunduan.domains.payments.model.chargebacks import Closed, Delivery, Otherwise
from yunduan.domains.payments.store import CHARGEBACKS
from yunduan.kernel.ids import LAST, OrderId, PersonId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money, zero
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

CHARGEBACKS_MAX = 100
_Limit = Annotated[int, Meta(ge=1, le=CHARGEBACKS_MAX)]
After = Annotated[str, Meta(pattern=r"^([0-9a-f]{11}cbk_[0-9a-f]{26})?(?![\s\S])", description="The `after` of the page before.")]


class ContestedOrder(Struct, frozen=True, kw_only=True):
    """What a chargeback takes of one order; `is_held` when that was held, else it was drawn from the shop."""

    id: OrderId
    shop_id: ShopId
    amount: Money
    is_held: bool


class ChargebackLine(Struct, frozen=True, kw_only=True):
    """One chargeback; times in milliseconds since 1970, `decided_at` 0 until it is. `amount` is that of the orders that are shown."""

    id: ChargebackId
    state: ChargebackState
    channel: str
    name: str
    amount: Money
    fee: Money
    """What the channel takes for the whole of it."""
    due: int
    opened_at: int
    decided_at: int
    orders: tuple[ContestedOrder, ...]


class Chargebacks(Struct, frozen=True, kw_only=True):
    """A page of chargebacks, the latest first; `after` asks for the next."""

    items: tuple[ChargebackLine, ...]
    after: str | None


class GivenEvidence(Struct, frozen=True, kw_only=True):
    """What a shop has given in evidence; empty words when who said it has been forgotten."""

    shop_id: ShopId
    speaker_id: PersonId
    text: str
    references: tuple[str, ...]
    at: int
    delivery: Delivery


class ClosedBy(Struct, frozen=True, kw_only=True):
    """Which operator has ended a chargeback, or had it taken, and why; no words when they have been forgotten."""

    by_id: PersonId
    reason: str
    at: int


class ChargebackFile(Struct, frozen=True, kw_only=True):
    """A chargeback with the evidence.

    Only operators see `borne`, what of it the marketplace bears; `otherwise`, what its bank has decided with other figures; `closed`; and
    `beyond`, who has had it taken though there was not so much left of the charge.

    `conceded` is whether the channel has taken it that it is not contested; nothing when nobody has said so.
    """

    chargeback: ChargebackLine
    evidence: tuple[GivenEvidence, ...]
    borne: Money
    conceded: Delivery | None
    otherwise: Otherwise | None
    closed: ClosedBy | None
    beyond: ClosedBy | None


class ChargebacksOfShop(Query[Chargebacks]):
    """Chargebacks about a shop's orders, the latest first."""

    shop_id: ShopId
    after: After = ""
    limit: _Limit = 50


class ChargebackOfShop(Query[ChargebackFile], refuses=(PaymentRefusal.CHARGEBACK_NOT_FOUND,)):
    """A chargeback about a shop's orders, with what the shop has said."""

    shop_id: ShopId
    chargeback_id: ChargebackId


class AllChargebacks(Query[Chargebacks]):
    """Every chargeback, the latest first, for operators."""

    after: After = ""
    limit: _Limit = 50


class ChargebackOf(Query[ChargebackFile], refuses=(PaymentRefusal.CHARGEBACK_NOT_FOUND,)):
    """A chargeback with all that was said about it, for operators."""

    chargeback_id: ChargebackId


@answers(ChargebacksOfShop)
def chargebacks_of_shop(at: Asking, ask: ChargebacksOfShop) -> Chargebacks:
    """The edge has looked at the caller's role in this shop."""
    return _page(at, ask.shop_id, ask.after, ask.limit)


@answers(AllChargebacks)
def all_chargebacks(at: Asking, ask: AllChargebacks) -> Chargebacks:
    """The edge has looked at the caller's role."""
    return _page(at, "", ask.after, ask.limit)


def _page(at: Asking, owner: str, before: str, limit: int) -> Chargebacks:
    ids = store.chargebacks_of(at, owner, before or LAST, limit + 1)
    found = at.get_many(CHARGEBACKS, ids)
    page = [found[id] for id in ids[:limit]]
    lines = tuple(_line(chargeback, owner) for chargeback in page)
    return Chargebacks(items=lines, after=store.place_of(page[-1]) if len(ids) > limit else None)


def _line(chargeback: Chargeback, owner: str) -> ChargebackLine:
    """As an owner sees it: a shop its own orders."""
    shares = chargeback.of_shop(ShopId(owner)) if owner else chargeback.shares
    currency = chargeback.amount.currency
    return ChargebackLine(
        id=chargeback.id,
        state=chargeback.state,
        channel=chargeback.channel,
        name=chargeback.name,
        amount=sum([share.amount for share in shares], zero(currency)) if owner else chargeback.amount,
        fee=chargeback.fee,
        due=chargeback.due,
        opened_at=chargeback.opened_at,
        decided_at=chargeback.decided_at,
        orders=tuple(
            ContestedOrder(id=share.order_id, shop_id=share.shop_id, amount=share.amount, is_held=share.drawn is None) for share in shares
        ),
    )


@answers(ChargebackOfShop)
def chargeback_of_shop(at: Asking, ask: ChargebackOfShop) -> ChargebackFile:
    """What other shops have said is theirs."""
    chargeback = at.get(CHARGEBACKS, ask.chargeback_id)
    if chargeback is None or not chargeback.of_shop(ask.shop_id):
        raise Refused(PaymentRefusal.CHARGEBACK_NOT_FOUND)
    return _file(at, chargeback, ask.shop_id)


@answers(ChargebackOf)
def chargeback_of(at: Asking, ask: ChargebackOf) -> ChargebackFile:
    """All of it."""
    chargeback = at.get(CHARGEBACKS, ask.chargeback_id)
    if chargeback is None:
        raise Refused(PaymentRefusal.CHARGEBACK_NOT_FOUND)
    return _file(at, chargeback, "")


def _file(at: Asking, chargeback: Chargeback, owner: str) -> ChargebackFile:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    given = []
    for stated in store.evidence_in(at, chargeback.id):
        if owner in ("", stated.shop_id):
            said = chargebacks.said_in(vault, stated)
            given.append(
                GivenEvidence(
                    shop_id=stated.shop_id,
                    speaker_id=stated.speaker,
                    text=said.text if said else "",
                    references=said.references if said else (),
                    at=stated.at,
                    delivery=chargebacks.delivered(at, chargebacks.evidence_request(chargeback.id, stated.number)),
                )
            )
    borne = zero(chargeback.amount.currency) if owner else chargeback.borne
    return ChargebackFile(
        chargeback=_line(chargeback, owner),
        evidence=tuple(given),
        borne=borne,
        conceded=chargebacks.conceded(at, chargeback),
        otherwise=None if owner else chargeback.otherwise,
        closed=None if owner else _closed_by(vault, chargeback.closed),
        beyond=None if owner else _closed_by(vault, chargeback.beyond),
    )


def _closed_by(vault: Vault, closed: Closed | None) -> ClosedBy | None:
    return ClosedBy(by_id=closed.by, reason=vault.unseal(closed.by, closed.reason) or "", at=closed.at) if closed is not None else None
