"""Orders live at random: whatever buyers, shops, operators, the channel and time do, steps lead where they should and the books balance."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.payments import mirror
from unit.orders.market import MINUTE_MS, Buyer, Market, kept, orders, promoted_left, wallet, yuan
from unit.orders.steps import AFTER
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.orders import store
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine
from yunduan.domains.orders.commands import (
    AddToCart,
    CancelOrder,
    DeclineOrder,
    OrderGivenBack,
    OrderMoved,
    RefundOrder,
    ReviewOrder,
)
from yunduan.domains.orders.dispatching import WaitLonger
from yunduan.domains.orders.model import SLOW_UNPAID_MAX, UNPAID_MAX, Funder, OrderState, PackedLine, Step, Who
from yunduan.domains.orders.receiving import ConfirmReceipt, ExtendReceipt
from yunduan.domains.orders.shipping import PieceLine, ShipOrder, ShipParcel
from yunduan.domains.orders.whereabouts import OrderMoney
from yunduan.domains.payments.model import Tender, TenderKind, received_account
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import Refused

PRICES = (1, 333, 1999)
WEALTH = 1_000_000
DAY_MINUTES = 24 * 60
DISPATCH_MS = 30 * DAY_MINUTES * MINUTE_MS
SET_ASIDE = 3_000
CHANNELS = ("sandbox", "sandbox", "custodian")
"""The last keeps what it collects, and splits it when an order is received."""
picks = st.integers(0, 10**6)


class Told:
    """What the test knows of an order."""

    def __init__(self, id: OrderId, buyer: Buyer, shop: int, total: int, url: str) -> None:
        """As it was placed."""
        self.id, self.buyer, self.shop, self.left, self.url = id, buyer, shop, total, url
        self.due = self.arrives_at = 0
        self.lapsed_at = self.dispatch_by = 0
        self.slow = self.answered = self.waits_longer = False
        self.state = OrderState.PLACED if url else OrderState.PAID
        self.siblings = [self]
        self.reviewed = False
        self.receive_by = 0
        self.extended = False


class OrdersLive(RuleBasedStateMachine):
    """Two buyers, two shops, three goods in scarce supply."""

    def __init__(self) -> None:
        """Found the market."""
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.market = Market(Path(self.folder.name))
        self.shops = (self.market.shop.id, self.market.other.id)
        places = (self.market.shop, self.market.other, self.market.shop)
        self.goods = [self.market.offer(12, fen, shop=place) for fen, place in zip(PRICES, places, strict=True)]
        self.market.custodian.misbehaviour = Misbehaviour(refund_ms=0)
        self.market.set_aside(SET_ASIDE)
        self.before = {id: state for id, state, _, _ in orders(self.market.world)}
        self.buyers = [self.market.buyer(WEALTH) for _ in range(2)]
        self.known: list[Told] = []

    def teardown(self) -> None:
        """Close it; every fact was heard, and the custodian's books are ours."""
        try:
            self.market.world.settle()
            assert self.market.world.cloud.following.parked == 0
            filed = {(id, state) for state, id in self.market.world.rows("SELECT state, order_id FROM order_of_shop")}
            assert filed == {(told.id, told.state.value) for told in self.known} | set(self.before.items())
            self.assert_sales_are_counted()
            self.market.world.pass_time(5 * MINUTE_MS)
            assert mirror(self.market).agrees
        finally:
            self.market.close()
            self.folder.cleanup()

    def assert_sales_are_counted(self) -> None:
        """Sold is what was paid and has not come back: nothing of what was called off, given back whole, or never paid."""
        stands = (OrderState.PAID, OrderState.PARTLY_SHIPPED, OrderState.SHIPPED, OrderState.RECEIVED)
        sold = dict.fromkeys((row[0] for row in self.market.world.rows("SELECT goods_id FROM goods_standing")), 0)
        for order in kept(self.market.world):
            for item in store.terms(order).items if order.state in stands else ():
                sold[item.goods_id] += item.quantity
                if order.progress.is_short:
                    gone = [line for parcel in order.progress.parcels for line in parcel.lines if line.variant_id == item.variant_id]
                    sold[item.goods_id] -= item.quantity - sum(line.quantity for line in gone)
        assert dict(self.market.world.rows("SELECT goods_id, sold FROM goods_standing")) == sold

    @rule(
        who=picks,
        what=st.lists(picks, max_size=2),
        part=st.sampled_from([0, 50, 100, 100, 100]),
        method=st.sampled_from(["", "", "card", "slip"]),
        over=st.sampled_from(CHANNELS),
    )
    def buy(self, who: int, what: list[int], part: int, method: str, over: str) -> None:
        """Put more into the cart and buy it, so much of a hundred from the wallet and the rest over a channel."""
        buyer = self.buyers[who % 2]
        for one in what:
            self.market.world.send(AddToCart(variant_id=self.goods[one % 3], quantity=1 + one % 2), actor=buyer.actor)
        try:
            total = buyer.total()
        except Refused as refused:
            assert refused.code.value in ("cart_empty", "sold_out")  # noqa: PT017 - either is right here
            return
        mine = min(total * part // 100, buyer.money())
        tenders = wallet(mine) if mine else ()
        if mine < total:
            tenders += (Tender(kind=TenderKind.CHANNEL, amount=yuan(total - mine), channel=over, method=method),)
        waiting = [one for one in self.known if one.buyer is buyer and one.state is OrderState.PLACED]
        unpaid = {one.siblings[0].id for one in waiting}
        slow = {one.siblings[0].id for one in waiting if one.slow}
        if mine < total and len(unpaid) >= UNPAID_MAX:
            self.market.assert_refused("unpaid_full", buyer.checkout(tenders=tenders), buyer.actor)
            return
        if mine < total and method == "slip" and len(slow) >= SLOW_UNPAID_MAX:
            self.market.assert_refused("slow_unpaid_full", buyer.checkout(tenders=tenders), buyer.actor)
            return
        placed = buyer.buy(tenders)
        url = placed.payment.redirects[0].url if placed.payment.redirects else ""
        told = [Told(o.id, buyer, self.shops.index(o.shop_id), o.total.amount, url) for o in placed.orders]
        assert sum(one.left for one in told) == total == placed.total.amount
        for one in told:
            one.siblings, one.due, one.slow = told, placed.pay_by, method == "slip"
            one.dispatch_by = self.market.world.clock.wall_ms() + DISPATCH_MS
        self.known += told

    @rule(
        who=picks, what=picks, off=st.sampled_from([1, 200, 5_000]), funder=st.sampled_from(Funder), over=st.sampled_from(("", *CHANNELS))
    )
    def buy_for_less(self, who: int, what: int, off: int, funder: Funder, over: str) -> None:
        """Buy one piece with a discount, which its shop or the marketplace pays, as long as there is something to pay it from."""
        buyer, place, price = self.buyers[who % 2], what % 3, PRICES[what % 3]
        shop = self.shops[place % 2]
        line = AgreedLine(variant_id=self.goods[place], quantity=1, price=yuan(price), shipping=yuan(7))
        total = price + 7 - min(off, price)
        tenders = (Tender(kind=TenderKind.CHANNEL, amount=yuan(total), channel=over),) if over else wallet(total)
        discount = AgreedDiscount(shop_id=shop, title="spring", funder=funder, amount=yuan(off))
        ask = self.market.agreed(buyer, [line], discount, tenders=tenders)
        set_aside, actor = self.market.promotions(), Actor(person=buyer.person, is_system=True)
        cost = min(off, price) if funder is Funder.MARKETPLACE else 0
        try:
            placed = self.market.world.send(ask, actor=actor)
        except Refused as refused:
            assert refused.code.value in ("sold_out", "promotions_empty", "insufficient_funds")  # noqa: PT017 - either is right here
            assert refused.code.value != "promotions_empty" or cost > set_aside  # noqa: PT017 - the same
            return
        assert self.market.promotions() == set_aside - cost
        url = placed.payment.redirects[0].url if placed.payment.redirects else ""
        self.known.append(Told(placed.orders[0].id, buyer, place % 2, total, url))
        self.known[-1].due = placed.pay_by
        self.known[-1].dispatch_by = self.market.world.clock.wall_ms() + DISPATCH_MS

    @precondition(lambda self: self.known)
    @rule(which=picks, approve=st.booleans(), takes_minutes=st.sampled_from([0, 0, 20, 60]))
    def answer_the_channel(self, which: int, approve: bool, takes_minutes: int) -> None:
        """Go to the channel's page, in time or not; it says what it has to say, at once or when it has collected."""
        told = self.pick(which)
        if not told.url:
            return
        is_open = told.due > self.market.world.clock.wall_ms() and not told.arrives_at and not told.answered
        behaves = Misbehaviour(dawdles=1000 if takes_minutes else 0, dawdle_ms=takes_minutes * MINUTE_MS)
        self.market.sandbox.misbehaviour, self.market.custodian.misbehaviour = behaves, msgspec.structs.replace(behaves, refund_ms=0)
        takes_ms = self.market.sandbox.misbehaviour.slip_ms if told.slow else takes_minutes * MINUTE_MS
        self.market.decide(told.url, approve=approve)
        if not is_open:
            return
        for one in told.siblings:
            one.answered = True
            if approve and takes_ms:
                one.arrives_at = self.market.world.clock.wall_ms() + takes_ms
            elif one.state is OrderState.PLACED:
                one.state = OrderState.PAID if approve else OrderState.CANCELLED
                one.dispatch_by = self.market.world.clock.wall_ms() + DISPATCH_MS

    @rule(minutes=st.sampled_from([1, 16, 16, 60, 2 * DAY_MINUTES, 6 * DAY_MINUTES, 31 * DAY_MINUTES]))
    def wait(self, minutes: int) -> None:
        """Let time pass; what is not paid in time lapses, what nobody says anything about is received in the end.

        What is on its way is waited for once longer; what comes after that finds its goods, or goes back. What no shop ships is called off.
        """
        self.market.world.pass_time(minutes * MINUTE_MS)
        now = self.market.world.clock.wall_ms()
        states = {id: OrderState(state) for id, state, _, _ in orders(self.market.world)}
        for told in self.known:
            if told.state is OrderState.PLACED:
                told.state = self.after_time(told, states[told.id], now)
            elif told.state is OrderState.CANCELLED and told.lapsed_at and told.arrives_at <= now and states[told.id] is OrderState.PAID:
                assert told.arrives_at
                assert {states[one.id] for one in told.siblings} == {OrderState.PAID}
                told.state, told.lapsed_at, told.dispatch_by = OrderState.PAID, 0, told.arrives_at + DISPATCH_MS
            if told.dispatch_by <= now:
                self.call_off_overdue(told, states[told.id])
            if told.state is OrderState.SHIPPED and told.receive_by <= now:
                told.state = OrderState.RECEIVED

    def call_off_overdue(self, told: Told, found: OrderState) -> None:
        """What has not left by its time comes back; the part that has left goes on."""
        if told.state is OrderState.PAID:
            told.state = OrderState.CANCELLED
        elif told.state is OrderState.PARTLY_SHIPPED:
            (order,) = [one for one in kept(self.market.world) if one.id == told.id]
            told.state, told.left = OrderState.REFUNDED if found is OrderState.REFUNDED else OrderState.SHIPPED, order.left
            told.receive_by = told.dispatch_by + 10 * DAY_MINUTES * MINUTE_MS

    @precondition(lambda self: self.known)
    @rule(which=picks)
    def wait_longer(self, which: int) -> None:
        """The buyer gives the shop more time; once."""
        told = self.pick(which)
        command = WaitLonger(order_id=told.id)
        if AFTER.get((told.state, Step.WAIT_LONGER, Who.BUYER)) is None:
            self.market.assert_refused("order_in_other_state", command, told.buyer.actor)
        elif told.waits_longer:
            self.market.assert_refused("dispatch_not_extendable", command, told.buyer.actor)
        else:
            told.dispatch_by, told.waits_longer = told.dispatch_by + 15 * DAY_MINUTES * MINUTE_MS, True
            assert self.market.world.send(command, actor=told.buyer.actor).dispatch_by == told.dispatch_by

    def after_time(self, told: Told, found: OrderState, now: int) -> OrderState:
        """Where an order stands that was placed before time passed: by when its money comes, and until when that is waited for."""
        last = told.due + (0 if not told.arrives_at else 2 * DAY_MINUTES * MINUTE_MS if told.slow else 30 * MINUTE_MS)
        told.dispatch_by = max(told.dispatch_by, told.arrives_at + DISPATCH_MS)
        if told.arrives_at and told.arrives_at <= min(now, last):
            return OrderState.PAID
        if last > now:
            return OrderState.PLACED
        if told.arrives_at and told.arrives_at <= now and found is not OrderState.CANCELLED:
            return OrderState.PAID
        told.lapsed_at = last
        return OrderState.CANCELLED

    def take(self, told: Told, command: Command[Any], actor: Actor, step: Step, who: Who) -> bool:
        """Send a step: it goes the way that is written out, or is refused for the state and changes nothing."""
        to = AFTER.get((told.state, step, who))
        if to is None:
            self.market.assert_refused("order_in_other_state", command, actor)
            return False
        answer = self.market.world.send(command, actor=actor)
        assert isinstance(answer, OrderMoved | OrderGivenBack)
        assert (answer.order_state if isinstance(answer, OrderGivenBack) else answer.state) is to
        told.state = to
        return True

    def pick(self, which: int) -> Told:
        """One of all orders, more often of those that have not ended."""
        ended = (OrderState.CANCELLED, OrderState.REFUNDED)
        live = [told for told in self.known if told.state not in ended and which % 4]
        return (live or self.known)[which % len(live or self.known)]

    @precondition(lambda self: self.known)
    @rule(which=picks, by=st.sampled_from([Who.BUYER, Who.SHOP]))
    def call_off(self, which: int, by: Who) -> None:
        """The buyer or the shop calls it off."""
        told = self.pick(which)
        shop = self.shops[told.shop]
        was_placed = told.state is OrderState.PLACED
        if told.state is OrderState.PARTLY_SHIPPED:
            self.call_off_rest(told, by)
        elif by is Who.SHOP:
            self.take(told, DeclineOrder(shop_id=shop, order_id=told.id), self.market.staff("manager", shop=shop), Step.CANCEL, by)
        elif self.take(told, CancelOrder(order_id=told.id), told.buyer.actor, Step.CANCEL, by) and was_placed:
            for one in told.siblings:
                one.state = OrderState.CANCELLED

    def call_off_rest(self, told: Told, by: Who) -> None:
        """What has not left comes back, in goods and in money; what is on its way is waited for, unless nothing else was paid for."""
        shop = self.shops[told.shop]
        before = self.market.escrow(told.id)
        ((total, refunded),) = [(total, back) for id, _, total, back in orders(self.market.world) if id == told.id]
        command: Command[OrderMoved] = CancelOrder(order_id=told.id)
        actor = told.buyer.actor
        if by is Who.SHOP:
            command, actor = DeclineOrder(shop_id=shop, order_id=told.id), self.market.staff("manager", shop=shop)
        try:
            answer = self.market.world.send(command, actor=actor)
        except Refused as refused:
            assert (refused.code.value, total) == ("refund_of_nothing", 0)  # noqa: PT017 - the marketplace paid for all of it
            return
        ((back,),) = [(back - refunded,) for id, _, _, back in orders(self.market.world) if id == told.id]
        assert 0 <= back <= told.left
        assert answer.state is (OrderState.REFUNDED if back == told.left and back else OrderState.SHIPPED)
        assert self.market.escrow(told.id) <= before - back
        told.left, told.state = told.left - back, answer.state
        told.receive_by = self.market.world.clock.wall_ms() + 10 * DAY_MINUTES * MINUTE_MS

    @precondition(lambda self: self.known)
    @rule(which=picks, pieces=st.integers(1, 3), line=picks)
    def pack(self, which: int, pieces: int, line: int) -> None:
        """The shop sends some pieces ahead; with the last of them the order is shipped."""
        told = self.pick(which)
        shop, staff = self.shops[told.shop], self.market.staff("packer", shop=self.shops[told.shop])
        (order,) = [one for one in kept(self.market.world) if one.id == told.id]
        left = {item.variant_id: item.quantity for item in store.terms(order).items}
        for parcel in order.progress.parcels:
            for packed in parcel.lines or [PackedLine(id, quantity) for id, quantity in left.items()]:
                left[packed.variant_id] -= packed.quantity
        variant = sorted(left)[line % len(left)]
        lines = (PieceLine(variant_id=variant, quantity=pieces),)
        command = ShipParcel(shop_id=shop, order_id=told.id, carrier="SF", tracking="SF2", lines=lines)
        if AFTER.get((told.state, Step.SHIP_PART, Who.SHOP)) is None:
            self.market.assert_refused("order_in_other_state", command, staff)
        elif pieces > left[variant]:
            self.market.assert_refused("more_than_is_left_to_ship", command, staff)
        else:
            shipped = self.market.world.send(command, actor=staff)
            told.state = OrderState.SHIPPED if sum(left.values()) == pieces else OrderState.PARTLY_SHIPPED
            told.receive_by = self.market.world.clock.wall_ms() + 10 * DAY_MINUTES * MINUTE_MS
            assert (shipped.state, shipped.parcel) == (told.state, len(order.progress.parcels) + 1)

    @precondition(lambda self: self.known)
    @rule(which=picks, again=st.booleans())
    def ship(self, which: int, again: bool) -> None:
        """The shop ships it; sometimes it has arrived before anybody looks again."""
        told = self.pick(which)
        shop = self.shops[told.shop]
        command = ShipOrder(shop_id=shop, order_id=told.id, carrier="SF", tracking="SF1")
        if self.take(told, command, self.market.staff("packer", shop=shop), Step.SHIP, Who.SHOP):
            told.receive_by = self.market.world.clock.wall_ms() + 10 * DAY_MINUTES * MINUTE_MS
            if again:
                self.arrive(told)

    @precondition(lambda self: self.known)
    @rule(which=picks)
    def extend(self, which: int) -> None:
        """The buyer has not got it yet; once."""
        told = self.pick(which)
        command = ExtendReceipt(order_id=told.id)
        if AFTER.get((told.state, Step.EXTEND, Who.BUYER)) is None:
            self.market.assert_refused("order_in_other_state", command, told.buyer.actor)
        elif told.extended:
            self.market.assert_refused("receipt_not_extendable", command, told.buyer.actor)
        else:
            told.receive_by, told.extended = told.receive_by + 7 * DAY_MINUTES * MINUTE_MS, True
            assert self.market.world.send(command, actor=told.buyer.actor).receive_by == told.receive_by

    @precondition(lambda self: self.known)
    @rule(which=picks)
    def receive(self, which: int) -> None:
        """The buyer has it."""
        told = self.pick(which)
        self.arrive(told)

    def arrive(self, told: Told) -> None:
        """What is left goes to the shop and the marketplace, all of it."""
        before, escrow = self.earned(told), self.market.escrow(told.id)
        if self.take(told, ConfirmReceipt(order_id=told.id), told.buyer.actor, Step.RECEIVE, Who.BUYER):
            self.market.world.settle()
            assert self.earned(told) == before + escrow
            assert escrow >= told.left

    def earned(self, told: Told) -> int:
        """What the order's shop has here and at the provider, and what the marketplace has earned."""
        shop = self.shops[told.shop]
        return self.market.earned(shop) + self.market.balance(received_account(shop, "CNY")) + self.market.commission()

    @precondition(lambda self: self.known)
    @rule(which=picks, part=st.sampled_from([1, 30, 100]), operator=st.booleans())
    def give_back(self, which: int, part: int, operator: bool) -> None:
        """The shop or an operator gives a part or all of it back."""
        told = self.pick(which)
        amount = max(1, told.left * part // 100)
        shop = self.shops[told.shop]
        actor = self.market.operator("service") if operator else self.market.staff("finance", shop=shop)
        step = Step.REFUND_REST if amount == told.left else Step.REFUND_PART
        command = RefundOrder(shop_id=shop, order_id=told.id, amount=yuan(amount))
        if self.take(told, command, actor, step, Who.OPERATOR if operator else Who.SHOP):
            told.left -= amount

    @precondition(lambda self: self.known)
    @rule(which=picks)
    def review(self, which: int) -> None:
        """The buyer says what it was like."""
        told = self.pick(which)
        command = ReviewOrder(order_id=told.id, variant_id=self.market.variants(told.id)[0], stars=5)
        if told.state is not OrderState.RECEIVED:  # all of it may have come back since
            self.market.assert_refused("order_in_other_state", command, told.buyer.actor)
        elif told.reviewed:
            self.market.assert_refused("already_reviewed", command, told.buyer.actor)
        else:
            self.market.world.send(command, actor=told.buyer.actor)
            told.reviewed = True

    @invariant()
    def books_balance(self) -> None:
        """Orders are where the test has them, escrows hold what is left, stock is held for who waits, nobody made money.

        What the marketplace has set aside for discounts is still there, in the orders that it pays for, or was earned by their shops.
        """
        states = {told.id: told.state.value for told in self.known}
        assert {id: state for id, state, _, _ in orders(self.market.world)} == states | self.before
        self.market.assert_balanced()
        out = SET_ASIDE - self.market.promotions()
        for told in self.known:
            money = self.market.world.ask(OrderMoney(order_id=told.id), actor=told.buyer.actor)
            assert sum(part.amount.amount for part in money.parts) == money.total.amount
        paid = [order for order in kept(self.market.world) if order.state not in (OrderState.CANCELLED, OrderState.REFUNDED)]
        assert out == sum(promoted_left(order) for order in paid)


TestOrdersLive = OrdersLive.TestCase
TestOrdersLive.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
