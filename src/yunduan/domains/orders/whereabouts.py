"""Where the money of an order is: what is held, for whom, until when, in words, and by which transfers that can be proved."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from zoneinfo import ZoneInfo

from msgspec import Struct

from yunduan.domains.orders import cases, model, queries, store
from yunduan.domains.orders.cases import CaseState
from yunduan.domains.orders.dispatch import dispatch_by
from yunduan.domains.orders.model import Order, OrderRefusal, OrderSettings, OrderState
from yunduan.domains.payments.model import PieceState, TenderKind
from yunduan.domains.payments.queries import KeptOf, KeptOfOrder, MoneyLine, MovementsOf, RefundsOf, SharesOf
from yunduan.kernel.ids import OrderId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

REFUNDS_MAX = 100
BUYERS_OWN = frozenset({"fund", "refund", "charge_back", "restore"})
"""The postings by which a buyer's money comes into an order's escrow, and by which it goes back, over the tenders or by a bank."""


class Whereabouts(StrEnum):
    """Where a part of an order's money can be."""

    UNPAID = "unpaid"
    IN_FLIGHT = "in_flight"
    SET_ASIDE = "set_aside"
    COLLECTED = "collected"
    HELD = "held"
    SPLITTING = "splitting"
    """The provider that keeps it has been asked to hand it over to the shop."""
    EARNED = "earned"
    RETURNING = "returning"
    RETURNED = "returned"
    UNCLAIMED = "unclaimed"
    """A channel would not take it back: the buyer has to say where it goes."""
    IN_WALLET = "in_wallet"
    CONTESTED = "contested"
    """The payer's bank has taken it back, and nobody has decided."""
    CHARGED_BACK = "charged_back"
    """And it stays there."""
    IN_ACCOUNT = "in_account"
    """In the account that the buyer has named for it."""


class MoneyPart(Struct, frozen=True, kw_only=True):
    """So much is there; `until` (milliseconds since 1970) is when it goes on by itself, 0 when that is not a matter of time.

    `kept_by` is the channel whose provider keeps it, until `kept_until` and no longer; it is empty for what the marketplace keeps.
    """

    where: Whereabouts
    amount: Money
    until: int = 0
    kept_by: str = ""
    kept_until: int = 0


class MoneyOfOrder(Struct, frozen=True, kw_only=True):
    """All parts of an order's money; together they are its total. `says` and `says_en` tell the same in a sentence each.

    `movements` are the transfers in or out of the order's escrow, the latest first, each with an id whose proof can be asked for. The
    buyer sees those of their own money; what the shop and the marketplace make of it is for them.
    """

    order_id: OrderId
    state: OrderState
    total: Money
    parts: tuple[MoneyPart, ...]
    says: str
    says_en: str
    movements: tuple[MoneyLine, ...]


class OrderMoney(Query[MoneyOfOrder], refuses={OrderRefusal.NOT_FOUND}):
    """Where the money of an order is, for its buyer and for operators."""

    order_id: OrderId


class ShopOrderMoney(Query[MoneyOfOrder], refuses={OrderRefusal.NOT_FOUND}):
    """Where the money of an order is, for the staff of its shop who see money."""

    shop_id: ShopId
    order_id: OrderId


@answers(OrderMoney)
def order_money(at: Asking, ask: OrderMoney) -> MoneyOfOrder:
    """The order's own, as the caller may see it."""
    order = queries.seen(at, at.get(store.ORDER, ask.order_id))
    return _told(at, order, inside=not at.actor.owns(order.buyer))


@answers(ShopOrderMoney)
def shop_order_money(at: Asking, ask: ShopOrderMoney) -> MoneyOfOrder:
    """That of an order of this very shop."""
    return _told(at, queries.of_shop(at, ask.shop_id, ask.order_id), inside=True)


def _told(at: Asking, order: Order, *, inside: bool) -> MoneyOfOrder:
    parts = _parts(at, order)
    zone = ZoneInfo(at.port(OrderSettings).time_zone)
    comes_to = _comes_to(at, order)
    said = [_said(part, order, zone, alone=len(parts) == 1, comes_to=comes_to) for part in parts] or [SENTENCES["nothing"]]
    moves = at.ask(MovementsOf(order_id=order.id))
    return MoneyOfOrder(
        order_id=order.id,
        state=order.state,
        total=Money(amount=order.total, currency=order.currency),
        parts=parts,
        says="".join(chinese for chinese, _ in said),
        says_en=" ".join(english for _, english in said),
        movements=moves if inside else tuple([move for move in moves if move.what in BUYERS_OWN]),
    )


def _parts(at: Asking, order: Order) -> tuple[MoneyPart, ...]:
    """What has not come back is in one place; what has come back, or is about to, may be in three."""
    taken = order.progress.taken
    left = Money(amount=order.left - taken, currency=order.currency)
    rest: tuple[MoneyPart, ...] = ()
    if order.state is OrderState.PLACED:
        rest = _before(at, order)
    elif order.state in (OrderState.PAID, OrderState.PARTLY_SHIPPED, OrderState.SHIPPED) and left:
        rest = _held(at.ask(KeptOf(order_id=order.id)), left, until=0 if taken else _held_until(at, order))
    elif order.state is OrderState.RECEIVED and left:
        rest = (_earned(at.ask(KeptOf(order_id=order.id)), left),)
    elif order.state is OrderState.CANCELLED and not order.progress.paid_at:
        rest = _before(at, order)
    back = ((Whereabouts.CONTESTED, taken), *_given_back(at, order).items())
    return rest + tuple([MoneyPart(where=where, amount=Money(amount=sum_, currency=order.currency)) for where, sum_ in back if sum_])


def _held(kept: KeptOfOrder | None, left: Money, *, until: int) -> tuple[MoneyPart, ...]:
    """What the marketplace keeps, and what a provider does."""
    ours, held = left - kept.amount if kept else left, Whereabouts.HELD
    parts = (MoneyPart(where=held, amount=ours, until=until),) if ours else ()
    if kept is None:
        return parts
    return (*parts, MoneyPart(where=held, amount=kept.amount, until=until, kept_by=kept.channel, kept_until=kept.until))


def _earned(kept: KeptOfOrder | None, left: Money) -> MoneyPart:
    """The shop's, once its provider has answered where one keeps a part of it: such an order is settled whole."""
    if kept is None:
        return MoneyPart(where=Whereabouts.EARNED, amount=left)
    return MoneyPart(where=Whereabouts.SPLITTING, amount=left, kept_by=kept.channel, kept_until=kept.until)


def _before(at: Asking, order: Order) -> tuple[MoneyPart, ...]:
    """What has not come to the escrow, share by share; what is missing or on its way says until when it is waited for."""
    found = at.ask(SharesOf(payment_id=model.payment_of(model.checkout_of(order.id)), order_id=order.id))
    parts = [(Whereabouts(state.value), amount) for state, amount in found.shares]
    awaited = (Whereabouts.UNPAID, Whereabouts.IN_FLIGHT)
    return tuple([MoneyPart(where=where, amount=amount, until=found.due if where in awaited else 0) for where, amount in parts])


def _held_until(at: Asking, order: Order) -> int:
    """When it goes to the shop, or back, if nobody does anything; not while a case is open, or when only a part would go back."""
    if order.progress.in_case or order.state is OrderState.PARTLY_SHIPPED:
        return 0
    return order.progress.receive_by if order.state is OrderState.SHIPPED else dispatch_by(order, at.port(OrderSettings))


def _given_back(at: Asking, order: Order) -> dict[Whereabouts, int]:
    """What the buyer has been given back, by where it is."""
    if not order.progress.refunded or not order.progress.paid_at:
        return {}
    found = dict.fromkeys(_GIVEN_BACK, 0) | {Whereabouts.CHARGED_BACK: order.progress.lost}
    for refund in at.ask(RefundsOf(order_id=order.id, limit=REFUNDS_MAX)):
        for piece in refund.pieces:
            if piece.kind is not TenderKind.PROMOTION:
                found[_place(piece.kind, piece.state)] += piece.rest.amount
                found[Whereabouts.CHARGED_BACK] += piece.from_bank
    found[Whereabouts.RETURNED] += order.progress.refunded - sum(found.values())  # those of long ago
    return found


def _place(kind: TenderKind, state: PieceState) -> Whereabouts:
    return Whereabouts.IN_WALLET if kind is TenderKind.WALLET else _PLACES[state]


_PLACES = {
    PieceState.PENDING: Whereabouts.RETURNING,
    PieceState.DONE: Whereabouts.RETURNED,
    PieceState.UNCLAIMED: Whereabouts.UNCLAIMED,
    PieceState.LEAVING: Whereabouts.RETURNING,
    PieceState.DIVERTED: Whereabouts.IN_WALLET,
    PieceState.PAID_OUT: Whereabouts.IN_ACCOUNT,
}
_GIVEN_BACK = (
    Whereabouts.CHARGED_BACK,
    Whereabouts.RETURNED,
    Whereabouts.RETURNING,
    Whereabouts.UNCLAIMED,
    Whereabouts.IN_WALLET,
    Whereabouts.IN_ACCOUNT,
)


SENTENCES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "unpaid": (
            "{amount} 尚未支付，请在{month}月{day}日 {time} 前付款，否则订单自动取消。",
            "{amount} has not been paid; unless it is by {time} on {day} {month_en}, the order is called off.",
        ),
        "in_flight": (
            "{amount} 正在到账途中，{month}月{day}日 {time} 前未到账则订单自动取消，到账后原路退回。",
            "{amount} is on its way; unless it is there by {time} on {day} {month_en}, the order is called off and it goes back.",
        ),
        "set_aside": (
            "钱包中 {amount} 已为该订单预留，订单取消后立即解除。",
            "{amount} of the wallet is set aside for it, and free again if the order is called off.",
        ),
        "collected": (
            "{amount} 已到账，等待其余款项；订单取消则原路退回。",
            "{amount} has come in and waits for the rest; it goes back if the order is called off.",
        ),
        "not_taken": ("{amount} 未扣款。", "{amount} was not taken."),
        "nothing": ("无需付款。", "There is nothing to pay."),
        "never_paid": ("没有付款，也无需再付。", "Nothing was paid, and nothing is owed."),
        "held": (
            "{amount} 由平台担保；确认收货后付给商家，发货前可以取消订单、全额退回。",
            "{amount} is held; it goes to the shop once you have the goods, and back if the order is called off before it leaves.",
        ),
        "held_to_ship": (
            "{amount} 由平台担保；确认收货后付给商家，发货前可以取消订单，商家到{month}月{day}日仍未发货则全额退回。",
            "{amount} is held; it goes to the shop once you have the goods, back if it is called off or has not left by {day} {month_en}.",
        ),
        "held_on_the_way": (
            "{amount} 由平台担保；确认收货后付给商家。",
            "{amount} is held; it goes to the shop when you say that the goods have come.",
        ),
        "held_until": (
            "{amount} 由平台担保；如无异议，{month}月{day}日付给商家。",
            "{amount} is held; it goes to the shop on {day} {month_en} unless you say otherwise.",
        ),
        "held_in_case": (
            "{amount} 由平台担保；售后处理中，处理完毕前不会付给商家。",
            "{amount} is held; a case about it is open, and nothing goes to the shop before it is closed.",
        ),
        "held_in_exchange": (
            "{amount} 由平台担保；换货完成前不会付给商家。",
            "{amount} is held; nothing goes to the shop before what is given in exchange has come.",
        ),
        "held_in_resending": (
            "{amount} 由平台担保；商家须将退回的商品重新寄给买家，送达前不会付给商家。",
            "{amount} is held; nothing goes to the shop before the goods that it has to send to the buyer again have come.",
        ),
        "earned_in_resending": (
            "{amount} 已付给商家；商家须将退回的商品重新寄给买家，逾期未寄则退款。",
            "{amount} has gone to the shop, which has to send the goods to the buyer again, or to give back what was paid for them.",
        ),
        "earned_in_case": (
            "{amount} 已付给商家；售后处理中。",
            "{amount} has gone to the shop; a case about it is open.",
        ),
        "splitting": (
            "{amount} 正由支付机构分账给商家。",
            "{amount} is being handed to the shop by the payment provider.",
        ),
        "kept": (
            "该款由支付机构存管，最迟至{month}月{day}日。",
            "The payment provider keeps it, until {day} {month_en} at the latest.",
        ),
        "earned": ("{amount} 已付给商家。", "{amount} has gone to the shop."),
        "returning": ("{amount} 正在退回途中。", "{amount} is on its way back."),
        "unclaimed": (
            "{amount} 无法原路退回，请选择退到钱包或您的收款账户。",
            "{amount} could not go back the way it was paid: say whether you want it in your wallet or in your account.",
        ),
        "in_account": ("{amount} 已付到您的收款账户。", "{amount} has been paid to the account that you named."),
        "returned": ("{amount} 已原路退回。", "{amount} has come back the way it was paid."),
        "held_contested": (
            "{amount} 由平台担保；付款方银行已发起拒付，裁定前不会发货、付款或退款。",
            "{amount} is held; the payer's bank has taken money back, and nothing ships or moves until that is decided.",
        ),
        "contested": (
            "{amount} 已被付款方银行暂时收回，等待裁定。",
            "{amount} has been taken back by the payer's bank for now; it has not decided.",
        ),
        "charged_back": (
            "{amount} 已由付款方银行退回付款人。",
            "{amount} has gone back to the payer through their bank.",
        ),
        "in_wallet": ("{amount} 已退到钱包。", "{amount} has come back into the wallet."),
    }
)
"""What is said of a part, in Chinese and in English."""


def _comes_to(at: Asking, order: Order) -> str:
    """What the case that is open about an order is about to come to: an exchange, the same goods again, or nothing that is known."""
    case = at.get(store.CASE, cases.case_id_of(order.id, order.progress.cases - 1)) if order.progress.in_case else None
    if case is None:
        return ""
    if case.state in (CaseState.RESENDING, CaseState.RESENT):
        return "resending"
    return "exchange" if case.details.held or case.details.replaced_at else "case"


def _said(part: MoneyPart, order: Order, zone: ZoneInfo, *, alone: bool, comes_to: str) -> tuple[str, str]:
    chinese, english = _filled(_situation(part, order, alone=alone, comes_to=comes_to), part.amount, part.until, zone)
    if not part.kept_until:
        return chinese, english
    more, more_en = _filled("kept", part.amount, part.kept_until, zone)
    return f"{chinese}{more}", f"{english} {more_en}"


def _filled(situation: str, amount: Money, until: int, zone: ZoneInfo) -> tuple[str, str]:
    on = datetime.fromtimestamp(until / 1000, zone)
    words = {"amount": amount, "month": on.month, "day": on.day, "month_en": f"{on:%B}", "time": f"{on:%H:%M}"}
    chinese, english = SENTENCES[situation]
    return chinese.format(**words), english.format(**words)


def _situation(part: MoneyPart, order: Order, *, alone: bool, comes_to: str) -> str:
    if part.where is Whereabouts.HELD and order.progress.taken:
        return "held_contested"
    if part.where is Whereabouts.UNPAID and not part.until:
        return "never_paid" if alone else "not_taken"
    if part.where is Whereabouts.HELD and order.state is OrderState.PAID and part.until:
        return "held_to_ship"
    if part.where in (Whereabouts.HELD, Whereabouts.EARNED) and comes_to:
        said = f"{part.where}_in_{comes_to}"
        return said if said in SENTENCES else f"{part.where}_in_case"
    if part.where is Whereabouts.HELD and order.state in (OrderState.PARTLY_SHIPPED, OrderState.SHIPPED):
        return "held_until" if part.until else "held_on_the_way"
    return part.where.value
