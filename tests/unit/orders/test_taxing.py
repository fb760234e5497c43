"""Tables of taxes: what operators may set, what holds where and when, and that what was bought keeps what it has."""

from typing import Any

import msgspec
import pytest

from unit.orders.market import Buyer, Market
from yunduan.domains.orders.queries import OrderOf, PreviewCheckout
from yunduan.domains.orders.taxes import Rounding, TaxedClass, TaxEntry, TaxRefusal
from yunduan.domains.orders.taxing import SetTaxes, TaxesOf
from yunduan.kernel.ids import OrderId

STANDARD, REDUCED, SENDING = TaxedClass.STANDARD, TaxedClass.REDUCED, TaxedClass.SHIPPING
DAY_MS = 86_400_000


def tax(rate_ppm: int, name: str = "", of: TaxedClass = STANDARD, **more: int) -> TaxEntry:
    """One entry."""
    return TaxEntry(tax_class=of, rate_ppm=rate_ppm, name=name, **more)


def table(*taxes: TaxEntry, **more: Any) -> SetTaxes:
    """The command that sets one, of China unless said otherwise."""
    return SetTaxes(**{"country": "CN", "included": True, "taxes": taxes} | more)


def set_(market: Market, *taxes: TaxEntry, **more: Any) -> None:
    """Set one."""
    market.world.send(table(*taxes, **more), actor=market.operator("finance"))


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money and a cart."""
    buyer = market.buyer(1_000_000)
    buyer.want(market.offer(100))
    return buyer


def shown(market: Market, buyer: Buyer) -> list[tuple[str, int, int]]:
    """The taxes that the cart would have now: name, rate and amount; what is shown adds up to the total."""
    preview = market.world.ask(PreviewCheckout(address_id=buyer.address), actor=buyer.actor)
    (shop,) = preview.shops
    return [(line.name, line.rate_ppm, line.amount.amount) for line in shop.lines if line.__class__.__name__ == "TaxCharge"]


def frozen(market: Market, buyer: Buyer, id: OrderId) -> list[tuple[str, int, int]]:
    """Those of an order."""
    view = market.world.ask(OrderOf(order_id=id), actor=buyer.actor)
    return [(line.name, line.rate_ppm, line.amount.amount) for line in view.lines if line.__class__.__name__ == "TaxCharge"]


def test_what_is_bought_is_taxed_by_the_table_of_its_time_and_keeps_it(market: Market, buyer: Buyer) -> None:
    """The default first, then what an operator has set; an order that there is does not change."""
    assert shown(market, buyer) == [("", 130_000, 230), ("", 130_000, 92)]
    (first,) = buyer.buy().orders
    set_(market, tax(100_000, "VAT"))
    assert frozen(market, buyer, first.id) == [("", 130_000, 230), ("", 130_000, 92)]
    buyer.want(market.offer(100))
    assert shown(market, buyer) == [("VAT", 100_000, 182), ("VAT", 100_000, 73)]
    (second,) = buyer.buy().orders
    set_(market)
    assert frozen(market, buyer, second.id) == [("VAT", 100_000, 182), ("VAT", 100_000, 73)]
    buyer.want(market.offer(100))
    assert shown(market, buyer) == []


def test_added_taxes_make_the_total_larger_and_a_stale_total_is_refused(market: Market, buyer: Buyer) -> None:
    """Whoever was shown less does not pay more unasked."""
    before = buyer.total()
    stale = buyer.checkout()
    set_(market, tax(50_000, "GST"), tax(70_000, "PST"), included=False)
    market.assert_refused("total_changed", stale, buyer.actor)
    assert buyer.total() == before + 100 + 140 + 40 + 56
    (placed,) = buyer.buy().orders
    assert frozen(market, buyer, placed.id) == [("GST", 50_000, 100), ("PST", 70_000, 140), ("GST", 50_000, 40), ("PST", 70_000, 56)]
    assert placed.total.amount == before + 336
    market.assert_balanced()


def test_a_region_adds_its_own_and_takes_the_place_of_what_is_called_the_same(market: Market, buyer: Buyer) -> None:
    """However the region is spelt; elsewhere in the country nothing changes; a rate of nothing takes a tax away."""
    set_(market, tax(50_000, "GST"), tax(10_000, "GST", SENDING), included=False)
    set_(market, tax(80_000, "PST"), region="Zhejiang", included=False)
    assert shown(market, buyer) == [("GST", 50_000, 100), ("PST", 80_000, 160), ("GST", 10_000, 8)]
    set_(market, tax(130_000, "GST"), region="浙江省", included=False)
    assert shown(market, buyer) == [("GST", 130_000, 260), ("GST", 10_000, 8)]
    set_(market, tax(0, "GST"), tax(0, "GST", SENDING), region="浙江", included=False)
    assert shown(market, buyer) == []
    buyer.move_to("广东")
    assert shown(market, buyer) == [("GST", 50_000, 100), ("GST", 10_000, 8)]
    answer = market.world.ask(TaxesOf(country="CN"))
    assert (answer.is_default, [one.region for one in answer.tables]) == (False, ["", "浙江省"])


def test_a_tax_holds_from_its_first_moment_until_its_last(market: Market, buyer: Buyer) -> None:
    """Set beforehand, it comes by itself, and nobody has to be awake."""
    now = market.world.clock.wall_ms()
    set_(market, tax(100_000, valid_until=now + DAY_MS), tax(200_000, valid_from=now + DAY_MS))
    assert [rate for _, rate, _ in shown(market, buyer)] == [100_000, 100_000]
    market.world.pass_time(DAY_MS - 1)
    assert [rate for _, rate, _ in shown(market, buyer)] == [100_000, 100_000]
    market.world.pass_time(1)
    assert [rate for _, rate, _ in shown(market, buyer)] == [200_000, 200_000]
    (placed,) = buyer.buy().orders
    assert [rate for _, rate, _ in frozen(market, buyer, placed.id)] == [200_000, 200_000]


@pytest.mark.parametrize(("rounding", "amounts"), [(Rounding.HALF_UP, [182, 73]), (Rounding.DOWN, [181, 72]), (Rounding.UP, [182, 73])])
def test_a_table_says_how_it_is_rounded(market: Market, buyer: Buyer, rounding: Rounding, amounts: list[int]) -> None:
    """181.73 of 19.99, and 72.73 of 8.00."""
    set_(market, tax(100_000), rounding=rounding)
    assert [amount for _, _, amount in shown(market, buyer)] == amounts


def test_a_checkout_makes_no_statement_for_its_taxes(market: Market, buyer: Buyer) -> None:
    """Tables are remembered until one of them changes: it costs what it does where nobody has set any."""

    def cost() -> int:
        buyer.want(market.offer(100))
        ask, writer = buyer.checkout(), market.world.cloud.writer
        before = writer.statements
        market.world.send(ask, actor=buyer.actor)
        return writer.statements - before

    buyer.buy()
    without = cost()
    set_(market, tax(50_000, "GST"), included=False)
    set_(market, tax(80_000, "PST"), region="浙江", included=False)
    assert [cost(), cost()] == [without, without]


REFUSED = {
    "two of one name at once": ({"taxes": (tax(1, "A"), tax(2, "A"))}, TaxRefusal.OVERLAPS),
    "two of one name that meet": ({"taxes": (tax(1, valid_until=10), tax(2, valid_from=9))}, TaxRefusal.OVERLAPS),
    "one that ends before it begins": ({"taxes": (tax(1, valid_from=10, valid_until=10),)}, TaxRefusal.OVERLAPS),
    "more than half of the price": ({"taxes": (tax(300_000, "A"), tax(200_001, "B"))}, TaxRefusal.TOO_HIGH),
    "later more than half of it": ({"taxes": (tax(300_000, "A"), tax(200_001, "B", valid_from=99))}, TaxRefusal.TOO_HIGH),
    "a region that there is not": ({"taxes": (), "region": "Atlantis"}, TaxRefusal.REGION_UNKNOWN),
    "a region that adds what its country contains": ({"taxes": (), "region": "浙江", "included": False}, TaxRefusal.MIXED),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_says_no_one_thing_is_refused(market: Market, what: str) -> None:
    """And nothing has changed then."""
    more, code = REFUSED[what]
    set_(market, tax(100_000))
    market.assert_refused(code, table(**more), market.operator("finance"))


def test_a_region_of_the_default_does_as_the_default_does(market: Market) -> None:
    """Canada adds its taxes, so its provinces do; a country cannot turn while a region of it stays."""
    market.assert_refused(TaxRefusal.MIXED, table(country="CA", region="ON"), market.operator())
    set_(market, tax(80_000, "PST"), country="CA", region="Ontario", included=False)
    market.assert_refused(TaxRefusal.MIXED, table(country="CA"), market.operator())
    answer = market.world.ask(TaxesOf(country="CA"))
    assert (answer.is_default, [(one.region, one.included) for one in answer.tables]) == (True, [("", False), ("ON", False)])


@pytest.mark.parametrize(
    "wrong",
    [
        {"country": "cn"},
        {"country": "C"},
        {"taxes": [{"tax_class": "exempt", "rate_ppm": 1}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": -1}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": 500_001}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": 0.1}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": True}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": 1, "valid_from": -1}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": 1, "name": "x" * 21}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": 1, "name": "a\u202eb"}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": 1, "more": 1}]},
        {"taxes": [{"tax_class": "standard", "rate_ppm": 1}] * 65},
        {"rounding": "sideways"},
        {"included": "yes"},
        {"region": "a\u202eb"},
        {"region": "x" * 61},
    ],
)
def test_hostile_values_are_no_table(wrong: dict[str, Any]) -> None:
    """Refused before anything is asked."""
    body = {"country": "CN", "included": True, "taxes": []} | wrong
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, SetTaxes)
