"""Limits per buyer: in one order and within some days, exactly, whatever becomes of the orders; and goods without a limit cost nothing."""

import pytest
from msgspec import ValidationError, convert

from unit.orders.market import SHIPPING, Buyer, Market, channel, yuan
from yunduan.domains.catalog.commands import ChangeGoods, CreateGoods
from yunduan.domains.catalog.lists import page_of
from yunduan.domains.catalog.model import BuyerLimit, GoodsForm, GoodsOption, OptionValue, VariantForm
from yunduan.domains.catalog.queries import GoodsOnDesk, GoodsPage
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder, Placed, RefundOrder, RemoveFromCart
from yunduan.domains.orders.limits import OverLimit
from yunduan.domains.orders.queries import PreviewCheckout
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.shipping import PieceLine, ShipParcel
from yunduan.domains.orders.store import LIMITED
from yunduan.kernel.ids import GoodsId, VariantId
from yunduan.kernel.refusals import Refused

DAY_MS = 86_400_000


def goods_of(market: Market, variant: VariantId) -> GoodsId:
    """What a variant is of."""
    return GoodsId(market.world.rows("SELECT goods_id FROM variant WHERE id = ?", variant)[0][0])


def bought(buyer: Buyer, variant: VariantId, quantity: int = 1) -> Placed:
    """So many, paid from the wallet."""
    buyer.want(variant, quantity)
    return buyer.buy()


def over(buyer: Buyer, variant: VariantId, quantity: int = 1) -> OverLimit:
    """What somebody is told who wants more than they may have: by the preview, and by the checkout, which changes nothing."""
    market, actor = buyer.market, buyer.actor
    buyer.want(variant, quantity)
    with pytest.raises(Refused) as previewed:
        market.world.ask(PreviewCheckout(address_id=buyer.address), actor=actor)
    ask = buyer.checkout(total=quantity * 1999 + SHIPPING)
    before = [rows for rows in market.everything() if rows]
    with pytest.raises(Refused) as refused:
        market.world.send(ask, actor=actor)
    assert [rows for rows in market.everything() if rows] == before
    assert previewed.value.code == refused.value.code == "buyer_limit"
    found = convert(refused.value.figures, OverLimit)
    assert previewed.value.figures == found
    market.world.send(RemoveFromCart(variant_id=variant), actor=actor)
    return found


def test_an_order_takes_no_more_pieces_than_one_may(market: Market) -> None:
    """All variants of the goods together; the next order may take as many again."""
    colours = GoodsOption(name="颜色", values=(OptionValue(name="红"), OptionValue(name="蓝")))
    variants = tuple(VariantForm(sku=f"C{n}", choice=(n,), price=yuan(1999)) for n in range(2))
    limit = BuyerLimit(per_order=3)
    form = GoodsForm(title="杯", category_id=market.tea, options=(colours,), variants=variants, limit=limit)
    made = market.world.send(CreateGoods(shop_id=market.shop.id, form=form, publish=True))
    red, blue = made.variant_ids
    for id in (red, blue):
        market.stock(id, 100)
    buyer = market.buyer(100_000)
    buyer.want(red, 2)
    assert over(buyer, blue, 2) == OverLimit(goods_id=made.id, left=3, again_at=0)
    buyer.want(blue, 1)
    buyer.buy()
    bought(buyer, red, 3)
    assert market.world.rows("SELECT * FROM limited_purchase") == []
    shown = page_of(market.world.ask(GoodsPage(goods_id=made.id)).goods)
    assert shown.limit == limit


def test_within_the_days_nobody_takes_more_than_one_may(market: Market) -> None:
    """Over many orders; a moment before the first leaves the window still not, then so many again; another buyer has their own."""
    tea = market.offer(limit=BuyerLimit(pieces=3, days=7))
    goods, buyer, other = goods_of(market, tea), market.buyer(100_000), market.buyer(100_000)
    start = market.world.clock.wall_ms()
    bought(buyer, tea)
    market.world.pass_time(DAY_MS)
    bought(buyer, tea, 2)
    assert over(buyer, tea) == OverLimit(goods_id=goods, left=0, again_at=start + 7 * DAY_MS)
    bought(other, tea, 3)
    market.world.clock.advance_to(start + 7 * DAY_MS - 1)
    assert over(buyer, tea) == OverLimit(goods_id=goods, left=0, again_at=start + 7 * DAY_MS)
    market.world.clock.advance_to(start + 7 * DAY_MS)
    assert over(buyer, tea, 2) == OverLimit(goods_id=goods, left=1, again_at=start + 8 * DAY_MS)
    bought(buyer, tea)
    assert over(buyer, tea).again_at == start + 8 * DAY_MS
    assert market.world.rows("SELECT count(*) FROM limited_purchase") == [(2,)]
    market.assert_balanced()


def test_both_limits_hold_at_once(market: Market) -> None:
    """The nearer one is told."""
    tea = market.offer(limit=BuyerLimit(per_order=2, pieces=3, days=30))
    buyer = market.buyer(100_000)
    assert over(buyer, tea, 3).left == 2
    bought(buyer, tea, 2)
    start = market.world.clock.wall_ms()
    assert over(buyer, tea, 2) == OverLimit(goods_id=goods_of(market, tea), left=1, again_at=start + 30 * DAY_MS)
    bought(buyer, tea)


def test_an_order_that_comes_to_nothing_does_not_count(market: Market) -> None:
    """Called off unpaid, lapsed, called off when it was paid, given back whole; given back in part, shipped or received it does."""
    tea = market.offer(limit=BuyerLimit(pieces=1, days=30))
    buyer = market.buyer(100_000)
    buyer.want(tea)
    waiting = buyer.buy(channel(1999 + SHIPPING)).orders[0].id
    assert over(buyer, tea).left == 0
    market.world.send(CancelOrder(order_id=waiting), actor=buyer.actor)
    buyer.want(tea)
    buyer.buy(channel(1999 + SHIPPING))
    market.world.pass_time(15 * 60_000)
    paid = bought(buyer, tea).orders[0].id
    market.world.send(CancelOrder(order_id=paid), actor=buyer.actor)
    refunded = bought(buyer, tea).orders[0].id
    whole = RefundOrder(shop_id=market.shop.id, order_id=refunded, amount=yuan(1999 + SHIPPING))
    market.world.send(whole, actor=market.staff())
    kept = bought(buyer, tea).orders[0].id
    part = RefundOrder(shop_id=market.shop.id, order_id=kept, amount=yuan(1))
    market.world.send(part, actor=market.staff())
    market.ship(kept)
    market.world.send(ConfirmReceipt(order_id=kept), actor=buyer.actor)
    assert over(buyer, tea).left == 0
    (row,) = market.world.rows("SELECT buyer, goods_id, purchases FROM limited_purchase")
    assert [one.order_id for one in LIMITED.value(row).purchases] == [kept]


def test_what_never_left_does_not_count(market: Market) -> None:
    """Of two one has left and the other was called off: one more may be bought, and no second; then the limit is reached again."""
    buyer, variant = market.buyer(50_000), market.offer(limit=BuyerLimit(pieces=2, days=30))
    order = bought(buyer, variant, 2).orders[0].id
    lines = (PieceLine(variant_id=variant, quantity=1),)
    ship = ShipParcel(shop_id=market.shop.id, order_id=order, carrier="SF Express", tracking="SF1", lines=lines)
    market.world.send(ship, actor=market.staff("packer"))
    assert over(buyer, variant).left == 0
    market.world.send(DeclineOrder(shop_id=market.shop.id, order_id=order), actor=market.staff("service"))
    assert over(buyer, variant, 2).left == 1
    bought(buyer, variant)
    assert over(buyer, variant).left == 0


def test_of_many_who_race_each_takes_as_many_as_they_may(market: Market) -> None:
    """In one batch, forty checkouts of twenty buyers with two devices each: twenty are let through, and stock agrees."""
    tea, cup = market.offer(limit=BuyerLimit(pieces=2, days=30)), market.offer()
    buyers = [market.buyer(100_000) for _ in range(20)]
    for buyer in buyers:
        buyer.want(tea, 2)
        buyer.want(cup)
    total = 2 * 1999 + SHIPPING
    asks = [(buyer.checkout(total, variant_ids=(tea,)), buyer.actor) for buyer in buyers]
    answers = market.world.send_all(asks, keys=[f"a{n}" for n in range(20)])
    assert sum(isinstance(one, Placed) for one in answers) == 20
    for buyer in buyers:
        buyer.want(tea, 1)
    again = [(buyer.checkout(1999 + SHIPPING, variant_ids=(tea,)), buyer.actor) for buyer in buyers for _ in range(2)]
    refused = market.world.send_all(again, keys=[f"b{n}" for n in range(40)])
    assert [one.code for one in refused if isinstance(one, Refused)] == ["buyer_limit"] * 40
    assert market.shelf(tea) == (100, 40)
    market.assert_balanced()


def test_a_limit_that_is_set_later_counts_from_then_on(market: Market) -> None:
    """What was bought while there was none is not remembered; what was bought under another limit is; without one nothing is refused."""
    tea = market.offer()
    goods, shop = goods_of(market, tea), market.shop.id
    buyer = market.buyer(1_000_000)
    bought(buyer, tea, 5)

    def limit(limit: BuyerLimit | None) -> None:
        found = market.world.ask(GoodsOnDesk(shop_id=shop, goods_id=goods)).goods
        form = convert({**{name: getattr(found.form, name) for name in found.form.__struct_fields__}, "limit": limit}, GoodsForm)
        market.world.send(ChangeGoods(shop_id=shop, goods_id=goods, version=found.version, form=form))

    limit(BuyerLimit(pieces=2))
    bought(buyer, tea, 2)
    limit(BuyerLimit(pieces=3))
    assert over(buyer, tea, 2).left == 1
    limit(BuyerLimit())
    bought(buyer, tea, 9)
    limit(None)
    bought(buyer, tea, 9)
    assert page_of(market.world.ask(GoodsPage(goods_id=goods)).goods).limit is None


@pytest.mark.parametrize(
    "spoiled", [{"per_order": -1}, {"per_order": 1000}, {"pieces": 1.5}, {"days": 0}, {"days": 366}, {"pieces": True}, {"x": 1}]
)
def test_a_limit_is_within_bounds(spoiled: dict[str, object]) -> None:
    """Whole pieces and days."""
    with pytest.raises(ValidationError):
        convert(spoiled, BuyerLimit)


def test_what_a_limit_costs(market: Market) -> None:
    """Goods without one: no row and no statement more. With a number for each order alone: none either. Within days: one row, two reads."""
    spent = []
    for limit in (None, BuyerLimit(per_order=5), BuyerLimit(pieces=5)):
        tea, buyer = market.offer(limit=limit), market.buyer(100_000)
        for _ in range(2):
            buyer.want(tea)
            ask = buyer.checkout()
            before = market.world.cloud.writer.statements
            market.world.send(ask, actor=buyer.actor)
            after = market.world.cloud.writer.statements - before
        spent.append(after)
    assert spent[0] == spent[1]
    assert spent[2] - spent[0] in (1, 2, 3)
    assert market.world.rows("SELECT count(*) FROM limited_purchase") == [(1,)]
