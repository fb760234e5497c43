"""What becomes of cases after the sale: mostly a step that fits where one stands."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from yunduan.domains.orders.cases import DEADLINES_MS, CaseKind, CaseLine, CaseState, Reason, RuledGoods, order_of
from yunduan.domains.orders.casework import CaseStands
from yunduan.domains.orders.charges import GoodsCharge
from yunduan.domains.orders.claiming import (
    AcceptOffer,
    AgreeToCase,
    ConfirmReturn,
    OfferInCase,
    OpenCase,
    RefuseCase,
    SendBack,
    WithdrawCase,
)
from yunduan.domains.orders.disputes import CallOperator, ContestReturn, GiveEvidence, GiveShopEvidence, RuleCase, SendGoodsAgain
from yunduan.domains.orders.exchanging import ReceiveReplacement, SendReplacement, TakeRefundInstead
from yunduan.domains.orders.model import OrderState
from yunduan.domains.orders.queries import OrderOf
from yunduan.kernel.ids import LocationId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.runtime.answers import Answered
from yunduan.testing.people import Asked
from yunduan.testing.trade.founding import yuan
from yunduan.testing.trade.shoppers import LATEST, Disputed, Drawn, Draws, Learns, Shoppers


def _claim(it: Shoppers) -> Drawn:
    order = it.order()
    if order is None or it.cloud is None:
        return None
    try:
        bought = it.cloud.ask(OrderOf(order_id=order.id), actor=order.buyer)
    except (Refused, FaultError):
        return None
    if bought.state not in ABOUT and it.chance.random() < 0.9:
        return None
    goods = it.chance.choice([line for line in bought.lines if isinstance(line, GoodsCharge)])
    lines = (CaseLine(variant_id=goods.variant_id, quantity=it.chance.randrange(1, goods.quantity + 1)),)
    amount = yuan(it.chance.randrange(1, order.total)) if it.chance.random() < 0.3 else None
    is_twin = goods.variant_id in it.market.twins
    kind, reason = it.chance.choice((*CaseKind, *[CaseKind.EXCHANGE] * 4 * is_twin)), it.chance.choice(tuple(Reason))
    if kind is not CaseKind.EXCHANGE:
        instead = None
    elif is_twin and it.chance.random() < 0.9:
        instead, amount = next(one for one in it.market.twins if one != goods.variant_id), None
    else:
        instead = it.chance.choice(it.market.variants)
    return OpenCase(order_id=order.id, kind=kind, reason=reason, lines=lines, text="坏了", amount=amount, instead_id=instead), order.buyer


def _answer(it: Shoppers) -> Drawn:
    """Mostly a step that fits where the case stood when its people last heard of it; else any of them."""
    if not it.cases:
        return None
    latest = list(it.cases.values())[-LATEST:]
    waiting = [case for case in latest if _ANSWERS[case.state]]
    case = it.chance.choice(waiting if waiting and it.chance.random() < 0.9 else latest)
    fitting = _ANSWERS[case.state] if it.chance.random() < 0.9 else ()
    return it.chance.choice(fitting or _ALL_ANSWERS)(it, case)


def _anywhere(it: Shoppers) -> LocationId | None:
    return it.chance.choice((None, *it.market.locations))


def _by_shop(it: Shoppers, command: type[Command[Any]], case: Disputed, **more: Any) -> Drawn:
    return command(shop_id=it.market.shop.id, case_id=case.id, **more), it.staff


def _offer(it: Shoppers, case: Disputed) -> Drawn:
    amount = yuan(it.chance.randrange(1, case.total))
    return _by_shop(it, OfferInCase, case, amount=amount, returns=it.chance.random() < 0.3, text="一半")


def _rule(it: Shoppers, case: Disputed) -> Drawn:
    """Mostly with what becomes of goods that were sent back, if any were; mostly for one side where they were."""
    to_buyer = yuan(it.chance.choice((0, 0 if case.is_sent else case.total, it.chance.randrange(1, case.total))))
    fitting = (RuledGoods.NOT_THERE, *[RuledGoods.KEPT if to_buyer else RuledGoods.SENT_AGAIN] * 4) if case.is_sent else (None,)
    goods = it.chance.choice(fitting if it.chance.random() < 0.9 else (None, *RuledGoods))
    return RuleCase(case_id=case.id, to_buyer=to_buyer, text="各担一半", goods=goods), it.operator()


def _hear(it: Shoppers, _: Disputed) -> Drawn:
    """Evidence is heard for three days, whatever else happens meanwhile."""
    it.wait(DEADLINES_MS[CaseState.DISPUTED])
    return None


def _learn_stand(it: Shoppers, _: Asked, answered: Answered) -> None:
    """Where a case stands now; one that has ended is remembered too, for those who ask too late."""
    stands = msgspec.json.decode(answered.body, type=CaseStands)
    order = next(order for order in it.orders if order.id == order_of(stands.id))
    before = it.cases.get(stands.id)
    is_sent = stands.state is CaseState.SENT or (before is not None and before.is_sent and stands.state is not CaseState.REPLACED)
    it.cases[stands.id] = Disputed(stands.id, order.buyer, order.total, stands.state, is_sent)


ABOUT = (OrderState.PAID, OrderState.SHIPPED, OrderState.RECEIVED)
"""In what states people mostly have something to say about an order."""
Answer = Callable[[Shoppers, Disputed], Drawn]
_AGREE: Answer = lambda it, case: _by_shop(it, AgreeToCase, case)  # noqa: E731 - rows of the table below
_REFUSE: Answer = lambda it, case: _by_shop(it, RefuseCase, case, text="没有问题")  # noqa: E731
_ARRIVE: Answer = lambda it, case: _by_shop(it, ConfirmReturn, case, restock=it.chance.random() < 0.5, location_id=_anywhere(it))  # noqa: E731
_CONTEST: Answer = lambda it, case: _by_shop(it, ContestReturn, case, text="盒子是空的")  # noqa: E731
_SHOP_SAYS: Answer = lambda it, case: _by_shop(it, GiveShopEvidence, case, text="发出时完好")  # noqa: E731
_ACCEPT: Answer = lambda _, case: (AcceptOffer(case_id=case.id), case.buyer)  # noqa: E731
_WITHDRAW: Answer = lambda _, case: (WithdrawCase(case_id=case.id), case.buyer)  # noqa: E731
_SEND: Answer = lambda _, case: (SendBack(case_id=case.id, carrier="SF Express", tracking="SF2"), case.buyer)  # noqa: E731
_REPLACE: Answer = lambda it, case: _by_shop(it, SendReplacement, case, carrier="SF Express", tracking="SF3")  # noqa: E731
_AGAIN: Answer = lambda it, case: _by_shop(it, SendGoodsAgain, case, carrier="SF Express", tracking="SF4")  # noqa: E731
_TAKE_MONEY: Answer = lambda _, case: (TakeRefundInstead(case_id=case.id), case.buyer)  # noqa: E731
_HAVE_IT: Answer = lambda _, case: (ReceiveReplacement(case_id=case.id), case.buyer)  # noqa: E731
_CALL: Answer = lambda _, case: (CallOperator(case_id=case.id, text="请评理"), case.buyer)  # noqa: E731
_BUYER_SAYS: Answer = lambda _, case: (GiveEvidence(case_id=case.id, text="收到时已碎"), case.buyer)  # noqa: E731
_ANSWERS: Mapping[CaseState, tuple[Answer, ...]] = {
    CaseState.ASKED: (_AGREE, _AGREE, _AGREE, _REFUSE, _offer, _WITHDRAW),
    CaseState.OFFERED: (_ACCEPT, _CALL, _AGREE),
    CaseState.REFUSED: (_CALL, _offer, _WITHDRAW),
    CaseState.TO_SEND: (_SEND, _SEND, _SEND, _SEND, _WITHDRAW),
    CaseState.SENT: (_ARRIVE, _ARRIVE, _CONTEST, _CONTEST),
    CaseState.REPLACING: (_REPLACE, _REPLACE, _REPLACE, _TAKE_MONEY),
    CaseState.REPLACED: (_HAVE_IT, _CALL),
    CaseState.RESENDING: (_AGAIN, _AGAIN, _AGAIN, _AGREE, _CONTEST),
    CaseState.RESENT: (_HAVE_IT, _HAVE_IT, _CALL),
    CaseState.DISPUTED: (_BUYER_SAYS, _SHOP_SAYS, _WITHDRAW, _AGREE, _hear, _rule, _rule, _rule),
    CaseState.HEARD: (_rule,),
    CaseState.REFUNDED: (),
    CaseState.EXCHANGED: (),
    CaseState.CLOSED: (),
}
_ALL_ANSWERS = tuple(answer for answers in _ANSWERS.values() for answer in answers)
_CASE_COMMANDS = (
    OpenCase, AgreeToCase, RefuseCase, OfferInCase, AcceptOffer, WithdrawCase, SendBack, ConfirmReturn, CallOperator, ContestReturn,
    GiveEvidence, GiveShopEvidence, RuleCase, SendGoodsAgain, SendReplacement, ReceiveReplacement, TakeRefundInstead,
)  # fmt: skip
DISPUTING: Draws = ((_claim, 14), (_answer, 24))
DISPUTING_LEARNS: Learns = dict.fromkeys(_CASE_COMMANDS, _learn_stand)
