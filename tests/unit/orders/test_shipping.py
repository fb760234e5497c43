"""An order leaves in one parcel or in several: what is where is exact in stock, money and lists, and what never leaves comes back."""

import msgspec
import pytest

from unit.orders.market import Buyer, Market, yuan
from yunduan.domains.catalog.queries import HoldOf, StockAudit
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder, RefundOrder, ReviewOrder
from yunduan.domains.orders.facts import OrderPartlyShipped, OrderRestCancelled, OrderShipped
from yunduan.domains.orders.model import HOME_MS, PARCELS_MAX, OrderState, Parcel, Progress, hold_of
from yunduan.domains.orders.queries import OrderOf, ParcelLine, ShopOrders
from yunduan.domains.orders.receiving import ConfirmReceipt, ExtendReceipt
from yunduan.domains.orders.shipping import PieceLine, ShipParcel
from yunduan.domains.orders.whereabouts import OrderMoney
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import OrderId, ShopId, VariantId
from yunduan.kernel.messages import Fact

TOTAL = 3 * 1000 + 2 * 500 + 800


class Ordered:
    """Three teas at 10.00 and two cups at 5.00, with 8.00 of shipping, paid."""

    def __init__(self, market: Market) -> None:
        """Buy them."""
        self.market = market
        self.tea, self.cup = market.offer(10, 1000), market.offer(10, 500)
        self.buyer: Buyer = market.buyer(TOTAL)
        self.buyer.want(self.tea, 3)
        self.buyer.want(self.cup, 2)
        (order,) = self.buyer.buy().orders
        self.id: OrderId = order.id

    def parcel(self, *lines: tuple[VariantId, int], shop: ShopId | None = None) -> ShipParcel:
        """The command that lets these go."""
        return ShipParcel(
            shop_id=shop or self.market.shop.id,
            order_id=self.id,
            carrier="SF Express",
            tracking="SF-42",
            lines=tuple(PieceLine(variant_id=id, quantity=quantity) for id, quantity in lines),
        )

    def ship(self, *lines: tuple[VariantId, int]) -> tuple[str, int]:
        """Let these go; answers the order's state and the parcel's number."""
        shipped = self.market.world.send(self.parcel(*lines), actor=self.market.staff("packer"))
        return shipped.state.value, shipped.parcel

    def told(self, kind: type[Fact]) -> list[Fact]:
        """The facts of a kind."""
        rows = self.market.world.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", kind.__name__)
        return [msgspec.json.decode(body, type=kind) for (body,) in rows]

    def filed(self) -> list[str]:
        """In which of the shop's lists it stands."""
        self.market.world.settle()
        return [state for (state,) in self.market.world.rows("SELECT state FROM order_of_shop WHERE order_id = ?", self.id)]


@pytest.fixture
def ordered(market: Market) -> Ordered:
    """One order of five pieces."""
    return Ordered(market)


def test_an_order_leaves_in_parcels_and_is_shipped_with_the_last(ordered: Ordered, market: Market) -> None:
    """Each parcel takes its pieces off the shelf; the receipt is waited for from the last on, and everybody sees what is where."""
    began = market.world.clock.wall_ms()
    assert ordered.ship((ordered.tea, 2), (ordered.cup, 1)) == ("partly_shipped", 1)
    assert (market.shelf(ordered.tea), market.shelf(ordered.cup)) == ((8, 1), (9, 1))
    assert (ordered.filed(), market.escrow(ordered.id)) == (["partly_shipped"], TOTAL)
    seen = market.world.ask(OrderOf(order_id=ordered.id), actor=ordered.buyer.actor)
    assert [(one.variant_id, one.left) for one in seen.unshipped] == [(ordered.tea, 1), (ordered.cup, 1)]
    assert (seen.receive_by, seen.may_extend) == (0, False)
    money = market.world.ask(OrderMoney(order_id=ordered.id), actor=ordered.buyer.actor)
    assert money.says == "48.00 CNY 由平台担保；确认收货后付给商家。"
    market.assert_balanced()
    market.world.clock.advance(1000)
    assert ordered.ship((ordered.tea, 1)) == ("partly_shipped", 2)
    market.world.clock.advance(1000)
    assert ordered.ship((ordered.cup, 1)) == ("shipped", 3)
    assert (market.shelf(ordered.tea), market.shelf(ordered.cup)) == ((7, 0), (8, 0))
    assert market.world.ask(StockAudit()) == []
    seen = market.world.ask(OrderOf(order_id=ordered.id), actor=ordered.buyer.actor)
    assert [(one.parcel, one.shipped_at, one.tracking) for one in seen.parcels] == [
        (number, began + 1000 * (number - 1), "SF-42") for number in (1, 2, 3)
    ]
    assert seen.parcels[0].lines == (ParcelLine(variant_id=ordered.tea, quantity=2), ParcelLine(variant_id=ordered.cup, quantity=1))
    assert (seen.unshipped, seen.receive_by, seen.may_extend) == ((), began + 2000 + HOME_MS, True)
    assert [(fact.parcel, len(fact.lines)) for fact in ordered.told(OrderPartlyShipped)] == [(1, 2), (2, 1)]
    assert len(ordered.told(OrderShipped)) == 1
    assert ordered.filed() == ["shipped"]
    assert not market.holds("SF-42")
    market.world.send(ConfirmReceipt(order_id=ordered.id), actor=ordered.buyer.actor)
    assert (market.state(ordered.id), market.escrow(ordered.id)) == ("received", 0)
    market.assert_balanced()


def test_all_that_is_left_goes_in_one_parcel(ordered: Ordered, market: Market) -> None:
    """`ShipOrder` after a first parcel is of the rest; alone it is of everything, and names nothing."""
    ordered.ship((ordered.tea, 3))
    market.ship(ordered.id)
    seen = market.world.ask(OrderOf(order_id=ordered.id), actor=ordered.buyer.actor)
    assert [one.lines for one in seen.parcels] == [
        (ParcelLine(variant_id=ordered.tea, quantity=3),),
        (ParcelLine(variant_id=ordered.cup, quantity=2),),
    ]
    assert (market.state(ordered.id), market.shelf(ordered.cup)) == ("shipped", (8, 0))


def test_a_variant_named_twice_is_packed_once(ordered: Ordered, market: Market) -> None:
    """And counted together: two and two of three is too many."""
    market.assert_refused("more_than_is_left_to_ship", ordered.parcel((ordered.tea, 2), (ordered.tea, 2)), market.staff("packer"))
    ordered.ship((ordered.tea, 2), (ordered.tea, 1))
    assert market.shelf(ordered.tea) == (7, 0)


def test_parcels_that_are_refused(ordered: Ordered, market: Market) -> None:
    """Too many pieces, goods of somebody else's order, another shop's order, whoever does not pack, an order that has not been paid."""
    packer, strange = market.staff("packer"), market.offer(5)
    ordered.ship((ordered.tea, 2))
    market.assert_refused("more_than_is_left_to_ship", ordered.parcel((ordered.tea, 2)), packer)
    market.assert_refused("order_line_not_found", ordered.parcel((strange, 1)), packer)
    other = market.other.id
    for command, actor in (
        (ordered.parcel((ordered.tea, 1), shop=other), market.staff("owner", shop=other)),
        (ordered.parcel((ordered.tea, 1)), market.staff("owner", shop=other)),
        (ordered.parcel((ordered.tea, 1)), market.staff("service", "finance")),
        (ordered.parcel((ordered.tea, 1)), ordered.buyer.actor),
        (ordered.parcel((ordered.tea, 1)), market.operator("admin")),
    ):
        market.assert_refused("order_not_found", command, actor)
    market.ship(ordered.id)
    market.assert_refused("order_in_other_state", ordered.parcel((ordered.cup, 1)), packer)


def test_the_last_parcel_that_there_may_be_takes_all_that_is_left(market: Market) -> None:
    """An order of more pieces than parcels: the twentieth parcel has to be the last."""
    tea, buyer = market.offer(30, 100), market.buyer(10_000)
    buyer.want(tea, PARCELS_MAX + 2)
    (order,) = buyer.buy().orders
    packer = market.staff("packer")

    def one(pieces: int) -> ShipParcel:
        lines = (PieceLine(variant_id=tea, quantity=pieces),)
        return ShipParcel(shop_id=market.shop.id, order_id=order.id, carrier="SF", tracking="1", lines=lines)

    for _ in range(PARCELS_MAX - 1):
        market.world.send(one(1), actor=packer)
    market.assert_refused("parcels_full", one(2), packer)
    assert market.world.send(one(3), actor=packer).parcel == PARCELS_MAX
    assert market.state(order.id) == "shipped"


@pytest.mark.parametrize("by", ["buyer", "shop"])
def test_what_has_not_left_is_called_off(by: str, ordered: Ordered, market: Market) -> None:
    """Its price comes back, its stock is free, what has left is waited for and settled; the goods called off count as never sold."""
    ordered.ship((ordered.tea, 2))
    market.assert_refused("order_in_other_state", ConfirmReceipt(order_id=ordered.id), ordered.buyer.actor)
    market.assert_refused("order_in_other_state", ExtendReceipt(order_id=ordered.id), ordered.buyer.actor)
    market.world.clock.advance(5000)
    now = market.world.clock.wall_ms()
    if by == "buyer":
        moved = market.world.send(CancelOrder(order_id=ordered.id), actor=ordered.buyer.actor)
    else:
        moved = market.world.send(DeclineOrder(shop_id=market.shop.id, order_id=ordered.id), actor=market.staff("service"))
    assert moved.state is OrderState.SHIPPED
    assert ordered.buyer.money() == 1000 + 2 * 500
    assert (market.shelf(ordered.tea), market.shelf(ordered.cup)) == ((8, 0), (10, 0))
    hold = market.world.ask(HoldOf(hold_id=hold_of(ordered.id)))
    assert hold is not None
    assert (hold.state.value, hold.quantities()) == ("taken", {ordered.tea: 2})
    (fact,) = ordered.told(OrderRestCancelled)
    assert (fact.by, fact.refunded, [(line.variant_id, line.quantity) for line in fact.lines]) == (
        by,
        yuan(2000),
        [(ordered.tea, 1), (ordered.cup, 2)],
    )
    assert ordered.filed() == ["shipped"]
    assert dict(market.world.rows("SELECT v.id, s.sold FROM goods_standing s JOIN variant v ON v.goods_id = s.goods_id")) == {
        ordered.tea: 2,
        ordered.cup: 0,
    }
    seen = market.world.ask(OrderOf(order_id=ordered.id), actor=ordered.buyer.actor)
    assert (seen.receive_by, seen.refunded, seen.unshipped) == (now + HOME_MS, yuan(2000), ())
    market.assert_balanced()
    market.world.send(ConfirmReceipt(order_id=ordered.id), actor=ordered.buyer.actor)
    assert market.earned() + market.commission() == TOTAL - 2000
    review = ReviewOrder(order_id=ordered.id, variant_id=ordered.cup, stars=1)
    market.assert_refused("order_line_not_found", review, ordered.buyer.actor)
    market.world.send(ReviewOrder(order_id=ordered.id, variant_id=ordered.tea, stars=5), actor=ordered.buyer.actor)
    market.assert_balanced()


def test_a_refund_by_hand_takes_nothing_from_what_is_called_off(ordered: Ordered, market: Market) -> None:
    """Half of the order's money has come back, whatever for: all that was paid for the rest comes back as well, as far as it is there."""
    ordered.ship((ordered.tea, 2))
    finance, shop_id = market.staff("finance"), market.shop.id
    market.world.send(RefundOrder(shop_id=shop_id, order_id=ordered.id, amount=yuan(TOTAL // 2)), actor=finance)
    market.world.send(DeclineOrder(shop_id=shop_id, order_id=ordered.id), actor=market.staff("service"))
    assert ordered.buyer.money() == TOTAL // 2 + 2000
    assert market.escrow(ordered.id) == TOTAL // 2 - 2000
    market.assert_balanced()


def test_the_whole_order_ends_when_all_that_is_left_comes_back(market: Market) -> None:
    """One cent is left of it, and the half that rounds it up is of what has not left: nothing is waited for."""
    gift, tea, buyer = market.offer(5, 1), market.offer(5, 1000), market.buyer(5000)
    buyer.want(gift)
    buyer.want(tea)
    total = buyer.total()
    (order,) = buyer.buy().orders
    shop_id = market.shop.id
    lines = (PieceLine(variant_id=gift, quantity=1),)
    market.world.send(ShipParcel(shop_id=shop_id, order_id=order.id, carrier="SF", tracking="1", lines=lines), actor=market.staff("packer"))
    market.world.send(RefundOrder(shop_id=shop_id, order_id=order.id, amount=yuan(total - 1)), actor=market.staff("finance"))
    moved = market.world.send(CancelOrder(order_id=order.id), actor=buyer.actor)
    assert (moved.state, buyer.money()) == (OrderState.REFUNDED, 5000)
    assert (market.shelf(gift), market.shelf(tea)) == ((4, 0), (5, 0))
    market.world.settle()
    assert market.world.rows("SELECT DISTINCT sold FROM goods_standing") == [(0,)]
    assert market.world.rows("SELECT count(*) FROM alarm WHERE kind = 'ReceiveUnasked'") == [(0,)]
    market.assert_balanced()


def test_a_refund_of_everything_ends_it_and_frees_what_has_not_left(ordered: Ordered, market: Market) -> None:
    """What has left has left; the buyer has all of the money."""
    ordered.ship((ordered.tea, 2))
    ask = RefundOrder(shop_id=market.shop.id, order_id=ordered.id, amount=yuan(TOTAL))
    assert market.world.send(ask, actor=market.operator("finance")).order_state is OrderState.REFUNDED
    assert (market.shelf(ordered.tea), market.shelf(ordered.cup)) == ((8, 0), (10, 0))
    assert (ordered.filed(), ordered.buyer.money()) == (["refunded"], TOTAL)
    assert market.world.rows("SELECT DISTINCT sold FROM goods_standing") == [(0,)]
    market.assert_balanced()


def test_the_buyers_of_a_race_get_one_outcome(ordered: Ordered, market: Market) -> None:
    """The last parcel leaves while the buyer calls the rest off: one of the two happens, and the books and shelves agree with it."""
    ordered.ship((ordered.tea, 3))
    asks: list[tuple[object, Actor]] = [
        (CancelOrder(order_id=ordered.id), ordered.buyer.actor),
        (ordered.parcel((ordered.cup, 2)), market.staff("packer")),
    ]
    first, second = market.world.send_all(asks, keys=["a", "b"])  # type: ignore[arg-type]
    assert first.state is OrderState.SHIPPED
    assert second.code.value == "order_in_other_state"
    assert market.shelf(ordered.cup) == (10, 0)
    market.assert_balanced()


def test_the_shops_list_names_what_is_partly_shipped(ordered: Ordered, market: Market) -> None:
    """A packer finds what waits for its next parcel."""
    ordered.ship((ordered.tea, 1))
    market.world.settle()
    ask = ShopOrders(shop_id=market.shop.id, state=OrderState.PARTLY_SHIPPED)
    assert [line.id for line in market.world.ask(ask, actor=market.staff("packer")).items] == [ordered.id]


def test_an_order_shipped_before_there_were_parcels_has_one() -> None:
    """It is read as it was written then."""
    written = msgspec.msgpack.encode([1, 2, 0, 0, "SF", b"sealed", 0, 3])
    progress = msgspec.msgpack.decode(written, type=Progress)
    assert (progress.carrier, progress.parcels) == ("SF", ())
    assert Parcel(progress.carrier, progress.tracking, progress.shipped_at) == Parcel("SF", b"sealed", 2, ())
