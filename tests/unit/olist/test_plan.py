"""What the plan makes of the real tables: the counts that everybody can check."""

from collections import Counter
from pathlib import Path

import pytest

from yunduan.edges.olist.plan import Kind, Plan, instant, plan
from yunduan.edges.olist.tables import TablesRefusedError, cents, read

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "olist"


@pytest.fixture(scope="module")
def olist() -> Plan:
    """The plan of the real tables."""
    if not FOLDER.is_dir():
        pytest.skip(f"the Olist tables are not beside this checkout ({FOLDER.name})")
    return plan(read(FOLDER))


def test_every_order_is_placed_or_reported(olist: Plan) -> None:
    """10,766 orders: 89 without lines and one without payment are not placed."""
    counts = olist.counts
    assert (counts.orders, counts.placed.total(), counts.orders_by_shop) == (10_766, 10_676, 10_803)
    assert counts.without_lines == {"unavailable": 61, "canceled": 27, "invoiced": 1}
    assert counts.without_payment == {"delivered": 1}
    assert counts.placed == {"delivered": 10_452, "shipped": 118, "canceled": 52, "invoiced": 31, "processing": 21, "unavailable": 2}
    assert (counts.lines, counts.lines_with_freight) == (12_246, 12_206)
    assert (counts.split_over_sellers.total(), counts.products_of_several_sellers, len(olist.goods)) == (121, 147, 7_231)
    assert (counts.several_payments, counts.several_tenders) == (331, 329)
    assert (counts.paid_over, counts.paid_under) == (40, 23)
    assert (counts.reviews, counts.reviews_early) == (2_993, 324)


def test_every_review_is_published_or_reported(olist: Plan) -> None:
    """The first of each order that was received, never before the receipt, even where that was moved behind the shipment."""
    counts = olist.counts
    left_out = (counts.reviews_unreceived, counts.reviews_unplaced, counts.reviews_second)
    assert (counts.reviews_published, *left_out) == (2_890, 67, 23, 13)
    assert counts.reviews_published + sum(left_out) == counts.reviews
    received = {step.purchase: step.at for step in olist.steps if step.kind is Kind.RECEIVE}
    reviews = {step.purchase: step.at for step in olist.steps if step.kind is Kind.REVIEW}
    assert len(reviews) == 2_890
    assert all(at >= received[purchase] for purchase, at in reviews.items())
    assert sum(reviews[step.purchase] == step.at for step in olist.steps if step.kind is Kind.RECEIVE and step.purchase in reviews) == 233


def test_every_life_has_its_steps_in_order(olist: Plan) -> None:
    """Placed, then paid, then shipped, then received or cancelled: no step before the one that it follows."""
    last: dict[int, tuple[int, int]] = {}
    for step in olist.steps:
        if step.kind is not Kind.REVIEW:
            assert (step.at, step.kind) > last.get(step.purchase, (0, 0))
            last[step.purchase] = (step.at, step.kind)
    kinds = Counter(step.kind for step in olist.steps)
    status = Counter(purchase.status for purchase in olist.purchases)
    assert kinds[Kind.PLACE] == kinds[Kind.CAPTURE] == 10_676
    assert kinds[Kind.RECEIVE] == status["delivered"] == 10_452
    assert kinds[Kind.CANCEL] == status["canceled"] + status["unavailable"] == 54
    assert (status["shipped"], status["invoiced"], status["processing"]) == (118, 31, 21)
    assert kinds[Kind.SHIP] == status["delivered"] + status["shipped"] + 7


def test_stock_is_what_is_sold(olist: Plan) -> None:
    """A good has as many pieces as the data sells of it, those of orders that are not placed included."""
    assert sum(good.pieces for good in olist.goods) == 12_246


def test_prices_are_whole_centavos() -> None:
    """Whatever the float says."""
    assert [cents(price) for price in (0.1 + 0.2, 19.99, 35.9, 0.85, 1.005)] == [30, 1999, 3590, 85, 100]


def test_times_are_brasilias() -> None:
    """Three hours behind UTC."""
    assert instant("1970-01-01 00:00:00") == 3 * 3_600_000


def test_a_folder_without_the_tables_is_refused_by_name(tmp_path: Path) -> None:
    """The error says which file is missing."""
    with pytest.raises(TablesRefusedError, match=r"orders\.parquet is not there"):
        read(tmp_path)
