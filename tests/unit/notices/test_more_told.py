"""What is told of parcels, of money after the settlement, of applications, and to operators."""

import pytest
from msgspec import json

from support.payments import CARD
from unit.catalog.test_applications import FORM
from unit.notices.told import House
from unit.orders.market import MINUTE_MS, Buyer, channel, wallet, yuan
from yunduan.backends.sandbox import Event, Misbehaviour, Said
from yunduan.domains.catalog.commands import ApplyForShop, ApproveApplication, RejectApplication, WithdrawApplication
from yunduan.domains.identity.commands import GrantRole, RegisterPerson
from yunduan.domains.identity.model import DAY_MS, OperatorRole, ShopRole
from yunduan.domains.orders.arranging import RedirectOrder
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder, RefundOrder
from yunduan.domains.orders.facts import ParcelScanned
from yunduan.domains.orders.model import checkout_of, payment_of
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.repricing import AgreePrice, OfferPrice
from yunduan.domains.orders.shipping import PieceLine, ShipParcel
from yunduan.domains.payments.chargebacks import ConcedeChargeback, ContestChargeback
from yunduan.domains.payments.commands import TakeNotification, TopUpWallet
from yunduan.domains.payments.deposits import PledgeDeposit, ReleaseDeposit
from yunduan.domains.payments.facts import ClaimPaidOff, PaymentPutOff
from yunduan.domains.payments.model import BankAccount, charge_reference, chargeback_id
from yunduan.domains.payments.payouts import DeclinePayout, NamePayee, NameShopPayee, PayOutShop, Withdraw
from yunduan.domains.payments.recourse import RefundSettled
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId, PersonId, RefundId
from yunduan.runtime.following import DeliverFacts, Heard


@pytest.fixture
def operators(house: House) -> dict[str, PersonId]:
    """Somebody in every role of the marketplace."""
    found = {}
    for number, role in enumerate(OperatorRole):
        found[role.value] = house.world.send(RegisterPerson(phone=f"+861360000{number:04d}")).person_id
        house.world.send(GrantRole(person_id=found[role.value], role=role))
    return found


def told(house: House, people: dict[str, PersonId], kind: str) -> set[str]:
    """Who of them was told this, each once."""
    times = {name: house.kinds(person).count(kind) for name, person in people.items()}
    assert set(times.values()) <= {0, 1}, times
    return {name for name, count in times.items() if count}


def settled(house: House) -> OrderId:
    """An order whose shop has its money."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    house.market.ship(order)
    house.world.send(ConfirmReceipt(order_id=order), actor=buyer.actor)
    return order


def test_each_parcel_is_told_and_what_never_leaves(house: House) -> None:
    """The last parcel is the order's; the rest that is called off goes back."""
    tea, cup = house.market.offer(10, 1000), house.market.offer(10, 500)
    buyer = house.buyer(1_000_000)
    orders = []
    for _ in range(2):
        buyer.want(tea, 2)
        buyer.want(cup)
        orders.append(buyer.buy().orders[0].id)
        lines = (PieceLine(variant_id=tea, quantity=2),)
        parcel = ShipParcel(shop_id=house.shop_id, order_id=orders[-1], carrier="SF Express", tracking="SF-1", lines=lines)
        house.world.send(parcel, actor=house.market.staff("packer"))
    house.market.ship(orders[0])
    house.world.send(DeclineOrder(shop_id=house.shop_id, order_id=orders[1]), actor=house.market.staff())
    assert house.kinds(buyer.person) == [
        "wallet_topped_up",
        "order_partly_shipped",
        "order_partly_shipped",
        "order_shipped",
        "order_rest_cancelled",
    ]
    rest = house.last(buyer.person)
    assert (rest.about.order_id, rest.about.amount) == (orders[1], yuan(500))
    parcels = [it for it in house.page(buyer.person).items if it.kind.value == "order_partly_shipped"]
    assert [(it.about.order_id, it.about.number) for it in parcels] == [(orders[1], 1), (orders[0], 1)]
    assert "第 1 个包裹" in parcels[0].text


@pytest.mark.parametrize(
    ("who", "buyers", "packers"),
    [
        ("buyer", [], ["sale_cancelled"]),
        ("shop", ["order_rest_cancelled"], []),
        ("time", ["order_overdue"], ["sale_overdue"]),
    ],
)
def test_when_what_never_left_is_all_that_is_left_of_the_money_the_other_side_is_told_the_same(
    house: House, who: str, buyers: list[str], packers: list[str]
) -> None:
    """Those who would ship it are told not to, and nobody of their own step."""
    tea, cup = house.market.offer(10, 1000), house.market.offer(10, 500)
    buyer = house.buyer(10_000)
    buyer.want(tea)
    buyer.want(cup)
    order = buyer.buy().orders[0].id
    lines = (PieceLine(variant_id=tea, quantity=1),)
    of = {"shop_id": house.shop_id, "order_id": order}
    house.world.send(ShipParcel(**of, carrier="SF Express", tracking="SF-1", lines=lines), actor=house.market.staff("packer"))
    house.world.send(RefundOrder(**of, amount=yuan(1000 + 500 + 800 - 1)), actor=house.market.staff())
    packer = house.staff[ShopRole.PACKER]
    before = len(house.kinds(buyer.person)), len(house.kinds(packer))
    if who == "buyer":
        house.world.send(CancelOrder(order_id=order), actor=buyer.actor)
    elif who == "shop":
        house.world.send(DeclineOrder(**of), actor=house.market.staff())
    else:
        house.world.pass_time(40 * DAY_MS)
    assert house.market.state(order) == "refunded"
    told = [kind for kind in house.kinds(packer)[before[1] :] if kind != "sale_due"]
    assert (house.kinds(buyer.person)[before[0] :], told) == (buyers, packers)


def test_money_after_the_settlement_is_told_to_who_minds_it(house: House) -> None:
    """What was drawn back, what new money has paid off, and what of the deposit is back."""
    order = settled(house)
    house.world.send(PledgeDeposit(shop_id=house.shop_id, amount=yuan(1000)))
    house.world.send(ReleaseDeposit(shop_id=house.shop_id, amount=yuan(300)))
    assert house.roles_told("deposit_released") == {"owner", "finance"}
    assert house.last(house.staff["finance"]).about.amount == yuan(300)
    house.world.send(RefundSettled(refund_id=RefundId("rfd_1"), order_id=order, amount=yuan(2799)))
    assert house.roles_told("sale_drawn_back") == {"owner", "finance"}
    house.world.settle()
    ((cursor,),) = house.world.rows("SELECT seq FROM cursor WHERE follower = 'notices'")
    fact = ClaimPaidOff(shop_id=house.shop_id, amount=yuan(40), left=yuan(2), cause="settlement")
    house.world.send(DeliverFacts(follower="notices", after=cursor, through=cursor, facts=(Heard(cursor, fact),)))
    assert house.roles_told("claim_paid_off") == {"owner", "finance"}
    assert house.last(house.staff["finance"]).about.amount == yuan(40)


def test_an_application_is_told_to_who_decides_and_what_they_decide_to_who_has_applied(
    house: House, operators: dict[str, PersonId]
) -> None:
    """Whoever withdraws one knows it."""
    people = [Actor(person=house.world.send(RegisterPerson(phone=f"+86135000000{number:02d}")).person_id) for number in range(3)]
    ids = [house.world.send(ApplyForShop(form=FORM), actor=person).id for person in people]
    admin = Actor(person=operators["admin"], operator_roles=frozenset({"admin"}))
    shop = house.world.send(ApproveApplication(application_id=ids[0], commission_ppm=50_000), actor=admin).shop_id
    house.world.send(RejectApplication(application_id=ids[1], reason="照片看不清"), actor=admin)
    house.world.send(WithdrawApplication(application_id=ids[2]), actor=people[2])
    assert [house.kinds(person.person) for person in people] == [["application_approved"], ["application_rejected"], []]
    approved = house.last(people[0].person)
    assert (approved.about.shop_id, approved.text) == (shop, "林家茶庄已开张，您是店主。")
    assert not house.market.holds("照片看不清")
    assert [house.kinds(operators[role]).count("shop_applied") for role in ("admin", "risk", "service", "finance", "analyst")] == [
        3,
        3,
        0,
        0,
        0,
    ]


def test_a_payment_that_does_not_agree_is_told_to_who_looks_at_it(house: House, operators: dict[str, PersonId]) -> None:
    """A genuine notification of what nobody has asked for."""
    sandbox = house.market.sandbox
    event = Event(event="evt_1", merchant=sandbox.merchant, reference="pay_0", outcome=Said.CAPTURED, amount=yuan(77))
    body = json.encode(event)
    house.world.send(TakeNotification(channel="sandbox", body=body, headers=sandbox.signed(body)))
    assert told(house, operators, "payment_mismatched") == {"finance"}
    assert house.last(operators["finance"]).about.amount == yuan(77)


def named(house: House, buyer: Buyer, number: str) -> None:
    """Somebody names the account that their wallet is paid out to, and the channel looks at it."""
    account = BankAccount(bank="中国工商银行", holder="林美", number=number)
    house.world.send(NamePayee(channel="sandbox", account=account), actor=buyer.actor)
    house.world.pass_time(DAY_MS)


def test_what_becomes_of_money_on_its_way_out_is_told_to_whose_it_is(house: House, operators: dict[str, PersonId]) -> None:
    """Operators hear of what waits for them alone."""
    buyer = house.buyer(6_000_000)
    named(house, buyer, "6222020200112233445")
    assert house.kinds(buyer.person)[1:] == ["payee_named", "payee_refused"]
    named(house, buyer, CARD)
    house.world.send(Withdraw(amount=yuan(1000)), actor=buyer.actor)
    house.world.pass_time(MINUTE_MS)
    assert house.kinds(buyer.person) == [
        "wallet_topped_up",
        *["payee_named", "payee_refused"],
        *["payee_named", "payee_confirmed"],
        "payout_paid",
    ]
    assert house.last(buyer.person).text == "您的钱包的提现 10.00 CNY 已付到收款账户。"
    assert told(house, operators, "payout_awaited") == set()
    payout = house.world.send(Withdraw(amount=yuan(5_500_000)), actor=buyer.actor).id
    assert told(house, operators, "payout_awaited") == {"admin", "finance"}
    finance = Actor(person=operators["finance"], operator_roles=frozenset({"finance"}))
    house.world.send(DeclinePayout(payout_id=payout), actor=finance)
    assert house.kinds(buyer.person)[6:] == ["payout_declined"]
    assert (house.last(buyer.person).about.payout_id, house.last(buyer.person).about.amount) == (payout, yuan(5_500_000))
    assert not house.market.holds(CARD)


def test_a_shops_account_and_payouts_are_told_to_who_minds_its_money(house: House) -> None:
    """Whoever has named it among them."""
    settled(house)
    owner = Actor(person=house.staff[ShopRole.OWNER], shop_roles={house.shop_id: frozenset({"owner"})})
    account = BankAccount(bank="中国工商银行", holder="林美", number=CARD)
    house.world.send(NameShopPayee(shop_id=house.shop_id, channel="sandbox", account=account), actor=owner)
    house.world.pass_time(DAY_MS)
    assert house.roles_told("payee_named") == house.roles_told("payee_confirmed") == {"owner", "finance"}
    house.world.send(PayOutShop(shop_id=house.shop_id, amount=yuan(500)), actor=owner)
    house.world.pass_time(MINUTE_MS)
    assert house.roles_told("payout_paid") == {"owner", "finance"}
    assert house.last(house.staff[ShopRole.FINANCE]).text == "云茶的提现 5.00 CNY 已付到收款账户。"


def test_another_price_is_told_to_whoever_has_to_agree(house: House) -> None:
    """And what comes of it by the payment alone: the order that it takes the place of has not lapsed."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer, by_channel=True)
    offer = OfferPrice(shop_id=house.shop_id, order_id=order, discount=yuan(500), shipping=yuan(800))
    house.world.send(offer, actor=house.market.staff())
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_repriced"]
    assert house.last(buyer.person).about.amount == yuan(2299)
    house.world.send(AgreePrice(order_id=order, total=yuan(2299), tenders=wallet(2299)), actor=buyer.actor)
    house.world.pass_time(16 * MINUTE_MS)
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_repriced"]
    assert house.roles_told("sale_paid") == {"owner", "manager", "packer"}


def test_where_it_goes_and_that_it_is_there(house: House) -> None:
    """Another address to those who pack, the delivery to the buyer; other scans are no notices."""
    buyer = house.buyer(2799)
    order, _ = house.bought(buyer)
    house.world.send(RedirectOrder(order_id=order, address_id=buyer.move_to("浙江")), actor=buyer.actor)
    assert house.roles_told("sale_redirected") == {"owner", "manager", "packer"}
    unpaid, _ = house.bought(buyer, by_channel=True)
    house.world.send(RedirectOrder(order_id=unpaid, address_id=buyer.move_to("江苏")), actor=buyer.actor)
    assert house.roles_told("sale_redirected") == {"owner", "manager", "packer"}, "of what is not paid a shop has not heard"
    house.market.ship(order)
    house.world.settle()
    ((cursor,),) = house.world.rows("SELECT seq FROM cursor WHERE follower = 'notices'")
    whose = {"order_id": order, "buyer": buyer.person, "shop_id": house.shop_id, "parcel": 1, "scanned_at": 1}
    scans = tuple(Heard(cursor, ParcelScanned(scan=scan, **whose)) for scan in ("picked_up", "delivered"))
    house.world.send(DeliverFacts(follower="notices", after=cursor, through=cursor, facts=scans))
    assert house.kinds(buyer.person) == ["wallet_topped_up", "order_shipped", "order_delivered"]
    assert house.last(buyer.person).about.number == 1


def test_operators_are_told_of_money_that_nobody_claims(house: House, operators: dict[str, PersonId]) -> None:
    """Once, after half a year; its payer has been told five times by then."""
    buyer = house.buyer()
    order, placed = house.bought(buyer, by_channel=True)
    house.market.decide(placed.payment.redirects[0].url)
    house.market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1000)
    house.world.send(RefundOrder(shop_id=house.shop_id, order_id=order, amount=yuan(2799)), actor=house.market.staff())
    house.world.pass_time(200 * DAY_MS)
    assert house.kinds(buyer.person).count("money_unclaimed") == 5
    assert told(house, operators, "unclaimed_late") == {"admin", "finance"}


def test_what_a_channel_would_not_hear_of_a_chargeback_is_told_to_who_can_say_it_again(
    house: House, operators: dict[str, PersonId]
) -> None:
    """Evidence to those who give it, and to operators, who alone concede."""
    buyer = house.buyer()
    order, placed = house.bought(buyer, by_channel=True)
    house.market.decide(placed.payment.redirects[0].url)
    sandbox = house.market.sandbox
    name = sandbox.charge_back(charge_reference(payment_of(checkout_of(order)), 0))
    house.world.settle()
    sandbox.misbehaviour = Misbehaviour(refuses_words=1000)
    id = chargeback_id("sandbox", name)
    house.world.send(ContestChargeback(shop_id=house.shop_id, chargeback_id=id, text="签收人是买家本人"), actor=house.market.staff())
    house.world.settle()
    givers = {"owner", "manager", "service", "finance"}
    assert (house.roles_told("evidence_refused"), told(house, operators, "evidence_refused")) == (givers, {"admin", "finance", "risk"})
    assert house.last(house.staff["finance"]).about.amount == yuan(2799)
    house.world.send(ConcedeChargeback(chargeback_id=id))
    house.world.settle()
    assert (house.roles_told("concession_refused"), told(house, operators, "concession_refused")) == (set(), {"admin", "finance", "risk"})


def test_a_top_up_that_is_put_off_is_not_said_to_hold_goods(house: House) -> None:
    """Nothing was ordered by it."""
    buyer = house.buyer()
    _, placed = house.bought(buyer, by_channel=True)
    started = house.world.send(TopUpWallet(amount=yuan(5000), channel="sandbox"), actor=buyer.actor)
    house.world.settle()
    ((cursor,),) = house.world.rows("SELECT seq FROM cursor WHERE follower = 'notices'")
    of = {"payer": buyer.person, "due": house.world.clock.wall_ms() + DAY_MS}
    put_off = (
        PaymentPutOff(payment_id=placed.payment.id, checkout_id=placed.id, **of),
        PaymentPutOff(payment_id=started.id, checkout_id=None, **of),
    )
    facts = tuple([Heard(cursor, fact) for fact in put_off])
    house.world.send(DeliverFacts(follower="notices", after=cursor, through=cursor, facts=facts))
    assert house.kinds(buyer.person) == ["payment_put_off", "top_up_put_off"]
    assert (house.last(buyer.person).about.amount, "保留" in house.last(buyer.person).text) == (yuan(5000), False)


def charged_back(house: House, order: OrderId, amount: int = 0) -> str:
    """The payer's bank takes money of an order back."""
    name = house.market.sandbox.charge_back(charge_reference(payment_of(checkout_of(order)), 0), amount)
    assert name
    house.world.settle()
    return name


def test_a_shop_that_has_said_nothing_against_a_chargeback_is_told_a_day_before_it_is_too_late(house: House) -> None:
    """Once, and each shop of a payment by itself: what another has said is not its own."""
    buyer = house.buyer()
    buyer.want(house.market.offer())
    buyer.want(house.market.offer(shop=house.market.other))
    placed = buyer.buy(channel(buyer.total()))
    house.market.decide(placed.payment.redirects[0].url)
    name = charged_back(house, placed.orders[0].id)
    other = ContestChargeback(shop_id=house.market.other.id, chargeback_id=chargeback_id("sandbox", name), text="签收人是买家本人")
    house.world.send(other, actor=house.market.staff())
    house.world.pass_time(6 * DAY_MS - 1)
    assert house.roles_told("evidence_due") == set()
    house.world.pass_time(30 * DAY_MS)
    assert house.roles_told("evidence_due") == {"owner", "manager", "service", "finance"}
    told = next(it for it in house.page(house.staff[ShopRole.SERVICE], limit=50).items if it.kind.value == "evidence_due")
    order = next(one.id for one in placed.orders if one.shop_id == house.shop_id)
    assert (told.about.order_id, told.about.shop_id, told.about.amount) == (order, house.shop_id, yuan(2799))
    assert house.world.rows("SELECT CAST(count(*) AS INTEGER) FROM fact WHERE kind = 'EvidenceDue'") == [(1,)]


@pytest.mark.parametrize(("amount", "won", "told"), [(0, True, "order_goes_on"), (799, False, "order_part_lost"), (0, False, "order_lost")])
def test_the_buyer_is_told_that_their_bank_has_stopped_an_order_and_what_it_has_decided(
    house: House, *, amount: int, won: bool, told: str
) -> None:
    """Whether it goes on, and with how much."""
    buyer = house.buyer()
    order, placed = house.bought(buyer, by_channel=True)
    house.market.decide(placed.payment.redirects[0].url)
    name = charged_back(house, order, amount)
    assert house.kinds(buyer.person) == ["order_paid", "order_charged_back"]
    assert house.market.sandbox.decide_chargeback(name, won=won)
    house.world.settle()
    assert house.kinds(buyer.person) == ["order_paid", "order_charged_back", told]
    last = house.last(buyer.person)
    assert (last.about.order_id, last.about.amount) == (order, yuan(amount or 2799))
