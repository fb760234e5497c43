"""What a case after the sale is, which step of it may follow which and until when, and what may be asked back: pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.model import Variant
from yunduan.domains.orders import parcels
from yunduan.domains.orders.model import HOME_MS, QUANTITY_MAX, Order, OrderRefusal, OrderState, Terms, Who, half_up
from yunduan.domains.orders.model import hold_of as order_hold
from yunduan.kernel.ids import CaseId, HoldId, OrderId, PersonId, RefundId, ShopId, VariantId, sibling
from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import RefusalCode, Refused, invariant

CASES_MAX = 16
"""How many cases one order may have, one after the other."""
PICTURES_MAX = 6
"""How many pictures each side may show in a case."""
STATEMENTS_MAX = 10
"""How often each side may speak in a case."""
LINES_MAX = 100
_DAY_MS = 86_400_000
_LINES = r"^(?![\s\S]*[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069])"
Statement = Annotated[
    str,
    Meta(max_length=1000, pattern=_LINES, description="For the other side and operators; line feeds are its only control characters."),
]
Reasons = Annotated[Statement, Meta(min_length=1)]


class CaseRefusal(RefusalCode):
    """What cases refuse."""

    NOT_FOUND = "case_not_found", "There is no such case, or it is about somebody else's order."
    OTHER_STATE = "case_in_other_state", "The case is in no state for this step; `figures` say in which, and which steps there are."
    OPEN = "order_in_case", "A case is open about this order, whose money stays where it is until the case is closed."
    FULL = "cases_full", "There have been as many cases about this order as there may be."
    REASON = "reason_does_not_fit", "What has not come cannot be sent back: ask for a refund only."
    PIECES = "pieces_not_bought", "So many pieces were not bought, or they were called off or given back already."
    EXCEEDS = "amount_exceeds_case", "This is more than can be given back for it; `left` of `figures` says how much that is."
    TOO_LATE = "right_of_return_ended", "The time in which this could be given back has passed."
    EXCLUDED = "goods_not_returnable", "These goods are given back only for a fault of them."
    EXCHANGE = (
        "exchange_does_not_fit",
        "An exchange, and nothing else, names what is wanted instead: a variant of the same goods.",
    )
    PRICE_DIFFERS = (
        "exchange_price_differs",
        "What is wanted instead costs another sum than what was bought; `figures` say which. Send it back, and buy the other.",
    )
    GOODS = (
        "ruling_of_goods_does_not_fit",
        "Of goods that were sent back, and of no others, a ruling says whether they are sent again, kept for so much, or not there.",
    )
    PICTURES_FULL = "pictures_full", "Each side has shown as many pictures in a case as it may."
    PICTURE_NOT_FOUND = "picture_not_found", "There is no such picture in this case."
    POSTAGE = "postage_not_due", "The way back is paid by the buyer; the case says who pays it."
    POSTAGE_EXCEEDS = "postage_exceeds", "This is nothing, or more than a way back may cost; `left` of `figures` says how much that is."
    STATEMENTS_FULL = "statements_full", "Each side has said as much in a case as it may."


class CaseKind(StrEnum):
    """What a buyer wants."""

    REFUND = "refund"
    """Money back, and the goods stay where they are."""
    RETURN = "return"
    """Money back for goods that are sent back."""
    EXCHANGE = "exchange"
    """Other goods of the same kind, at the same price, for goods that are sent back."""


class Reason(StrEnum):
    """Why: a closed list."""

    CHANGED_MIND = "changed_mind"
    NOT_ARRIVED = "not_arrived"
    PIECES_MISSING = "pieces_missing"
    DAMAGED = "damaged"
    NOT_AS_DESCRIBED = "not_as_described"
    WRONG_GOODS = "wrong_goods"


NEVER_CAME = frozenset({Reason.NOT_ARRIVED, Reason.PIECES_MISSING})
"""For these nothing can be sent back. All but a change of mind are a fault of the goods or of the shop."""


class Payer(StrEnum):
    """Who pays the way back of goods."""

    BUYER = "buyer"
    SHOP = "shop"
    """The parcel is sent freight collect, or the buyer has back what they paid for it."""


class RuledGoods(StrEnum):
    """What becomes of goods that a buyer has sent back, when an operator rules."""

    SENT_AGAIN = "sent_again"
    """The buyer pays for them, and the shop sends them again."""
    KEPT = "kept"
    """They are the shop's, for what the buyer has back; now, or when they come."""
    NOT_THERE = "not_there"
    """The shop has none of them: nothing has come, or the buyer has them."""


class CaseState(StrEnum):
    """Where a case stands, and so whom it waits for."""

    ASKED = "asked"
    OFFERED = "offered"
    REFUSED = "refused"
    TO_SEND = "to_send"
    SENT = "sent"
    REPLACING = "replacing"
    """The goods are back, and the shop has to send what it holds for the buyer."""
    REPLACED = "replaced"
    """That is on its way."""
    RESENDING = "resending"
    """It was ruled that what the buyer has sent back is theirs, and the shop has to send it again."""
    RESENT = "resent"
    """That is on its way."""
    DISPUTED = "disputed"
    HEARD = "heard"
    REFUNDED = "refunded"
    EXCHANGED = "exchanged"
    CLOSED = "closed"


class CaseEvent(StrEnum):
    """What can happen to a case."""

    AGREE = "agree"
    AGREE_TO_RETURN = "agree_to_return"
    AGREE_TO_EXCHANGE = "agree_to_exchange"
    """From now on what is wanted instead is held."""
    OFFER = "offer"
    REFUSE = "refuse"
    ACCEPT = "accept"
    ACCEPT_TO_RETURN = "accept_to_return"
    SEND_BACK = "send_back"
    ARRIVE = "arrive"
    ARRIVE_TO_EXCHANGE = "arrive_to_exchange"
    REPLACE = "replace"
    RECEIVE = "receive"
    TAKE_REFUND = "take_refund"
    """Money instead of other goods."""
    CALL_OPERATOR = "call_operator"
    GIVE_EVIDENCE = "give_evidence"
    SHOW_PICTURE = "show_picture"
    CLOSE_EVIDENCE = "close_evidence"
    RULE = "rule"
    DISMISS = "dismiss"
    RULE_TO_RESEND = "rule_to_resend"
    """Dismissed as well, and the goods that were sent back go to the buyer again."""
    RESEND = "resend"
    RECEIVE_RESENT = "receive_resent"
    PAY_BACK = "pay_back"
    """Money for goods that were not sent again in time."""
    WITHDRAW = "withdraw"
    END = "end"


class CaseMove(Struct, frozen=True):
    """One row of the table of cases."""

    state: CaseState
    event: CaseEvent
    who: Who
    next: CaseState


_OPEN = (
    CaseState.ASKED,
    CaseState.OFFERED,
    CaseState.REFUSED,
    CaseState.TO_SEND,
    CaseState.SENT,
    CaseState.REPLACING,
    CaseState.REPLACED,
    CaseState.RESENDING,
    CaseState.RESENT,
    CaseState.DISPUTED,
    CaseState.HEARD,
)
_GOODS_ARE_BACK = (CaseState.SENT, CaseState.REPLACING, CaseState.REPLACED, CaseState.RESENDING, CaseState.RESENT)
"""Nobody withdraws then: somebody has goods that are another's. Nor does anybody when that is disputed (`after`)."""
_BEFORE_AGREEMENT = (CaseState.ASKED, CaseState.OFFERED, CaseState.REFUSED, CaseState.DISPUTED, CaseState.HEARD)

CASE_MOVES: tuple[CaseMove, ...] = (
    # The shop gives what was asked, for the goods or without them, as long as nothing else was agreed
    *(CaseMove(state, CaseEvent.AGREE, Who.SHOP, CaseState.REFUNDED) for state in _BEFORE_AGREEMENT),
    *(CaseMove(state, CaseEvent.AGREE_TO_RETURN, Who.SHOP, CaseState.TO_SEND) for state in _BEFORE_AGREEMENT),
    *(CaseMove(state, CaseEvent.AGREE_TO_EXCHANGE, Who.SHOP, CaseState.TO_SEND) for state in _BEFORE_AGREEMENT),
    CaseMove(CaseState.ASKED, CaseEvent.OFFER, Who.SHOP, CaseState.OFFERED),
    CaseMove(CaseState.REFUSED, CaseEvent.OFFER, Who.SHOP, CaseState.OFFERED),
    CaseMove(CaseState.ASKED, CaseEvent.REFUSE, Who.SHOP, CaseState.REFUSED),
    CaseMove(CaseState.OFFERED, CaseEvent.ACCEPT, Who.BUYER, CaseState.REFUNDED),
    CaseMove(CaseState.OFFERED, CaseEvent.ACCEPT_TO_RETURN, Who.BUYER, CaseState.TO_SEND),
    # The way back
    CaseMove(CaseState.TO_SEND, CaseEvent.SEND_BACK, Who.BUYER, CaseState.SENT),
    CaseMove(CaseState.SENT, CaseEvent.ARRIVE, Who.SHOP, CaseState.REFUNDED),
    # Other goods for those that came back; until they leave, the buyer may have the money instead
    CaseMove(CaseState.SENT, CaseEvent.ARRIVE_TO_EXCHANGE, Who.SHOP, CaseState.REPLACING),
    CaseMove(CaseState.REPLACING, CaseEvent.REPLACE, Who.SHOP, CaseState.REPLACED),
    CaseMove(CaseState.REPLACING, CaseEvent.TAKE_REFUND, Who.BUYER, CaseState.REFUNDED),
    CaseMove(CaseState.REPLACED, CaseEvent.RECEIVE, Who.BUYER, CaseState.EXCHANGED),
    # When they do not agree
    CaseMove(CaseState.OFFERED, CaseEvent.CALL_OPERATOR, Who.BUYER, CaseState.DISPUTED),
    CaseMove(CaseState.REFUSED, CaseEvent.CALL_OPERATOR, Who.BUYER, CaseState.DISPUTED),
    CaseMove(CaseState.REPLACED, CaseEvent.CALL_OPERATOR, Who.BUYER, CaseState.DISPUTED),
    CaseMove(CaseState.SENT, CaseEvent.CALL_OPERATOR, Who.SHOP, CaseState.DISPUTED),
    CaseMove(CaseState.DISPUTED, CaseEvent.GIVE_EVIDENCE, Who.BUYER, CaseState.DISPUTED),
    CaseMove(CaseState.DISPUTED, CaseEvent.GIVE_EVIDENCE, Who.SHOP, CaseState.DISPUTED),
    *(
        CaseMove(state, CaseEvent.SHOW_PICTURE, who, state)
        for state in _OPEN
        if state is not CaseState.HEARD
        for who in (Who.BUYER, Who.SHOP)
    ),
    CaseMove(CaseState.HEARD, CaseEvent.RULE, Who.OPERATOR, CaseState.REFUNDED),
    CaseMove(CaseState.HEARD, CaseEvent.DISMISS, Who.OPERATOR, CaseState.CLOSED),
    # What was sent back goes to the buyer again; the shop may pay for it instead, and says so when it has not come
    CaseMove(CaseState.HEARD, CaseEvent.RULE_TO_RESEND, Who.OPERATOR, CaseState.RESENDING),
    CaseMove(CaseState.RESENDING, CaseEvent.RESEND, Who.SHOP, CaseState.RESENT),
    CaseMove(CaseState.RESENDING, CaseEvent.AGREE, Who.SHOP, CaseState.REFUNDED),
    CaseMove(CaseState.RESENDING, CaseEvent.CALL_OPERATOR, Who.SHOP, CaseState.DISPUTED),
    CaseMove(CaseState.RESENT, CaseEvent.RECEIVE_RESENT, Who.BUYER, CaseState.CLOSED),
    CaseMove(CaseState.RESENT, CaseEvent.CALL_OPERATOR, Who.BUYER, CaseState.DISPUTED),
    # Who wants nothing any more; what is on its way back is waited for
    *(CaseMove(state, CaseEvent.WITHDRAW, Who.BUYER, CaseState.CLOSED) for state in _OPEN if state not in _GOODS_ARE_BACK),
    # Time passes: silence of the shop agrees, silence of the buyer withdraws, and silence of the operator gives what was asked
    CaseMove(CaseState.ASKED, CaseEvent.AGREE, Who.CLOUD, CaseState.REFUNDED),
    CaseMove(CaseState.ASKED, CaseEvent.AGREE_TO_RETURN, Who.CLOUD, CaseState.TO_SEND),
    CaseMove(CaseState.ASKED, CaseEvent.AGREE_TO_EXCHANGE, Who.CLOUD, CaseState.TO_SEND),
    CaseMove(CaseState.ASKED, CaseEvent.OFFER, Who.CLOUD, CaseState.OFFERED),  # what was wanted instead is gone
    CaseMove(CaseState.OFFERED, CaseEvent.WITHDRAW, Who.CLOUD, CaseState.CLOSED),
    CaseMove(CaseState.REFUSED, CaseEvent.WITHDRAW, Who.CLOUD, CaseState.CLOSED),
    CaseMove(CaseState.TO_SEND, CaseEvent.WITHDRAW, Who.CLOUD, CaseState.CLOSED),
    CaseMove(CaseState.SENT, CaseEvent.ARRIVE, Who.CLOUD, CaseState.REFUNDED),
    CaseMove(CaseState.SENT, CaseEvent.ARRIVE_TO_EXCHANGE, Who.CLOUD, CaseState.REPLACING),
    CaseMove(CaseState.REPLACING, CaseEvent.TAKE_REFUND, Who.CLOUD, CaseState.REFUNDED),
    CaseMove(CaseState.REPLACED, CaseEvent.RECEIVE, Who.CLOUD, CaseState.EXCHANGED),
    CaseMove(CaseState.RESENDING, CaseEvent.PAY_BACK, Who.CLOUD, CaseState.REFUNDED),
    CaseMove(CaseState.RESENT, CaseEvent.RECEIVE_RESENT, Who.CLOUD, CaseState.CLOSED),
    CaseMove(CaseState.DISPUTED, CaseEvent.CLOSE_EVIDENCE, Who.CLOUD, CaseState.HEARD),
    CaseMove(CaseState.HEARD, CaseEvent.RULE, Who.CLOUD, CaseState.REFUNDED),
    CaseMove(CaseState.HEARD, CaseEvent.AGREE_TO_RETURN, Who.CLOUD, CaseState.TO_SEND),
    # The order was called off, or given back whole, meanwhile
    *(CaseMove(state, CaseEvent.END, Who.CLOUD, CaseState.CLOSED) for state in _OPEN),
)
"""Every step that there is; whatever is not here is refused."""
_NEXT: Mapping[tuple[CaseState, CaseEvent, Who], CaseState] = MappingProxyType(
    {(move.state, move.event, move.who): move.next for move in CASE_MOVES}
)

DEADLINES_MS: Mapping[CaseState, int] = MappingProxyType(
    {
        CaseState.ASKED: 3 * _DAY_MS,
        CaseState.OFFERED: 5 * _DAY_MS,
        CaseState.REFUSED: 5 * _DAY_MS,
        CaseState.TO_SEND: 7 * _DAY_MS,
        CaseState.SENT: 10 * _DAY_MS,
        CaseState.REPLACING: 5 * _DAY_MS,
        CaseState.REPLACED: HOME_MS,
        CaseState.RESENDING: 7 * _DAY_MS,
        CaseState.RESENT: HOME_MS,
        CaseState.DISPUTED: 3 * _DAY_MS,
        CaseState.HEARD: 14 * _DAY_MS,
    }
)
"""How long a case may stand in each state that it does not end in: what happens then is what `CASE_MOVES` has for the cloud.

What is on its way into another country has as long as any order that goes there.
"""
BY_SILENCE: Mapping[CaseState, tuple[CaseEvent, ...]] = MappingProxyType(
    {
        state: tuple([m.event for m in CASE_MOVES if m.state is state and m.who is Who.CLOUD and m.event is not CaseEvent.END])
        for state in DEADLINES_MS
    }
)
"""What can happen when nobody has said anything; which of them, `silence` says."""


class CaseLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many pieces of a variant that a case is about."""

    variant_id: VariantId
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX, examples=[1])]


class Details(Struct, frozen=True, array_like=True, gc=False):
    """What a case is about and what became of it; amounts in minor units of the order's currency, times in milliseconds since 1970.

    The number by which the parcel back is tracked is sealed under the buyer's key.
    """

    kind: CaseKind
    reason: Reason
    lines: tuple[tuple[VariantId, int], ...]
    asked: int
    way_back: Payer
    opened_at: int
    moved_at: int
    offered: int = 0
    offer_returns: bool = False
    """Whether the shop wants the goods back for what it offers."""
    agreed: int = 0
    """What the shop has agreed to, or what was given back in the end."""
    carrier: str = ""
    tracking: bytes = b""
    sent_at: int = 0
    statements: int = 0
    instead: VariantId | None = None
    """What is wanted in exchange."""
    held: bool = False
    """Whether its pieces are held for the buyer."""
    carrier_out: str = ""
    """By what they travel, and since when; or the goods that are sent again, since `resent_at`."""
    tracking_out: bytes = b""
    replaced_at: int = 0
    postage: int = 0
    """What the buyer has paid for the way back and the shop owes them, by the receipt that this picture shows."""
    receipt: str = ""
    postage_paid: bool = False
    back_at: int = 0
    """When the shop said that the goods are there; silence says nothing of that."""
    goods: RuledGoods | None = None
    """What was ruled of the goods that were sent back, at last."""
    way_again: Payer | None = None
    """Who pays the way of those that are sent again."""
    resent_at: int = 0


class Case(Struct, frozen=True, gc=False):
    """What a buyer wants after the sale, until it is settled; `due` is when silence settles the next step, 0 once it is closed."""

    id: CaseId
    order_id: OrderId
    buyer: PersonId
    shop_id: ShopId
    state: CaseState
    due: int
    currency: str
    details: Details

    @property
    def is_open(self) -> bool:
        """Whether it waits for somebody."""
        return self.state in DEADLINES_MS

    @property
    def wants_goods(self) -> bool:
        """Whether goods have to come back first, and have not been sent, for what was asked."""
        return self.details.kind is not CaseKind.REFUND and not self.details.sent_at

    @property
    def is_sent(self) -> bool:
        """Whether the buyer has sent goods back, has nothing for them yet, and was not sent them again."""
        return self.is_returned and not self.details.resent_at

    @property
    def is_returned(self) -> bool:
        """Whether the buyer has sent goods back, and no others were sent for them: a ruling says where they belong."""
        return bool(self.details.sent_at) and not self.details.replaced_at

    @property
    def is_back(self) -> bool:
        """Whether the case has ended and the shop has its goods, for money or for others."""
        is_kept = self.is_sent and self.state is CaseState.REFUNDED and self.details.goods is not RuledGoods.NOT_THERE
        return not self.is_open and (bool(self.details.replaced_at) or is_kept)

    @property
    def pieces(self) -> int:
        """How many pieces it is about."""
        return sum([quantity for _, quantity in self.details.lines])

    @property
    def claim(self) -> int:
        """What the buyer is to have: what was agreed to, or else what they asked."""
        return self.details.agreed or self.details.asked

    def money(self, amount: int) -> Money:
        """An amount of it."""
        return Money(amount=amount, currency=self.currency)


class Said(Struct, frozen=True, gc=False):
    """What somebody said in a case; the text is sealed under the key of who said it."""

    case_id: CaseId
    number: int
    who: Who
    event: CaseEvent | None
    """With which step; nothing for the opening."""
    speaker: PersonId
    sealed: bytes
    at: int


class Shown(Struct, frozen=True, gc=False):
    """A picture in a case; the word to it is sealed under the key of who showed it, and the picture with it."""

    case_id: CaseId
    number: int
    picture: str
    who: Who
    media_type: str
    speaker: PersonId
    sealed: bytes
    at: int


class CaseNow(Struct, frozen=True, kw_only=True):
    """What a refused step is told: where the case stands, and what its caller may do from there."""

    case_id: CaseId
    state: CaseState
    steps: tuple[CaseEvent, ...]


class PriceOfExchange(Struct, frozen=True, kw_only=True):
    """What one piece of what is wanted instead costs now, and what the one that was bought had cost."""

    price: Money
    bought_for: Money


class LeftForCase(Struct, frozen=True, kw_only=True):
    """How much can be given back for what a case is about."""

    left: Money


def case_id_of(order_id: OrderId, number: int) -> CaseId:
    """The id of an order's case number `number`, from 0: cases are found from their order, and it from any of them, without an index."""
    invariant(0 <= number < CASES_MAX, "a case's number takes one digit")
    return CaseId(f"{sibling(order_id, 'cas')}{number:x}")


def order_of(case_id: CaseId) -> OrderId:
    """The order that a case is about."""
    return OrderId(sibling(case_id[:-1], "ord"))


def refund_of(case_id: CaseId) -> RefundId:
    """The one refund that a case can come to: whatever is asked twice, it is paid once."""
    return RefundId(sibling(case_id, "rfd"))


def hold_of(case_id: CaseId) -> HoldId:
    """The hold on stock for what is given in exchange: the order's own has a digit less."""
    return HoldId(sibling(case_id, "hld"))


def silence(case: Case, *, is_there: bool) -> CaseEvent:
    """What happens when nobody has said anything; `is_there` says whether what is wanted instead can be held, where that matters."""
    if case.state is CaseState.ASKED and case.details.kind is CaseKind.EXCHANGE:
        return CaseEvent.AGREE_TO_EXCHANGE if is_there else CaseEvent.OFFER
    if case.state is CaseState.SENT and case.details.held:
        return CaseEvent.ARRIVE_TO_EXCHANGE
    return BY_SILENCE[case.state][1 if case.wants_goods and case.state in (CaseState.ASKED, CaseState.HEARD) else 0]


def check_exchange(agreed: Terms, lines: Sequence[tuple[VariantId, int]], instead: Variant, currency: str) -> None:
    """Refuse what is no variant of the goods that are sent back, and what costs another sum than they did.

    The same variant is always the same goods, whatever it costs by now.
    """
    items = {item.variant_id: item for item in agreed.items}
    for variant_id, _ in lines:
        item = items.get(variant_id)
        if item is not None and item.goods_id != instead.goods_id:
            raise Refused(CaseRefusal.EXCHANGE, "not of the goods that are sent back")
        price = Money(amount=item.price if item else 0, currency=currency)
        if item is not None and variant_id != instead.id and price != instead.price:
            figures = PriceOfExchange(price=instead.price, bought_for=price)
            raise Refused(CaseRefusal.PRICE_DIFFERS, f"{instead.price} for {price}", figures=figures)


def came_back(order: Order, agreed: Terms, before: Iterable[Case], case: Case) -> dict[HoldId, dict[VariantId, int]]:
    """What the pieces that a case brings back are, by the holds under which they had left: what was given last comes back first.

    A piece that was exchanged is another variant than the one that was bought, and left under the hold of that case.
    """
    own = order_hold(order.id)
    has = {variant_id: [(own, variant_id, pieces)] for variant_id, pieces in parcels.sold_for_good(order, agreed.items).items()}
    taken: list[tuple[HoldId, VariantId, int]] = []
    for one in (*(one for one in before if one.is_back), case):
        for variant_id, quantity in one.details.lines:
            has[variant_id], out = _without_last(has[variant_id], quantity)
            if one is case:
                taken += out
            elif one.details.replaced_at and one.details.instead:
                has[variant_id].append((hold_of(one.id), one.details.instead, quantity))
    found: dict[HoldId, dict[VariantId, int]] = {}
    for hold_id, variant_id, pieces in taken:
        of_hold = found.setdefault(hold_id, {})
        of_hold[variant_id] = of_hold.get(variant_id, 0) + pieces
    return found


_Pieces = list[tuple[HoldId, VariantId, int]]


def _without_last(has: _Pieces, quantity: int) -> tuple[_Pieces, _Pieces]:
    kept, out = list(has), []
    while quantity and kept:
        hold_id, variant_id, pieces = kept.pop()
        part = min(pieces, quantity)
        quantity -= part
        out.append((hold_id, variant_id, part))
        if pieces > part:
            kept.append((hold_id, variant_id, pieces - part))
    return kept, out


def steps_from(case: Case, who: Who) -> tuple[CaseEvent, ...]:
    """What somebody may do with a case; of an exchange only what an exchange has."""
    details = case.details
    never = {CaseEvent.ARRIVE if details.held else CaseEvent.ARRIVE_TO_EXCHANGE}
    if case.is_sent:
        never.add(CaseEvent.WITHDRAW)
    if details.kind is not CaseKind.EXCHANGE or details.sent_at:
        never.add(CaseEvent.AGREE_TO_EXCHANGE)
    if not case.is_returned:
        never.add(CaseEvent.RULE_TO_RESEND)
    return tuple([move.event for move in CASE_MOVES if move.state is case.state and move.who is who and move.event not in never])


def after(case: Case, event: CaseEvent, who: Who) -> CaseState:
    """The state that an event leads to; refuses one that the table does not have, and to withdraw when the goods have gone back.

    The shop would have them and the money: who has sent them back waits for the shop's word, or an operator's.
    """
    found = _NEXT.get((case.state, event, who))
    if found is None or (event is CaseEvent.WITHDRAW and case.is_sent):
        figures = CaseNow(case_id=case.id, state=case.state, steps=steps_from(case, who))
        raise Refused(CaseRefusal.OTHER_STATE, f"the case is {case.state.value}", figures=figures)
    return found


def claimed_before(cases: Iterable[Case]) -> dict[VariantId, int]:
    """The pieces for which something has been given back already."""
    found: dict[VariantId, int] = {}
    for case in cases:
        if case.state is CaseState.REFUNDED:
            for variant_id, quantity in case.details.lines:
                found[variant_id] = found.get(variant_id, 0) + quantity
    return found


def exchanged_since(cases: Iterable[Case], since: int) -> dict[VariantId, int]:
    """How many pieces have come in exchange since then, and are there still: what was given last is what goes back first."""
    found: dict[VariantId, int] = {}
    for case in cases:
        for variant_id, quantity in case.details.lines:
            before = found.get(variant_id, 0)
            if case.state is CaseState.EXCHANGED and case.details.moved_at >= since:
                found[variant_id] = max(before, quantity)
            elif case.state is CaseState.REFUNDED:
                found[variant_id] = max(0, before - quantity)
    return found


def lines_of(lines: Sequence[CaseLine]) -> tuple[tuple[VariantId, int], ...]:
    """Pieces by variant, each named once."""
    found: dict[VariantId, int] = {}
    for line in lines:
        found[line.variant_id] = found.get(line.variant_id, 0) + line.quantity
    return tuple(found.items())


def worth(order: Order, agreed: Terms) -> dict[VariantId, tuple[int, int]]:
    """Of each variant of an order: how many pieces it has, and what its buyer paid for them all, to the last unit.

    What was paid for sending belongs to no line. What was taken off is divided by the lines' prices; what was added to a line is its own.
    """
    added: dict[str, int] = {}
    for tax in agreed.taxes:
        added[tax.of] = added.get(tax.of, 0) + (0 if tax.included else tax.amount)
    goods = Money(amount=order.total - agreed.shipping - sum(added.values()), currency=order.currency)
    found: dict[VariantId, tuple[int, int]] = {}
    for item, part in zip(agreed.items, split(goods, [item.amount for item in agreed.items]), strict=True):
        pieces, paid = found.get(item.variant_id, (0, added.get(item.variant_id, 0)))
        found[item.variant_id] = pieces + item.quantity, paid + part.amount
    return found


def between(paid: tuple[int, int], first: int, quantity: int) -> int:
    """What so many pieces of a variant are worth when `first` others come before them: together all of them come to what was paid."""
    pieces, whole = paid
    return half_up(whole, parts=first + quantity, of=pieces) - half_up(whole, parts=first, of=pieces)


def most(
    order: Order,
    agreed: Terms,
    lines: Sequence[tuple[VariantId, int]],
    reason: Reason,
    *,
    before: Mapping[VariantId, int],
    of_rest: Mapping[VariantId, int],
) -> int:
    """What can be given back for some pieces at most; refuses pieces that were not bought, or were given back `before`.

    Of those some may be `of_rest`, which was called off since: they are not among what was sold. What was paid for sending goes back as
    well when nothing of the order is left to the buyer, unless the goods have left and only the buyer's mind has changed. Never more than
    is left of the order.
    """
    sold, bought = _sold(order, agreed, of_rest), {item.variant_id for item in agreed.items}
    for variant_id, quantity in lines:
        if variant_id not in bought:
            raise Refused(OrderRefusal.ITEM_NOT_FOUND, "not bought with this order")
        first = before.get(variant_id, 0)
        if first + quantity > sold.get(variant_id, 0):
            raise Refused(CaseRefusal.PIECES, f"{max(0, sold.get(variant_id, 0) - first)} of {variant_id}")
    return owed_for(order, agreed, lines, reason, before=before, of_rest=of_rest)


def _sold(order: Order, agreed: Terms, of_rest: Mapping[VariantId, int]) -> dict[VariantId, int]:
    sold = parcels.sold_for_good(order, agreed.items)
    if order.progress.is_short:
        sold = {variant_id: pieces + of_rest.get(variant_id, 0) for variant_id, pieces in sold.items()}
    return sold


def owed_for(
    order: Order,
    agreed: Terms,
    lines: Sequence[tuple[VariantId, int]],
    reason: Reason,
    *,
    before: Mapping[VariantId, int],
    of_rest: Mapping[VariantId, int],
) -> int:
    """The same of pieces that are known to have been bought: those for which something was given `before` count for nothing."""
    paid, sold, amount = worth(order, agreed), _sold(order, agreed, of_rest), 0
    for variant_id, quantity in lines:
        first = before.get(variant_id, 0)
        amount += between(paid[variant_id], first, max(0, min(quantity, sold.get(variant_id, 0) - first)))
    asked = dict(lines)
    keeps = any(asked.get(variant_id, 0) + before.get(variant_id, 0) < pieces for variant_id, pieces in sold.items())
    if not keeps and (reason is not Reason.CHANGED_MIND or order.state is OrderState.PAID):
        return order.left
    return min(amount, order.left)


def check_goods(case: Case, goods: RuledGoods | None, way_again: Payer | None, *, pays: bool) -> None:
    """Refuse a ruling that leaves one side with goods and money, or speaks of goods that are where they belong.

    `pays` says whether the buyer has anything back. Who pays the way is a matter of goods that are sent again.
    """
    fits = {None: not case.is_returned, RuledGoods.KEPT: pays, RuledGoods.SENT_AGAIN: not pays, RuledGoods.NOT_THERE: True}
    if not fits[goods] or (goods and not case.is_returned) or (way_again and goods is not RuledGoods.SENT_AGAIN):
        raise Refused(CaseRefusal.GOODS, "goods were sent back" if case.is_returned else "no goods were sent back")


def check_postage(case: Case, postage: Money, most: int) -> None:
    """Refuse postage that the shop does not owe, nothing, another currency, and more than a way back may cost."""
    if case.details.way_back is not Payer.SHOP:
        raise Refused(CaseRefusal.POSTAGE)
    if postage.currency != case.currency or not 0 < postage.amount <= most:
        raise Refused(CaseRefusal.POSTAGE_EXCEEDS, figures=LeftForCase(left=case.money(most)))


def postage_of(case_id: CaseId) -> str:
    """What the postage of a case is paid under, once."""
    return sibling(case_id, "pst")


def checked(amount: Money, left: Money) -> Money:
    """An amount that is asked, offered or ruled; refuses nothing, another currency, and more than can be given back."""
    if not amount:
        raise Refused(OrderRefusal.NOT_A_REFUND, figures=LeftForCase(left=left))
    if amount.currency != left.currency or amount > left:
        raise Refused(CaseRefusal.EXCEEDS, f"{left} can be given back", figures=LeftForCase(left=left))
    return amount
