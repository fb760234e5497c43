"""Who is told what: each cause once, in order, to whoever waits for it and to nobody else."""

import msgspec

from unit.notices.told import House
from unit.orders.market import MINUTE_MS, channel, yuan
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.catalog.commands import ReopenShop, SuspendShop
from yunduan.domains.identity.commands import ErasePerson
from yunduan.domains.identity.model import DAY_MS
from yunduan.domains.notices.commands import ChooseWays
from yunduan.domains.notices.model import NoticeKind, Way
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder, RefundOrder, ReviewOrder
from yunduan.domains.orders.model import ReportReason
from yunduan.domains.orders.receiving import ConfirmReceipt, ExtendReceipt
from yunduan.domains.orders.reporting import JudgeReview, ReportReview
from yunduan.domains.orders.reviewing import AnswerReview, FollowUpReview
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.model import BankAccount, Tender, TenderKind
from yunduan.domains.payments.payouts import NamePayee
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into
from yunduan.runtime.following import DeliverFacts, Heard

PACK = {"owner", "manager", "packer"}
SERVE = {"owner", "manager", "service"}


def test_whoever_has_paid_at_once_has_seen_it_and_the_shop_hears(house: House) -> None:
    """The buyer is told nothing of their own step; those who pack are told once each."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    assert house.kinds(buyer.person) == ["wallet_topped_up"]
    assert house.roles_told("sale_paid") == PACK
    told = house.last(house.staff["packer"])
    assert (told.number, told.is_read, told.about.order_id, told.about.amount) == (1, False, order, yuan(2799))


def test_whoever_pays_later_is_told_that_it_has_arrived(house: House) -> None:
    """Nothing before it has, and the shop neither."""
    buyer = house.buyer()
    _, placed = house.bought(buyer, by_channel=True)
    assert (house.kinds(buyer.person), house.roles_told("sale_paid")) == ([], set())
    house.market.decide(placed.payment.redirects[0].url)
    assert house.kinds(buyer.person) == ["order_paid"]
    assert house.roles_told("sale_paid") == PACK


def test_an_order_that_is_not_paid_in_time_lapses(house: House) -> None:
    """The buyer is told; the shop never knew."""
    buyer = house.buyer()
    house.bought(buyer, by_channel=True)
    house.world.pass_time(16 * MINUTE_MS)
    assert house.kinds(buyer.person) == ["order_lapsed"]
    assert all(not house.kinds(person) for person in house.staff.values())


def test_shipped_and_received_by_itself(house: House) -> None:
    """Both sides hear what the other, or time, has done."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    house.market.ship(order)
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_shipped"]
    house.world.send(ExtendReceipt(order_id=order), actor=buyer.actor)
    assert house.roles_told("sale_put_off") == SERVE
    house.world.pass_time(30 * DAY_MS)
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_shipped", "order_received"]
    assert house.roles_told("sale_received") == {"owner", "finance"}
    assert house.last(house.staff["finance"]).about.amount == yuan(2799 - 100)


def test_whoever_has_received_it_themselves_is_not_told_so(house: House) -> None:
    """But the shop is."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    house.market.ship(order)
    house.world.send(ConfirmReceipt(order_id=order), actor=buyer.actor)
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_shipped"]
    assert house.roles_told("sale_received") == {"owner", "finance"}


def test_a_cancelled_order_is_told_to_the_other_side(house: House) -> None:
    """The buyer's cancelling to who would have shipped; the shop's declining to the buyer."""
    buyer = house.buyer(2 * 2799)
    mine, _ = house.bought(buyer)
    house.world.send(CancelOrder(order_id=mine), actor=buyer.actor)
    assert house.roles_told("sale_cancelled") == PACK
    assert house.kinds(buyer.person) == ["wallet_topped_up"]
    theirs, _ = house.bought(buyer)
    house.world.send(DeclineOrder(shop_id=house.shop_id, order_id=theirs), actor=house.market.staff())
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_declined"]
    assert house.last(buyer.person).about.amount == yuan(2799)


def test_a_refund_is_told_when_it_is_decided_and_when_a_channel_has_paid_it(house: House) -> None:
    """What goes into the wallet is there at once, and is not told twice; what an operator gives back the shop hears of."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    house.world.send(RefundOrder(shop_id=house.shop_id, order_id=order, amount=yuan(100)), actor=house.market.staff())
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_refunded"]
    assert house.roles_told("sale_refunded") == set()
    house.world.send(RefundOrder(shop_id=house.shop_id, order_id=order, amount=yuan(200)), actor=house.market.operator("service"))
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_refunded", "order_refunded"]
    assert house.roles_told("sale_refunded") == {"owner", "manager", "service", "finance"}
    other = house.buyer()
    order, placed = house.bought(other, by_channel=True)
    house.market.decide(placed.payment.redirects[0].url)
    house.world.send(RefundOrder(shop_id=house.shop_id, order_id=order, amount=yuan(2799)), actor=house.market.staff())
    house.world.pass_time(DAY_MS)
    assert house.kinds(other.person) == ["order_paid", "order_refunded", "refund_arrived"]


def test_of_a_refund_that_the_channel_refuses_its_payer_is_told_until_they_say_where_it_goes(house: House) -> None:
    """With what could not go back, not with all of it; when they have taken it, that all of it is there."""
    buyer = house.buyer(1000)
    buyer.want(house.market.offer())
    tenders = (Tender(kind=TenderKind.WALLET, amount=yuan(1000)), *channel(1799))
    placed = buyer.buy(tenders)
    house.market.decide(placed.payment.redirects[0].url)
    house.market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1000)
    refund = RefundOrder(shop_id=house.shop_id, order_id=placed.orders[0].id, amount=yuan(2799))
    house.world.send(refund, actor=house.market.staff())
    house.world.pass_time(DAY_MS)
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_paid", "order_refunded", "money_unclaimed"]
    assert house.last(buyer.person).about.amount == yuan(1799)
    house.world.pass_time(3 * DAY_MS)
    assert house.kinds(buyer.person)[4:] == ["money_unclaimed"]
    house.market.sandbox.misbehaviour = Misbehaviour(refuses_payouts=1000)
    (waiting,) = house.world.ask(UnclaimedOf(), actor=buyer.actor).items
    account = BankAccount(bank="中国工商银行", holder="林美", number="6222020200012345670")
    house.world.send(NamePayee(channel="sandbox", account=account), actor=buyer.actor)
    house.world.pass_time(DAY_MS)
    house.world.send(TakeUnclaimed(unclaimed_id=waiting.id, into=Into.ACCOUNT), actor=buyer.actor)
    house.world.pass_time(DAY_MS)
    assert house.kinds(buyer.person)[5:] == ["payee_named", "payee_confirmed", "money_unclaimed"]
    house.world.send(TakeUnclaimed(unclaimed_id=waiting.id, into=Into.WALLET), actor=buyer.actor)
    house.world.pass_time(DAY_MS)
    assert house.kinds(buyer.person)[8:] == ["refund_diverted"]
    assert house.last(buyer.person).about.amount == yuan(1799)


def test_reviews_are_told_to_the_other_side(house: House) -> None:
    """Never with the order: a review is public under a pen name."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    house.market.ship(order)
    house.world.send(ConfirmReceipt(order_id=order), actor=buyer.actor)
    (variant,) = house.market.variants(order)
    review = house.world.send(ReviewOrder(order_id=order, variant_id=variant, stars=4), actor=buyer.actor).id
    assert house.roles_told("sale_reviewed") == SERVE
    told = house.last(house.staff["service"])
    assert (told.about.order_id, told.about.review_id, told.about.number) == (None, review, 4)
    assert told.text == "云茶：“龙井”收到 4 星评价。"
    house.world.send(FollowUpReview(order_id=order, variant_id=variant, text="还是很香"), actor=buyer.actor)
    assert house.roles_told("review_continued") == SERVE
    house.world.send(AnswerReview(shop_id=house.shop_id, review_id=review, text="谢谢"), actor=house.market.staff("service"))
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_shipped", "review_answered"]


def test_a_top_up_that_comes_to_nothing_and_a_payment_that_comes_too_late(house: House) -> None:
    """Whoever was on the channel's page hears how it ended."""
    buyer = house.buyer()
    started = house.world.send(TopUpWallet(amount=yuan(5000), channel="sandbox"), actor=buyer.actor)
    house.market.decide(started.redirects[0].url, approve=False)
    assert house.kinds(buyer.person) == ["top_up_failed"]
    assert house.last(buyer.person).about.amount == yuan(5000)
    order, placed = house.bought(buyer, by_channel=True)
    house.world.send(CancelOrder(order_id=order), actor=buyer.actor)
    house.market.decide(placed.payment.redirects[0].url)
    house.world.pass_time(DAY_MS)
    assert house.kinds(buyer.person) == ["top_up_failed", "payment_returned"]


def test_stock_that_runs_low_is_told_when_it_does(house: House) -> None:
    """Once when few are left, once when none is; not with every order, and not for what is always little."""
    variant = house.market.offer(8, 100)
    buyer = house.buyer(10_000)
    for quantity, expected in ((2, []), (1, ["stock_low"]), (2, ["stock_low"]), (3, ["stock_low", "stock_out"])):
        buyer.want(variant, quantity)
        buyer.buy()
        assert [kind for kind in house.kinds(house.staff["packer"]) if kind.startswith("stock")] == expected
    assert house.roles_told("stock_out") == PACK
    rows = [it for it in house.page(house.staff["packer"], limit=50).items if it.kind.value.startswith("stock")]
    assert [(it.about.number, it.text) for it in rows] == [(0, "云茶：“龙井”已售罄。"), (5, "云茶：“龙井”只剩 5 件可售。")]


def test_a_shop_that_is_suspended_and_opened_again(house: House) -> None:
    """Whoever runs it is told."""
    house.world.send(SuspendShop(shop_id=house.shop_id, reason="资质过期"))
    house.world.send(ReopenShop(shop_id=house.shop_id, reason="资质已更新"))
    for role, person in house.staff.items():
        assert house.kinds(person) == (["shop_suspended", "shop_reopened"] if role in ("owner", "manager") else []), role


def test_another_shops_people_hear_nothing(house: House) -> None:
    """Nor does whoever does not work there any more."""
    buyer = house.buyer(2799)
    buyer.want(house.market.offer(shop=house.market.other))
    buyer.buy()
    assert all(not house.kinds(person) for person in house.staff.values())


def test_what_was_heard_once_is_not_told_again(house: House) -> None:
    """A delivery that does not begin at the cursor gives nothing, whatever it brings."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    house.market.ship(order)
    before = house.told(buyer.person), house.told(house.staff["packer"])
    ((body, seq),) = house.world.rows("SELECT body, seq FROM fact WHERE kind = 'OrderShipped'")
    fact = house.world.cloud.registry.facts["OrderShipped"]
    again = Heard(seq, msgspec.json.decode(body, type=fact))
    house.world.send(DeliverFacts(follower="notices", after=seq - 1, through=seq, facts=(again,)))
    assert (house.told(buyer.person), house.told(house.staff["packer"])) == before


def test_whoever_does_not_want_it_is_not_told(house: House) -> None:
    """And the numbers of the others have no gap for it."""
    packer = house.staff["packer"]
    house.world.send(ChooseWays(kind=NoticeKind.SALE_PAID, ways=()), actor=house.actor(packer))
    buyer = house.buyer(2 * 2799)
    house.bought(buyer)
    house.world.settle()
    house.world.send(ChooseWays(kind=NoticeKind.SALE_PAID, ways=(Way.IN_APP,)), actor=house.actor(packer))
    house.bought(buyer)
    assert house.told(packer) == [(1, "sale_paid")]
    assert house.told(house.staff["owner"]) == [(1, "sale_paid"), (2, "sale_paid")]


def test_what_somebody_was_told_goes_with_them(house: House) -> None:
    """Rows, box, preferences and letters."""
    buyer = house.buyer()
    house.bought(buyer, by_channel=True)
    house.world.send(ChooseWays(kind=NoticeKind.ORDER_LAPSED, ways=(Way.IN_APP, Way.SMS)), actor=buyer.actor)
    house.world.pass_time(16 * MINUTE_MS)
    assert house.kinds(buyer.person) == ["order_lapsed"]
    tables = ("notice", "notice_box", "notice_preference", "notice_letter")
    assert [len(house.world.rows(f"SELECT 1 FROM {table} WHERE person = ?", buyer.person)) for table in tables] == [1, 1, 1, 1]
    house.world.send(ErasePerson(person_id=buyer.person))
    house.world.settle()
    assert [house.world.rows(f"SELECT 1 FROM {table} WHERE person = ?", buyer.person) for table in tables] == [[], [], [], []]


def test_that_a_review_was_judged_is_told_to_who_reported_it_and_to_its_author(house: House) -> None:
    """To the author only when it is hidden."""
    buyer, reporter = house.buyer(10_000), house.buyer()
    order, _ = house.bought(buyer)
    house.market.ship(order)
    house.world.send(ConfirmReceipt(order_id=order), actor=buyer.actor)
    (variant,) = house.market.variants(order)
    review = house.world.send(ReviewOrder(order_id=order, variant_id=variant, stars=1), actor=buyer.actor).id
    for hide, told, author in ((False, "report_dismissed", []), (True, "report_upheld", ["review_hidden"])):
        reporter = house.buyer()
        house.world.send(ReportReview(review_id=review, reason=ReportReason.FALSE), actor=reporter.actor)
        house.world.send(JudgeReview(review_id=review, hide=hide, text="见规则"), actor=house.market.operator("service"))
        assert house.kinds(reporter.person) == [told]
        assert [kind for kind in house.kinds(buyer.person) if kind.startswith("review_")] == author
