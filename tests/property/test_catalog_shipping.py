"""Laws of what shipping costs: exact, never less for more, free from an amount on, and decided by the nearest place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunduan.domains.catalog.model import Measure, Place, Rate, ShippingTemplate, Zone, shipping_cost
from yunduan.kernel.ids import ShippingTemplateId, ShopId
from yunduan.kernel.refusals import Refused

units = st.integers(0, 10**6)
steps = st.integers(1, 10**4)
fees = st.integers(0, 10**8)
rates = st.builds(
    Rate, first_units=steps, first_fee=fees, further_units=steps, further_fee=fees, free_from=st.none() | st.integers(0, 10**6)
)
places = st.builds(Place, country=st.sampled_from(["CN", "BR"]), region=st.sampled_from(["", "a", "b"]))


def cost(rate: Rate, measure: Measure, *, pieces: int, grams: int, goods: int) -> int:
    """In minor units, to a place that the rate is for."""
    template = a_template((), rate, measure)
    return shipping_cost(template, country="CN", region="a", pieces=pieces, weight_g=grams, goods=goods)


def a_template(zones: tuple[Zone, ...], elsewhere: Rate | None, measure: Measure = Measure.PIECE) -> ShippingTemplate:
    """A template with these zones."""
    return ShippingTemplate(
        id=ShippingTemplateId("tpl_1"), shop_id=ShopId("shp_1"), name="t", measure=measure, currency="CNY", zones=zones, elsewhere=elsewhere
    )


@given(rate=rates, measure=st.sampled_from(Measure), pieces=units, grams=units, more=units, goods=units)
def test_more_never_costs_less(rate: Rate, measure: Measure, pieces: int, grams: int, more: int, goods: int) -> None:
    """More pieces and more weight cost the same or more, as long as the goods cost the same."""
    one = cost(rate, measure, pieces=pieces, grams=grams, goods=goods)
    assert one <= cost(rate, measure, pieces=pieces + more, grams=grams + more, goods=goods)


@given(rate=rates, pieces=units, goods=units)
def test_the_cost_is_what_counting_step_by_step_gives(rate: Rate, pieces: int, goods: int) -> None:
    """The first fee, then one further fee for each further step that has begun."""
    expected, covered = rate.first_fee, rate.first_units
    if (pieces - covered) // rate.further_units < 10**4:
        while covered < pieces:
            covered += rate.further_units
            expected += rate.further_fee
        if rate.free_from is not None and goods >= rate.free_from:
            expected = 0
        assert cost(rate, Measure.PIECE, pieces=pieces, grams=0, goods=goods) == expected


@given(rate=rates, pieces=units, goods=units)
def test_from_its_amount_on_shipping_is_free(rate: Rate, pieces: int, goods: int) -> None:
    """And below it, it never is, where there is a first fee."""
    free = rate.free_from is not None and goods >= rate.free_from
    paid = cost(rate, Measure.PIECE, pieces=pieces, grams=0, goods=goods)
    assert paid == 0 if free else paid >= rate.first_fee


@given(
    zones=st.lists(st.tuples(places, st.none() | rates), unique_by=lambda one: (one[0].country, one[0].region), max_size=6),
    elsewhere=st.none() | rates,
    country=st.sampled_from(["CN", "BR", "US"]),
    region=st.sampled_from(["", "a", "b", "c"]),
)
def test_the_nearest_place_decides(zones: list[tuple[Place, Rate | None]], elsewhere: Rate | None, country: str, region: str) -> None:
    """A region's own zone, else its country's, else everywhere else; whatever the order of the zones. Without a rate it is refused."""
    rate = elsewhere
    by_place = {(place.country, place.region): found for place, found in zones}
    for place in ((country, ""), (country, region)):
        rate = by_place.get(place, rate)
    template = a_template(tuple(Zone(places=(place,), rate=found) for place, found in zones), elsewhere)
    asked = {"country": country, "region": region, "pieces": 1, "weight_g": 0, "goods": 0}
    if rate is None:
        with pytest.raises(Refused, match="region_not_served"):
            shipping_cost(template, **asked)
    else:
        assert shipping_cost(template, **asked) == (0 if rate.free_from == 0 else rate.first_fee)
