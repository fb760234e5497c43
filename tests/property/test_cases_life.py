"""Cases live at random beside what else becomes of an order: whatever comes back, in whatever order, is never more than was captured."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.orders.casebook import DAYS, EDGES, Claim, picture
from unit.orders.market import Market, channel, held_by_orders, wallet, yuan
from yunduan.domains.orders.casepictures import ShowPicture
from yunduan.domains.orders.cases import CaseEvent, CaseKind
from yunduan.domains.orders.claiming import SendBack
from yunduan.domains.orders.commands import RefundOrder
from yunduan.domains.orders.model import Who
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.payments.drawing import receivable_account
from yunduan.domains.payments.postings import POSTAGE
from yunduan.kernel.refusals import Refused
from yunduan.testing.trade.papers import papers_of
from yunduan.testing.trade.shelves import compare_returns

RICH = 10_000
TOTAL = 2 * 1999 + 800
DAY_MS = 86_400_000
EVENTS = sorted({(event, who) for _, event, who in EDGES if who is not Who.CLOUD})
steps = st.one_of(
    st.sampled_from(EVENTS),
    st.tuples(st.just("refund"), st.integers(1, TOTAL)),
    st.tuples(st.just("claim"), st.integers(1, 2)),
    st.tuples(st.just("exchange"), st.integers(1, 2)),
    st.tuples(st.just("shelf"), st.integers(0, 3)),
    st.tuples(st.just("postage"), st.integers(1, 3_000)),
    st.tuples(st.just("receive"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 6)),
)


@given(by_channel=st.booleans(), kind=st.sampled_from(CaseKind), taken=st.lists(steps, max_size=14))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_more_comes_back_than_was_captured(by_channel: bool, kind: CaseKind, taken: list[tuple[object, object]]) -> None:
    """Steps of a case, refunds by the shop, receipts and days in any order; at the end nothing is held, and nobody has made a cent."""
    with tempfile.TemporaryDirectory() as folder:
        market = Market(Path(folder))
        try:
            buyer = market.buyer(RICH)
            made = Claim(market, buyer, kind=kind, tenders=wallet(1000) + channel(TOTAL - 1000) if by_channel else wallet(TOTAL))
            for step in taken:
                _take(market, made, step)
                market.assert_balanced()
            market.world.pass_time((sum(DAYS.values()) + 40) * DAY_MS)
            assert market.escrow(made.order) == 0
            assert made.state in ("refunded", "exchanged", "closed")
            assert market.state(made.order) in ("received", "refunded")
            assert market.world.cloud.writer.alarms_refused == 0
            assert held_by_orders(market.world, dict.fromkeys((made.variant, made.other), 0)) == {made.variant: 0, made.other: 0}
            ((refunded,),) = market.world.rows("SELECT count(*) FROM orders WHERE state = 'refunded'")
            compare_returns(papers_of(market.world.cloud.store))
            owed = -market.balance(receivable_account(market.shop.id, "CNY"))
            postage = market.world.rows("SELECT CAST(coalesce(sum(amount), 0) AS INTEGER) FROM transfer WHERE code = ?", POSTAGE.code)[0][0]
            theirs = market.earned() + market.commission() - owed
            assert 0 <= theirs + postage <= TOTAL
            assert (theirs + postage == 0) == bool(refunded)
            outside = sum(line.amount.amount * (-1 if line.request else 1) for line in market.sandbox.statement("CNY"))
            assert buyer.money() + theirs == outside
        finally:
            market.close()


def _take(market: Market, made: Claim, step: tuple[object, object]) -> None:
    """Take a step if it may be taken; a refusal leaves everything as it was, which other tests say."""
    what, more = step
    try:
        if what == "wait":
            market.world.pass_time(int(str(more)) * DAY_MS)
        elif what == "refund":
            amount = yuan(int(str(more)))
            made.does(RefundOrder(shop_id=market.shop.id, order_id=made.order, amount=amount), market.staff("owner"))
        elif what == "claim":
            made.case = market.world.send(made.asking(quantity=int(str(more))), actor=made.buyer.actor).id
        elif what == "exchange":
            ask = made.asking(quantity=int(str(more)), kind=CaseKind.EXCHANGE)
            made.case = market.world.send(ask, actor=made.buyer.actor).id
        elif what == "postage":
            receipt = market.world.send(ShowPicture(case_id=made.case, content=picture()), actor=made.buyer.actor).id
            cost = {"postage": yuan(int(str(more))), "receipt_id": receipt}
            made.does(SendBack(case_id=made.case, carrier="SF Express", tracking="BACK-1", **cost), made.buyer.actor)
        elif what == "shelf":
            market.stock(made.other, int(str(more)))
        elif what == "receive":
            made.does(ConfirmReceipt(order_id=made.order), made.buyer.actor)
        elif isinstance(what, CaseEvent) and isinstance(more, Who):
            command, actor = made.command(what, more)
            made.does(command, actor)
    except Refused:
        return
