"""A small marketplace in the form of Olist's tables, and where a store stands after an import: everything that is not an id."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import apsw
import msgspec
import pyarrow as pa
from pyarrow import parquet

from yunduan.backends.vault import FileVault
from yunduan.domains.orders.store import ORDER, terms

Rows = list[dict[str, Any]]


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


def write_tables(folder: Path, *, times: int = 1) -> Path:
    """Write the small marketplace so many times over, each an hour after the one before, with orders and buyers of its own."""
    folder.mkdir(parents=True)
    copies = [_copy(number) for number in range(times)]
    rows: dict[str, Rows] = {name: [row for copy in copies for row in copy[name]] for name in copies[0]}
    rows |= {
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
    }
    for name, content in rows.items():
        parquet.write_table(pa.Table.from_pylist(content), folder / f"{name}.parquet")
    return folder


def _copy(number: int) -> dict[str, Rows]:
    customers = [
        {"customer_id": f"customer of {row['order_id']}", "customer_unique_id": "ana" if place % 2 else "rui",
         "customer_zip_code_prefix": "20231", "customer_city": "rio de janeiro", "customer_state": "RJ"}
        for place, row in enumerate(ORDERS)
    ]  # fmt: skip
    whole = {"orders": ORDERS, "order_items": ITEMS, "order_payments": PAYMENTS, "order_reviews": REVIEWS, "customers": customers}
    return {
        name: [{column: _moved(column, value, number) for column, value in row.items()} for row in rows] for name, rows in whole.items()
    }


def _moved(column: str, value: Any, number: int) -> Any:
    """The same a number of hours later, of another order and another buyer."""
    if not number or value is None:
        return value
    if column in {"order_id", "customer_id", "customer_unique_id", "review_id"}:
        return f"{value} {number}"
    if isinstance(value, str) and value.startswith("2017-"):
        return str(datetime.fromisoformat(value) + timedelta(hours=number))
    return value


class Look:
    """Reads the files of a store that nobody writes to."""

    def __init__(self, data: Path) -> None:
        """Open the store, its keys and the sandbox's books."""
        self.vault = FileVault(data / "keys.sqlite")
        self._store = apsw.Connection(str(data / "yunduan.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
        self._sandbox = apsw.Connection(str(data / "sandbox.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()
        self._sandbox.close()
        self.vault.close()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the store."""
        return self._store.execute(sql).fetchall()

    def sandbox(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the sandbox's own books."""
        return self._sandbox.execute(sql).fetchall()

    def made(self, kind: str) -> dict[str, Any]:
        """What was made for each name of a kind."""
        return {
            name: msgspec.json.decode(made) for name, made in self._store.execute("SELECT name, made FROM imported WHERE kind = ?", (kind,))
        }

    def names_of_orders(self) -> dict[str, str]:
        """Of each order, the checkout's name and the seller's."""
        sellers = {made["id"]: name for name, made in self.made("shop").items()}
        return {
            order["id"]: f"{name}/{sellers[order['shop_id']]}" for name, made in self.made("checkout").items() for order in made["orders"]
        }

    def names_of_goods(self) -> dict[str, str]:
        """Of each variant and of its goods, the product's name and the seller's."""
        made = self.made("good")
        return {good["variant_ids"][0]: name for name, good in made.items()} | {good["id"]: name for name, good in made.items()}


def ending(data: Path) -> dict[str, Any]:
    """Where a marketplace stands: what there is, under the names of its source, when it happened, and where the money is."""
    with Look(data) as look:
        return dict(_ending(look))


def _ending(look: Look) -> Iterator[tuple[str, Any]]:
    orders, goods = look.names_of_orders(), look.names_of_goods()
    yield "import", look.rows("SELECT source, status, done, total FROM import")
    yield "imported", look.rows("SELECT kind, name FROM imported ORDER BY kind, name")
    columns = ", ".join(ORDER.columns)
    found = [ORDER.value(row) for row in look.rows(f"SELECT {columns} FROM orders")]
    yield (
        "orders",
        sorted(
            (
                orders[order.id],
                order.state,
                order.total,
                order.placed_at,
                msgspec.structs.replace(
                    order.progress, parcels=tuple(msgspec.structs.replace(parcel, tracking=b"") for parcel in order.progress.parcels)
                ),
                [look.vault.unseal(order.buyer, parcel.tracking) for parcel in order.progress.parcels],
            )
            for order in found
        ),
    )
    yield (
        "lines",
        sorted(
            (orders[order.id], goods[item.variant_id], item.quantity, item.price, terms(order).shipping)
            for order in found
            for item in terms(order).items
        ),
    )
    for table in ("person", "address", "shop", "goods", "variant", "category", "block", "parked", "payment_alert"):
        yield table, look.rows(f"SELECT count(*) FROM {table}")
    yield "stock", sorted((goods[id], *rest) for id, *rest in look.rows("SELECT variant_id, on_hand, held FROM stock"))
    yield (
        "standing",
        sorted((goods[id], *rest) for id, *rest in look.rows("SELECT goods_id, sold, reviews, stars, due FROM goods_standing")),
    )
    reviews = look.rows("SELECT order_id, variant_id, stars, at, author, sealed FROM review")
    yield (
        "reviews",
        sorted(
            (orders[order], goods[variant], stars, at, sealed and look.vault.unseal(author, sealed))
            for order, variant, stars, at, author, sealed in reviews
        ),
    )
    shown = "StandingsShown"  # when lists show what was sold follows from when facts were heard, which a cut moves
    yield "facts", Counter(look.rows(f"SELECT kind, at, effective_at FROM fact WHERE kind <> '{shown}'"))
    yield "unheard", look.rows("SELECT follower, (SELECT fact_seq FROM head) - seq FROM cursor ORDER BY follower")
    yield "alarms", look.rows("SELECT kind, due FROM alarm ORDER BY due, kind")
    yield "transfers", Counter(look.rows("SELECT code, kind, amount, at FROM transfer"))
    yield (
        "balances",
        look.rows(
            "SELECT code, flags, credits_posted - debits_posted, credits_pending - debits_pending, count(*)"
            " FROM account JOIN counter ON counter.number = account.number GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
        ),
    )
    for table in ("payment", "escrow", "payment_refund", "channel_errand"):
        yield table, look.rows(f"SELECT state, count(*) FROM {table} GROUP BY state ORDER BY state")
    yield "charges", look.sandbox("SELECT amount, state, due, at FROM charge ORDER BY at, due, amount, state")
    yield "returned", look.sandbox("SELECT amount, state, verdict, decided_at FROM refund ORDER BY decided_at, amount")
    yield "undelivered", look.sandbox("SELECT count(*) FROM delivery")
