"""A marketplace from elsewhere, replayed through the real commands: a small one made here, and the real one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

REAL = Path(__file__).parents[3] / "shared" / "data" / "olist"
YUNDUAN = str(Path(sys.executable).parent / "yunduan")


def order(
    id: str, status: str, bought: str, *, approved: str | None = None, carried: str | None = None, arrived: str | None = None
) -> dict[str, Any]:
    """A row of `orders`."""
    return {
        "order_id": id,
        "customer_id": f"customer of {id}",
        "order_status": status,
        "order_purchase_timestamp": bought,
        "order_approved_at": approved,
        "order_delivered_carrier_date": carried,
        "order_delivered_customer_date": arrived,
        "order_estimated_delivery_date": "2017-03-01 00:00:00",
    }


def item(order_id: str, number: int, product: str, seller: str, price: float, freight: float) -> dict[str, Any]:
    """A row of `order_items`."""
    return {
        "order_id": order_id, "order_item_id": number, "product_id": product, "seller_id": seller,
        "shipping_limit_date": "2017-02-01 00:00:00", "price": price, "freight_value": freight,
    }  # fmt: skip


def payment(order_id: str, number: int, kind: str, value: float) -> dict[str, Any]:
    """A row of `order_payments`."""
    return {"order_id": order_id, "payment_sequential": number, "payment_type": kind, "payment_installments": 1, "payment_value": value}


def review(order_id: str, score: int, at: str) -> dict[str, Any]:
    """A row of `order_reviews`."""
    return {
        "review_id": f"review of {order_id}", "order_id": order_id, "review_score": score, "review_comment_title": None,
        "review_comment_message": "ótimo\nproduto", "review_creation_date": at, "review_answer_timestamp": at,
    }  # fmt: skip


ORDERS = [
    order(
        "whole",
        "delivered",
        "2017-01-01 10:00:00",
        approved="2017-01-03 10:00:00",
        carried="2017-01-04 10:00:00",
        arrived="2017-01-08 10:00:00",
    ),
    order(
        "split",
        "delivered",
        "2017-01-02 10:00:00",
        approved="2017-01-02 10:01:00",
        carried="2017-01-02 09:00:00",
        arrived="2017-01-09 10:00:00",
    ),
    order(
        "under",
        "delivered",
        "2017-01-03 10:00:00",
        approved="2017-01-03 10:01:00",
        carried="2017-01-05 09:00:00",
        arrived="2017-01-09 10:00:00",
    ),
    order("over", "shipped", "2017-01-04 10:00:00", approved="2017-01-04 10:01:00", carried="2017-01-05 09:00:00"),
    order("called off", "canceled", "2017-01-05 10:00:00", approved="2017-01-05 10:01:00"),
    order("sent back", "canceled", "2017-01-06 10:00:00", approved="2017-01-06 10:01:00", carried="2017-01-07 09:00:00"),
    order("open", "invoiced", "2017-01-07 10:00:00", approved="2017-01-07 10:01:00"),
    order("nothing in it", "unavailable", "2017-01-08 10:00:00"),
    order("not paid", "delivered", "2017-01-09 10:00:00", approved="2017-01-09 10:01:00"),
]
ITEMS = [
    item("whole", 1, "cup", "tea house", 35.90, 15.20),
    item("whole", 2, "cup", "tea house", 35.90, 15.20),
    item("split", 1, "cup", "tea house", 36.90, 10.00),
    item("split", 2, "cup", "other house", 30.00, 0.00),
    item("under", 1, "pot", "tea house", 100.00, 20.00),
    item("over", 1, "pot", "tea house", 100.00, 20.00),
    item("called off", 1, "pot", "tea house", 100.00, 20.00),
    item("sent back", 1, "pot", "tea house", 100.00, 20.00),
    item("open", 1, "pot", "tea house", 100.00, 20.00),
    item("not paid", 1, "pot", "tea house", 100.00, 20.00),
]
PAYMENTS = [
    payment("whole", 1, "credit_card", 100.00),
    payment("whole", 2, "voucher", 2.20),
    payment("split", 1, "boleto", 76.90),
    payment("under", 1, "credit_card", 119.94),
    payment("over", 1, "credit_card", 121.00),
    payment("called off", 1, "credit_card", 120.00),
    payment("sent back", 1, "credit_card", 70.00),
    payment("sent back", 2, "voucher", 50.00),
    payment("open", 1, "debit_card", 120.00),
    payment("nothing in it", 1, "credit_card", 1.00),
]
REVIEWS = [
    review("whole", 5, "2017-01-10 00:00:00"),
    review("split", 3, "2017-01-05 00:00:00"),
    review("called off", 1, "2017-01-10 00:00:00"),
    review("nothing in it", 1, "2017-01-10 00:00:00"),
]


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with a whole small marketplace."""
    folder = tmp_path / "olist"
    folder.mkdir()
    rows: dict[str, list[dict[str, Any]]] = {
        "orders": ORDERS,
        "order_items": ITEMS,
        "order_payments": PAYMENTS,
        "order_reviews": REVIEWS,
        "customers": [
            {"customer_id": f"customer of {row['order_id']}", "customer_unique_id": "ana" if number % 2 else "rui",
             "customer_zip_code_prefix": "20231", "customer_city": "rio de janeiro", "customer_state": "RJ"}
            for number, row in enumerate(ORDERS)
        ],
        "products": [
            {"product_id": "cup", "product_category_name": "utilidades_domesticas", "product_weight_g": 225.0},
            {"product_id": "pot", "product_category_name": None, "product_weight_g": None},
            {"product_id": "never sold", "product_category_name": "artes", "product_weight_g": 1.0},
        ],
        "sellers": [
            {"seller_id": id, "seller_zip_code_prefix": "13023", "seller_city": "campinas", "seller_state": "SP"}
            for id in ("tea house", "other house")
        ],
        "category_translation": [
            {"product_category_name": "utilidades_domesticas", "product_category_name_english": "housewares"},
        ],
    }  # fmt: skip
    for name, content in rows.items():
        parquet.write_table(pa.Table.from_pylist(content), folder / f"{name}.parquet")
    return folder


def run(*arguments: str, data: Path, ends: int = 0) -> str:
    """One command of the command line; answers all that it says."""
    environment = os.environ | {"YUNDUAN_DATA": str(data), "COLUMNS": "200"}
    done = subprocess.run([YUNDUAN, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == ends, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_small_marketplace_ends_where_it_should(tables: Path, tmp_path: Path) -> None:
    """Every kind of order: received, split, paid under and over, shipped, called off, sent back, open, and two that are not placed."""
    said = run("import", "olist", str(tables), data=tmp_path / "data")
    for line in (
        "9 orders in the tables: 1 without lines and 1 without payment are not placed",
        "7 checkouts made 8 orders; 1 are split over several shops",
        "1 were paid over and 1 under what their lines cost",
        "6 shipped, 4 received and settled, 1 cancelled and 1 refunded after shipment",
        "4 reviews, of which 3 are dated before the parcel came, or lack it: 2 published, 1 of them with the parcel instead of before it",
        "1 of orders never received, 1 of orders not placed and 0 second ones",
        "1 dates lay before the step they follow",
        "paid:      1 orders, 120.00 BRL",
        "shipped:      1 orders, 120.00 BRL",
        "received:      4 orders, 299.10 BRL",
        "cancelled:      1 orders, 120.00 BRL",
        "refunded:      1 orders, 120.00 BRL",
        "our books agree to the last centavo: 540.04 BRL",
        "the books balance",
    ):
        assert line in said, said
    assert "✗" not in said
    assert "the books balance" in run("ledger", "audit", data=tmp_path / "data")


def test_an_import_goes_on_where_it_was_and_begins_in_no_other_cloud(tables: Path, tmp_path: Path) -> None:
    """The same again changes nothing; a cloud with something else in it is refused."""
    data = tmp_path / "data"
    first = run("import", "olist", str(tables), data=data)
    again = run("import", "olist", str(tables), data=data)
    assert [line for line in again.splitlines() if "BRL" in line] == [line for line in first.splitlines() if "BRL" in line]
    other = tmp_path / "other"
    run("person", "register", "+8613800138000", data=other)
    assert "not empty" in run("import", "olist", str(tables), data=other, ends=1)


def test_tables_that_are_not_there_are_named(tmp_path: Path) -> None:
    """One line, and the exit code says that nothing was done."""
    assert "orders.parquet is not there" in run("import", "olist", str(tmp_path), data=tmp_path / "data", ends=1)


@pytest.mark.slow
def test_the_real_marketplace_ends_where_it_should(tmp_path: Path) -> None:
    """10,766 orders of 2016 to 2018 through the real commands: the counts that everybody can check, and books that balance."""
    if not REAL.is_dir():
        pytest.skip("the Olist tables are not beside this checkout")
    said = run("import", "olist", str(REAL), data=tmp_path / "data")
    for line in (
        "10,766 orders in the tables: 89 without lines and 1 without payment are not placed",
        "10,676 checkouts made 10,803 orders; 121 are split over several shops",
        "40 were paid over and 23 under what their lines cost",
        "2,993 reviews, of which 324 are dated before the parcel came, or lack it: 2,890 published",
        "our books agree to the last centavo",
        "the books balance",
    ):
        assert line in said, said
    shutil.rmtree(tmp_path / "data")
