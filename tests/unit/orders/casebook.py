"""The life of a case as the tests have it, written out by who acts, and how to bring a case into each of its states."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

from unit.orders.market import Buyer, Market, yuan
from yunduan.domains.orders.caselists import CaseOf
from yunduan.domains.orders.casepictures import ShowPicture, ShowShopPicture
from yunduan.domains.orders.cases import CaseEvent, CaseKind, CaseLine, CaseState, Reason, RuledGoods
from yunduan.domains.orders.claiming import (
    AcceptOffer,
    AgreeToCase,
    ConfirmReturn,
    OfferInCase,
    OpenCase,
    PassDeadline,
    RefuseCase,
    SendBack,
    WithdrawCase,
)
from yunduan.domains.orders.commands import RefundOrder
from yunduan.domains.orders.disputes import CallOperator, ContestReturn, GiveEvidence, GiveShopEvidence, RuleCase, SendGoodsAgain
from yunduan.domains.orders.exchanging import ReceiveReplacement, SendReplacement, TakeRefundInstead
from yunduan.domains.orders.model import Who
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import CaseId, OrderId
from yunduan.kernel.messages import Command

DAY_MS = 86_400_000
TOTAL = 2 * 1999 + 800
"""Two pieces for 19.99, sent for 8.00: what every order of these tests costs."""
AGREES = {"agree": "refunded", "agree_to_return": "to_send", "agree_to_exchange": "to_send"}
WRITTEN = {
    "buyer": {
        "asked": {"withdraw": "closed"},
        "offered": {"accept": "refunded", "accept_to_return": "to_send", "call_operator": "disputed", "withdraw": "closed"},
        "refused": {"call_operator": "disputed", "withdraw": "closed"},
        "to_send": {"send_back": "sent", "withdraw": "closed"},
        "replacing": {"take_refund": "refunded"},
        "replaced": {"receive": "exchanged", "call_operator": "disputed"},
        "resent": {"receive_resent": "closed", "call_operator": "disputed"},
        "disputed": {"give_evidence": "disputed", "withdraw": "closed"},
        "heard": {"withdraw": "closed"},
    },
    "shop": {
        "asked": {
            "agree": "refunded",
            "agree_to_return": "to_send",
            "agree_to_exchange": "to_send",
            "offer": "offered",
            "refuse": "refused",
        },
        "offered": AGREES,
        "refused": AGREES | {"offer": "offered"},
        "sent": {"arrive": "refunded", "arrive_to_exchange": "replacing", "call_operator": "disputed"},
        "replacing": {"replace": "replaced"},
        "resending": {"resend": "resent", "agree": "refunded", "call_operator": "disputed"},
        "disputed": AGREES | {"give_evidence": "disputed"},
        "heard": AGREES,
    },
    "operator": {"heard": {"rule": "refunded", "dismiss": "closed", "rule_to_resend": "resending"}},
    "cloud": {
        "asked": {"agree": "refunded", "agree_to_return": "to_send", "agree_to_exchange": "to_send", "offer": "offered", "end": "closed"},
        "offered": {"withdraw": "closed", "end": "closed"},
        "refused": {"withdraw": "closed", "end": "closed"},
        "to_send": {"withdraw": "closed", "end": "closed"},
        "sent": {"arrive": "refunded", "arrive_to_exchange": "replacing", "end": "closed"},
        "replacing": {"take_refund": "refunded", "end": "closed"},
        "replaced": {"receive": "exchanged", "end": "closed"},
        "resending": {"pay_back": "refunded", "end": "closed"},
        "resent": {"receive_resent": "closed", "end": "closed"},
        "disputed": {"close_evidence": "heard", "end": "closed"},
        "heard": {"rule": "refunded", "agree_to_return": "to_send", "end": "closed"},
    },
}
"""Who may do what where, and where that leads; nothing else is possible."""
DAYS = {
    "asked": 3, "offered": 5, "refused": 5, "to_send": 7, "sent": 10, "replacing": 5, "replaced": 10, "resending": 7, "resent": 10,
    "disputed": 3, "heard": 14,
}  # fmt: skip
"""How long a case stands in each state that it does not end in."""
for _state in ("asked", "offered", "refused", "to_send", "sent", "replacing", "replaced", "resending", "resent", "disputed"):
    for _side in ("buyer", "shop"):
        WRITTEN[_side][_state] = WRITTEN[_side].get(_state, {}) | {"show_picture": _state}
EDGES = {
    (CaseState(state), CaseEvent(event), Who(who)): CaseState(after)
    for who, states in WRITTEN.items()
    for state, events in states.items()
    for event, after in events.items()
}


def picture(side: int = 1) -> bytes:
    """A PNG of so many black pixels a side."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    drawn = zlib.compress((b"\x00" + b"\x00" * side) * side)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", drawn) + chunk(b"IEND", b"")


class Claim:
    """A case about an order that has left, or has not, and its people."""

    def __init__(self, market: Market, buyer: Buyer, *, kind: CaseKind = CaseKind.REFUND, shipped: bool = True, **more: Any) -> None:
        """Buy two pieces for `TOTAL`, and ask for money back for both of them."""
        self.market = market
        self.buyer = buyer
        self.variant, self.other = market.choice(5)
        self.is_exchange = kind is CaseKind.EXCHANGE
        buyer.want(self.variant, 2)
        placed = buyer.buy(more.pop("tenders", None))
        for redirect in placed.payment.redirects:
            market.decide(redirect.url)
        self.order: OrderId = placed.orders[0].id
        self.began = market.world.clock.wall_ms()
        if shipped:
            market.ship(self.order)
        self.case: CaseId = market.world.send(self.asking(kind=kind, **more), actor=buyer.actor).id

    def asking(self, **more: Any) -> OpenCase:
        """The command that opens it."""
        fault = {"kind": CaseKind.REFUND, "reason": Reason.DAMAGED, "text": "碎了"}
        lines = (CaseLine(variant_id=self.variant, quantity=more.pop("quantity", 2)),)
        if more.get("kind") is CaseKind.EXCHANGE:
            more.setdefault("instead_id", self.other)
        return OpenCase(**{"order_id": self.order, "lines": lines} | fault | more)

    @property
    def state(self) -> str:
        """Where it stands."""
        ((state,),) = self.market.world.rows("SELECT state FROM order_case WHERE id = ?", self.case)
        return str(state)

    @property
    def due(self) -> int:
        """When silence answers."""
        ((due,),) = self.market.world.rows("SELECT due FROM order_case WHERE id = ?", self.case)
        return int(due)

    @property
    def ruled_goods(self) -> dict[str, RuledGoods]:
        """What a ruling that gives the buyer something says of goods that were sent back, if any were."""
        seen = self.market.world.ask(CaseOf(case_id=self.case), actor=self.buyer.actor)
        return {"goods": RuledGoods.KEPT} if seen.shipment and not seen.replacement else {}

    def does(self, command: Command[Any], actor: Actor) -> None:
        """Take a step."""
        self.market.world.send(command, actor=actor)

    def wait(self) -> None:
        """Let the deadline pass."""
        self.market.world.pass_time(self.due - self.market.world.clock.wall_ms())

    def lead_to(self, state: CaseState) -> "Claim":
        """Bring it into a state that waits for somebody."""
        for event, who in PATHS[state]:
            self.take(event, who)
        assert self.state == state
        return self

    def take(self, event: CaseEvent, who: Who) -> None:
        """Have an event happen."""
        if who is Who.CLOUD and event is not CaseEvent.END:
            self.wait()
            return
        command, actor = self.command(event, who)
        self.does(command, actor)

    def command(self, event: CaseEvent, who: Who) -> tuple[Command[Any], Actor]:
        """The command by which somebody has an event happen."""
        return _COMMANDS[event, who](self), {Who.BUYER: self.buyer.actor, Who.OPERATOR: self.market.operator("service")}.get(
            who, self.market.staff("manager") if who is Who.SHOP or event is CaseEvent.END else SYSTEM
        )

    @property
    def shop(self) -> dict[str, Any]:
        """What every command of the shop names."""
        return {"shop_id": self.market.shop.id, "case_id": self.case}


_E, _S = CaseEvent, CaseState
_CONTESTED = (
    (_E.AGREE_TO_RETURN, Who.SHOP),
    (_E.SEND_BACK, Who.BUYER),
    (_E.CALL_OPERATOR, Who.SHOP),
    (_E.CLOSE_EVIDENCE, Who.CLOUD),
)
"""Goods were sent back, and the shop does not take them so."""
PATHS: dict[CaseState, tuple[tuple[CaseEvent, Who], ...]] = {
    _S.ASKED: (),
    _S.OFFERED: ((_E.OFFER, Who.SHOP),),
    _S.REFUSED: ((_E.REFUSE, Who.SHOP),),
    _S.TO_SEND: ((_E.AGREE_TO_RETURN, Who.SHOP),),
    _S.SENT: ((_E.AGREE_TO_RETURN, Who.SHOP), (_E.SEND_BACK, Who.BUYER)),
    _S.REPLACING: ((_E.AGREE_TO_EXCHANGE, Who.SHOP), (_E.SEND_BACK, Who.BUYER), (_E.ARRIVE_TO_EXCHANGE, Who.SHOP)),
    _S.REPLACED: ((_E.AGREE_TO_EXCHANGE, Who.SHOP), (_E.SEND_BACK, Who.BUYER), (_E.ARRIVE_TO_EXCHANGE, Who.SHOP), (_E.REPLACE, Who.SHOP)),
    _S.EXCHANGED: (
        (_E.AGREE_TO_EXCHANGE, Who.SHOP),
        (_E.SEND_BACK, Who.BUYER),
        (_E.ARRIVE_TO_EXCHANGE, Who.SHOP),
        (_E.REPLACE, Who.SHOP),
        (_E.RECEIVE, Who.BUYER),
    ),
    _S.RESENDING: (*_CONTESTED, (_E.RULE_TO_RESEND, Who.OPERATOR)),
    _S.RESENT: (*_CONTESTED, (_E.RULE_TO_RESEND, Who.OPERATOR), (_E.RESEND, Who.SHOP)),
    _S.DISPUTED: ((_E.REFUSE, Who.SHOP), (_E.CALL_OPERATOR, Who.BUYER)),
    _S.HEARD: ((_E.REFUSE, Who.SHOP), (_E.CALL_OPERATOR, Who.BUYER), (_E.CLOSE_EVIDENCE, Who.CLOUD)),
    _S.REFUNDED: ((_E.OFFER, Who.SHOP), (_E.ACCEPT, Who.BUYER)),
    _S.CLOSED: ((_E.WITHDRAW, Who.BUYER),),
}
_COMMANDS: dict[tuple[CaseEvent, Who], Callable[[Claim], Command[Any]]] = {
    (_E.AGREE, Who.SHOP): lambda it: AgreeToCase(**it.shop),
    (_E.AGREE_TO_RETURN, Who.SHOP): lambda it: AgreeToCase(**it.shop),
    (_E.OFFER, Who.SHOP): lambda it: OfferInCase(**it.shop, amount=yuan(1000), returns=False, text="一半"),
    (_E.REFUSE, Who.SHOP): lambda it: RefuseCase(**it.shop, text="没有问题"),
    (_E.ACCEPT, Who.BUYER): lambda it: AcceptOffer(case_id=it.case),
    (_E.ACCEPT_TO_RETURN, Who.BUYER): lambda it: AcceptOffer(case_id=it.case),
    (_E.SEND_BACK, Who.BUYER): lambda it: SendBack(case_id=it.case, carrier="SF Express", tracking="BACK-1"),
    (_E.ARRIVE, Who.SHOP): lambda it: ConfirmReturn(**it.shop),
    (_E.AGREE_TO_EXCHANGE, Who.SHOP): lambda it: AgreeToCase(**it.shop),
    (_E.ARRIVE_TO_EXCHANGE, Who.SHOP): lambda it: ConfirmReturn(**it.shop),
    (_E.REPLACE, Who.SHOP): lambda it: SendReplacement(**it.shop, carrier="SF Express", tracking="OUT-1"),
    (_E.RECEIVE, Who.BUYER): lambda it: ReceiveReplacement(case_id=it.case),
    (_E.TAKE_REFUND, Who.BUYER): lambda it: TakeRefundInstead(case_id=it.case),
    (_E.CALL_OPERATOR, Who.BUYER): lambda it: CallOperator(case_id=it.case, text="请评理"),
    (_E.CALL_OPERATOR, Who.SHOP): lambda it: ContestReturn(**it.shop, text="盒子是空的"),
    (_E.GIVE_EVIDENCE, Who.BUYER): lambda it: GiveEvidence(case_id=it.case, text="收到时已碎"),
    (_E.GIVE_EVIDENCE, Who.SHOP): lambda it: GiveShopEvidence(**it.shop, text="发出时完好"),
    (_E.SHOW_PICTURE, Who.BUYER): lambda it: ShowPicture(case_id=it.case, content=picture(), text="碎片"),
    (_E.SHOW_PICTURE, Who.SHOP): lambda it: ShowShopPicture(**it.shop, content=picture(2), text="包装"),
    (_E.RULE, Who.OPERATOR): lambda it: RuleCase(case_id=it.case, to_buyer=yuan(1500), text="各担一半", **it.ruled_goods),
    (_E.DISMISS, Who.OPERATOR): lambda it: RuleCase(
        case_id=it.case, to_buyer=yuan(0), text="证据不足", goods=RuledGoods.NOT_THERE if it.ruled_goods else None
    ),
    (_E.RULE_TO_RESEND, Who.OPERATOR): lambda it: RuleCase(case_id=it.case, to_buyer=yuan(0), text="商品无误", goods=RuledGoods.SENT_AGAIN),
    (_E.RESEND, Who.SHOP): lambda it: SendGoodsAgain(**it.shop, carrier="SF Express", tracking="AGAIN-1"),
    (_E.RECEIVE_RESENT, Who.BUYER): lambda it: ReceiveReplacement(case_id=it.case),
    (_E.WITHDRAW, Who.BUYER): lambda it: WithdrawCase(case_id=it.case),
    (_E.END, Who.CLOUD): lambda it: RefundOrder(shop_id=it.shop["shop_id"], order_id=it.order, amount=yuan(TOTAL)),
    **{(event, Who.CLOUD): lambda it: PassDeadline(case_id=it.case, due=it.due) for event in (_E.AGREE, _E.AGREE_TO_RETURN)},
}
