"""Cases after the sale, from what a buyer asks to what it comes to: agreed on, sent back, bargained about, left unanswered, ruled."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from yunduan.domains.orders.cases import CaseKind, CaseLine, Reason
from yunduan.domains.orders.casework import CaseStands
from yunduan.domains.orders.claiming import AcceptOffer, AgreeToCase, ConfirmReturn, OfferInCase, OpenCase, RefuseCase, SendBack
from yunduan.domains.orders.disputes import CallOperator, GiveShopEvidence, RuleCase
from yunduan.edges.demo.bought import Bought
from yunduan.edges.demo.content import CaseText, Said
from yunduan.edges.demo.fates import DAY_MS, HOUR_MS, Course
from yunduan.edges.demo.opening import yuan
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import CaseId
from yunduan.kernel.messages import Command

Answer = TypeVar("Answer")
ANSWERS_AFTER_MS, BUYER_AFTER_MS = 10 * HOUR_MS, 7 * HOUR_MS
RULED_AFTER_MS = 3 * DAY_MS + 12 * HOUR_MS
"""Evidence is heard for three days."""
_ASKED: dict[Course, tuple[CaseKind, Reason]] = {
    Course.AGREED: (CaseKind.REFUND, Reason.DAMAGED),
    Course.RETURNED: (CaseKind.RETURN, Reason.NOT_AS_DESCRIBED),
    Course.OFFERED: (CaseKind.REFUND, Reason.NOT_AS_DESCRIBED),
    Course.OFFER_OPEN: (CaseKind.REFUND, Reason.NOT_AS_DESCRIBED),
    Course.SILENT: (CaseKind.REFUND, Reason.PIECES_MISSING),
    Course.RULED: (CaseKind.REFUND, Reason.NOT_AS_DESCRIBED),
}
_IN_PART = frozenset({Course.AGREED, Course.SILENT})
"""What is asked for is a part of the price; else all of it."""


class Claims:
    """Has cases go their courses."""

    def __init__(
        self,
        texts: dict[str, CaseText],
        operator: Actor,
        *,
        send: Callable[[Command[Any], Actor], Awaitable[Any]],
        later: Callable[[int, Callable[[], Awaitable[None]]], None],
        at_work: Callable[[int, Callable[[], Awaitable[None]]], None],
    ) -> None:
        """`later` has something happen after so long, `at_work` when shops work after that."""
        self._texts = texts
        self._operator = operator
        self._send = send
        self._later = later
        self._at_work = at_work

    async def open(self, bought: Bought, course: Course) -> None:
        """The buyer asks, about the first thing of the order."""
        kind, reason = _ASKED[course]
        line = bought.lines[0]
        ask = OpenCase(
            order_id=bought.order.id,
            kind=kind,
            reason=reason,
            lines=(CaseLine(variant_id=line.variant_id, quantity=line.quantity),),
            text=_said(self._text(course).claim, bought),
            amount=yuan(_part(bought)) if course in _IN_PART else None,
        )
        case: CaseStands = await self._send(ask, bought.buyer.actor)
        if course is not Course.SILENT:
            self._at_work(ANSWERS_AFTER_MS, partial(self._answer, bought, course, case.id))

    async def _answer(self, bought: Bought, course: Course, case_id: CaseId) -> None:
        shop_id, service = bought.order.shop_id, bought.shop.service
        text = _said(self._text(course).answer, bought)
        if course in (Course.AGREED, Course.RETURNED):
            await self._send(AgreeToCase(shop_id=shop_id, case_id=case_id), service)
            if course is Course.RETURNED:
                self._later(DAY_MS, partial(self._send_back, bought, case_id))
        elif course in (Course.OFFERED, Course.OFFER_OPEN):
            await self._send(OfferInCase(shop_id=shop_id, case_id=case_id, amount=yuan(_part(bought)), text=text), service)
            if course is Course.OFFERED:
                self._later(BUYER_AFTER_MS, partial(self._accept, bought, case_id))
        else:
            await self._send(RefuseCase(shop_id=shop_id, case_id=case_id, text=text), service)
            self._later(BUYER_AFTER_MS, partial(self._call, bought, case_id))

    async def _send_back(self, bought: Bought, case_id: CaseId) -> None:
        carrier = bought.shop.text.carriers[0]
        await self._send(SendBack(case_id=case_id, carrier=carrier, tracking=f"YDR{case_id[-8:]}"), bought.buyer.actor)
        self._at_work(3 * DAY_MS, partial(self._take_back, bought, case_id))

    async def _take_back(self, bought: Bought, case_id: CaseId) -> None:
        await self._send(ConfirmReturn(shop_id=bought.order.shop_id, case_id=case_id), bought.shop.service)

    async def _accept(self, bought: Bought, case_id: CaseId) -> None:
        await self._send(AcceptOffer(case_id=case_id), bought.buyer.actor)

    async def _call(self, bought: Bought, case_id: CaseId) -> None:
        text = self._text(Course.RULED)
        await self._send(CallOperator(case_id=case_id, text=_said(text.call, bought)), bought.buyer.actor)
        self._at_work(ANSWERS_AFTER_MS, partial(self._give_evidence, bought, case_id))
        self._later(RULED_AFTER_MS, partial(self._rule, bought, case_id))

    async def _give_evidence(self, bought: Bought, case_id: CaseId) -> None:
        text = _said(self._text(Course.RULED).evidence, bought)
        await self._send(GiveShopEvidence(shop_id=bought.order.shop_id, case_id=case_id, text=text), bought.shop.service)

    async def _rule(self, bought: Bought, case_id: CaseId) -> None:
        text = _said(self._text(Course.RULED).ruling, bought)
        await self._send(RuleCase(case_id=case_id, to_buyer=yuan(_part(bought)), text=text), self._operator)

    def _text(self, course: Course) -> CaseText:
        return self._texts[Course.OFFERED if course is Course.OFFER_OPEN else course]


def _part(bought: Bought) -> int:
    """A quarter of what the first thing of an order cost, or a little more, to the jiao."""
    line = bought.lines[0]
    price = min(price for _, _, price, _ in line.listed.text.choices())
    return max(10, price * line.quantity * 8 // 300 * 10)


def _said(said: Said, bought: Bought) -> str:
    return bought.buyer.in_words(said)
