"""What can be asked of cases: one of them as its buyer, its shop or an operator sees it, and lists of those that wait."""

from collections.abc import Sequence

from msgspec import Struct

from yunduan.domains.identity.model import Vault
from yunduan.domains.orders import cases, queries, store
from yunduan.domains.orders.cases import Case, CaseEvent, CaseKind, CaseLine, CaseRefusal, CaseState, Payer, Reason, RuledGoods, Said, Shown
from yunduan.domains.orders.model import Order, OrderRefusal, Who
from yunduan.domains.orders.numbering import Numbering
from yunduan.domains.orders.queries.counts import COUNTED_MAX
from yunduan.domains.orders.queries.paging import PageSize, paged
from yunduan.domains.orders.queries.seeing import is_shown
from yunduan.kernel.ids import LAST, CaseId, OrderId, PersonId, ShopId, VariantId
from yunduan.kernel.images import PictureId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking


class StatementView(Struct, frozen=True, kw_only=True):
    """What somebody said, with which step (nothing: as it was opened); the text is nothing once the speaker has been erased."""

    who: Who
    event: CaseEvent | None
    text: str | None
    at: int


class PictureView(Struct, frozen=True, kw_only=True):
    """A picture that was shown, and the word to it, nothing once the speaker has been erased; `CasePicture` has the picture itself."""

    id: PictureId
    who: Who
    text: str | None
    media_type: str
    at: int


class CaseParcel(Struct, frozen=True, kw_only=True):
    """How goods of a case travel; `tracking` is nothing once the buyer has been erased."""

    carrier: str
    tracking: str | None
    shipped_at: int


class CaseView(Struct, frozen=True, kw_only=True):
    """A case; times are milliseconds since 1970, 0 for not yet. `steps` are those that the caller may take now.

    `due` is when silence answers for whoever is waited for. `agreed` is what the shop has agreed to and, of a case that has ended,
    what was given back.
    """

    id: CaseId
    order_id: OrderId
    shop_id: ShopId
    kind: CaseKind
    reason: Reason
    state: CaseState
    due: int
    steps: tuple[CaseEvent, ...]
    lines: tuple[CaseLine, ...]
    asked: Money
    offered: Money | None
    offer_returns: bool
    """Whether what is offered is for goods that are sent back."""
    agreed: Money | None
    way_back: Payer
    """Who pays it, where goods are sent back."""
    postage: Money | None
    """What the buyer has paid for it and asks the shop for; `postage_paid` when they have it."""
    postage_paid: bool
    receipt_id: PictureId | None
    shipment: CaseParcel | None
    """How they travel."""
    instead_id: VariantId | None
    """What is wanted in exchange; `is_held` from the agreement until it leaves."""
    is_held: bool
    replacement: CaseParcel | None
    """How that travels."""
    goods: RuledGoods | None
    """What was ruled of goods that were sent back."""
    way_again: Payer | None
    """Who pays the way of those that the shop has to send again."""
    resent: CaseParcel | None
    """How they travel then."""
    opened_at: int
    moved_at: int
    statements: tuple[StatementView, ...]
    pictures: tuple[PictureView, ...]


class CaseLineView(Struct, frozen=True, kw_only=True):
    """A case in a list, with what its order is called: its number, and its first line's title and picture."""

    id: CaseId
    order_id: OrderId
    order_number: str
    title: str
    title_en: str
    picture: str
    shop_id: ShopId
    kind: CaseKind
    reason: Reason
    state: CaseState
    due: int
    asked: Money
    opened_at: int


class CasePage(Struct, frozen=True, kw_only=True):
    """One page of cases, those of the latest orders first; `after` asks for the next, nothing when there is none."""

    items: tuple[CaseLineView, ...]
    after: CaseId | None


class OrderCases(Struct, frozen=True, kw_only=True):
    """Every case about an order, the latest first."""

    items: tuple[CaseLineView, ...]


class CaseOf(Query[CaseView], refuses={CaseRefusal.NOT_FOUND}):
    """One case, for its buyer and for operators."""

    case_id: CaseId


class ShopCaseOf(Query[CaseView], refuses={CaseRefusal.NOT_FOUND}):
    """One case about an order of a shop, for its staff."""

    shop_id: ShopId
    case_id: CaseId


class CasesOfOrder(Query[OrderCases], refuses={OrderRefusal.NOT_FOUND}):
    """Every case that there has been about an order, the latest first, for its buyer and for operators."""

    order_id: OrderId


class ShopCases(Query[CasePage]):
    """A shop's cases: those that are open, or those in a state."""

    shop_id: ShopId
    state: CaseState | None = None
    after: CaseId | None = None
    limit: PageSize = 20


class CaseCount(Struct, frozen=True, kw_only=True):
    """How many cases are in one state; `is_more` where there may be more that were not counted."""

    state: CaseState
    cases: int
    is_more: bool


class CaseCounts(Struct, frozen=True, kw_only=True):
    """How many cases are in each state, none left out."""

    items: tuple[CaseCount, ...]


class ShopCasesByState(Query[CaseCounts]):
    """How many of a shop's cases are in each state, up to a thousand of each."""

    shop_id: ShopId


class Disputes(Query[CasePage]):
    """Cases of every shop: those that wait for a ruling, or those in a state."""

    state: CaseState = CaseState.HEARD
    after: CaseId | None = None
    limit: PageSize = 20


@answers(CaseOf)
def case_of(at: Asking, ask: CaseOf) -> CaseView:
    """To whom it is a case of their own, and to operators."""
    case = at.get(store.CASE, ask.case_id)
    if case is None or not is_shown(at, case.buyer):
        raise Refused(CaseRefusal.NOT_FOUND)
    return _view(at, case, Who.BUYER if at.actor.owns(case.buyer) else Who.OPERATOR)


@answers(ShopCaseOf)
def shop_case_of(at: Asking, ask: ShopCaseOf) -> CaseView:
    """Of this very shop."""
    case = at.get(store.CASE, ask.case_id)
    if case is None or case.shop_id != ask.shop_id or not at.actor.serves(ask.shop_id):
        raise Refused(CaseRefusal.NOT_FOUND)
    return _view(at, case, Who.SHOP)


@answers(CasesOfOrder)
def cases_of_order(at: Asking, ask: CasesOfOrder) -> OrderCases:
    """All of them: there are few."""
    order = queries.seen(at, at.get(store.ORDER, ask.order_id))
    ids = [cases.case_id_of(order.id, number) for number in reversed(range(order.progress.cases))]
    return OrderCases(items=_page(at, ids, len(ids)).items)


@answers(ShopCases)
def shop_cases(at: Asking, ask: ShopCases) -> CasePage:
    """One page by the index of shops and states."""
    states = (ask.state,) if ask.state else tuple(cases.DEADLINES_MS)
    return _page(at, store.cases_of_shop(at, ask.shop_id, states, ask.after or LAST, ask.limit + 1), ask.limit)


@answers(ShopCasesByState)
def shop_cases_by_state(at: Asking, ask: ShopCasesByState) -> CaseCounts:
    """A walk along the index of shops and states, which ends where it has seen enough of each."""
    found = store.case_states_of_shop(at, ask.shop_id, COUNTED_MAX + 1)
    counted = [(state, found.get(state, 0)) for state in CaseState]
    return CaseCounts(
        items=tuple([CaseCount(state=state, cases=min(number, COUNTED_MAX), is_more=number > COUNTED_MAX) for state, number in counted])
    )


@answers(Disputes)
def disputes(at: Asking, ask: Disputes) -> CasePage:
    """One page by the index of states."""
    return _page(at, store.cases_in(at, (ask.state,), ask.after or LAST, ask.limit + 1), ask.limit)


def _page(at: Asking, found: Sequence[CaseId], limit: int) -> CasePage:
    shown, after = paged(found, limit)
    there = at.get_many(store.CASE, shown)
    orders, numbering = at.get_many(store.ORDER, [there[id].order_id for id in shown]), at.port(Numbering)
    items = tuple([_line(there[id], orders[there[id].order_id], numbering) for id in shown])
    return CasePage(items=items, after=after)


def _line(case: Case, order: Order, numbering: Numbering) -> CaseLineView:
    details, first = case.details, store.terms(order).items[0]
    return CaseLineView(
        id=case.id,
        order_id=case.order_id,
        order_number=numbering.number_of(order.seq),
        title=first.title,
        title_en=first.title_en,
        picture=first.picture,
        shop_id=case.shop_id,
        kind=details.kind,
        reason=details.reason,
        state=case.state,
        due=case.due,
        asked=case.money(details.asked),
        opened_at=details.opened_at,
    )


def _view(at: Asking, case: Case, who: Who) -> CaseView:
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    details = case.details
    return CaseView(
        id=case.id,
        order_id=case.order_id,
        shop_id=case.shop_id,
        kind=details.kind,
        reason=details.reason,
        state=case.state,
        due=case.due,
        steps=cases.steps_from(case, who),
        lines=tuple([CaseLine(variant_id=variant_id, quantity=quantity) for variant_id, quantity in details.lines]),
        asked=case.money(details.asked),
        offered=case.money(details.offered) if details.offered else None,
        offer_returns=details.offer_returns,
        agreed=case.money(details.agreed) if details.agreed else None,
        way_back=details.way_back,
        postage=case.money(details.postage) if details.postage else None,
        postage_paid=details.postage_paid,
        receipt_id=details.receipt or None,
        shipment=_parcel(vault, case.buyer, details.carrier, details.tracking, details.sent_at),
        instead_id=details.instead,
        is_held=details.held,
        replacement=_parcel(vault, case.buyer, details.carrier_out, details.tracking_out, details.replaced_at),
        goods=details.goods,
        way_again=details.way_again,
        resent=_parcel(vault, case.buyer, details.carrier_out, details.tracking_out, details.resent_at),
        opened_at=details.opened_at,
        moved_at=details.moved_at,
        statements=tuple([_statement(vault, one) for one in store.said_in(at, case)]),
        pictures=tuple([_picture(vault, one) for one in store.pictures_in(at, case.id)]),
    )


def _picture(vault: Vault, one: Shown) -> PictureView:
    text = vault.unseal(one.speaker, one.sealed) if one.sealed else ""
    return PictureView(id=one.picture, who=one.who, text=text, media_type=one.media_type, at=one.at)


def _parcel(vault: Vault, buyer: PersonId, carrier: str, tracking: bytes, sent_at: int) -> CaseParcel | None:
    return CaseParcel(carrier=carrier, tracking=vault.unseal(buyer, tracking), shipped_at=sent_at) if sent_at else None


def _statement(vault: Vault, one: Said) -> StatementView:
    return StatementView(who=one.who, event=one.event, text=vault.unseal(one.speaker, one.sealed), at=one.at)
