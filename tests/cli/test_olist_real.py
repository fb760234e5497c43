"""The real marketplace of Olist, replayed once: where it ends, against what the tables say, worked out here by another way."""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from support.olist import Look
from yunduan.domains.orders.store import ORDER, terms

REAL = Path(__file__).parents[3] / "shared" / "data" / "olist"
YUNDUAN = str(Path(sys.executable).parent / "yunduan")
UTC_AHEAD_MS = 3 * 3_600_000
"""The tables say when it was in Brasília."""
ENDS_AS = {"delivered": "received", "shipped": "shipped", "invoiced": "paid", "processing": "paid"}

pytestmark = pytest.mark.slow


def centavos(reais: float) -> int:
    """An amount of the tables."""
    amount = Decimal(str(reais)) * 100
    assert amount == int(amount)
    return int(amount)


def moment(local: str) -> int:
    """A time of the tables."""
    return int((datetime.fromisoformat(local) - datetime(1970, 1, 1)).total_seconds()) * 1000 + UTC_AHEAD_MS  # noqa: DTZ001 - local


class Tables:
    """The parquet files, and what they come to: nothing of it is made by the program."""

    def __init__(self, folder: Path) -> None:
        """Read them."""
        read = {name: parquet.read_table(folder / f"{name}.parquet").to_pylist() for name in ("orders", "order_items", "order_payments")}
        self.orders: dict[str, dict[str, Any]] = {row["order_id"]: row for row in read["orders"]}
        self.items: list[dict[str, Any]] = read["order_items"]
        self.reviews: list[dict[str, Any]] = parquet.read_table(folder / "order_reviews.parquet").to_pylist()
        self.lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.paid: dict[str, list[int]] = defaultdict(list)
        for item in self.items:
            self.lines[item["order_id"]].append(item)
        for payment in read["order_payments"]:
            self.paid[payment["order_id"]].append(centavos(payment["payment_value"]))
        self.placed = [id for id in self.orders if id in self.lines and id in self.paid]
        self.cost = {id: sum(centavos(item["price"]) + centavos(item["freight_value"]) for item in self.lines[id]) for id in self.lines}

    def parts(self) -> Iterator[tuple[str, str, str]]:
        """Each order of each seller by its name here, with the order's id and the seller's."""
        for id in self.placed:
            for seller in sorted({item["seller_id"] for item in self.lines[id]}):
                yield f"{id}/{seller}", id, seller

    def of(self, id: str, seller: str) -> list[dict[str, Any]]:
        """What an order has of one seller."""
        return [item for item in self.lines[id] if item["seller_id"] == seller]

    def goods_of(self, id: str, seller: str) -> int:
        """What that costs, without freight."""
        return sum(centavos(item["price"]) for item in self.of(id, seller))

    def freight_of(self, id: str, seller: str) -> int:
        """What sending it costs."""
        return sum(centavos(item["freight_value"]) for item in self.of(id, seller))

    def state(self, id: str) -> str:
        """How an order ends here."""
        row = self.orders[id]
        called_off = "refunded" if row["order_delivered_carrier_date"] else "cancelled"
        return ENDS_AS.get(row["order_status"], called_off)

    def times(self, id: str) -> tuple[int, int, int, int]:
        """When it was placed, paid, shipped and received (0: never), none before the one that it follows."""
        row, times = self.orders[id], []
        columns = ("order_purchase_timestamp", "order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date")
        for column in columns:
            said = row[column] or (row["order_purchase_timestamp"] if column == "order_approved_at" else None)
            times.append(max([moment(said), *times]) if said else 0)
        return times[0], times[1], times[2], times[3]


@pytest.fixture(scope="module")
def tables() -> Tables:
    """What the tables say."""
    if not REAL.is_dir():
        pytest.skip("the Olist tables are not beside this checkout")
    return Tables(REAL)


@pytest.fixture(scope="module")
def data(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store in which they were replayed, with what was said in `said`."""
    folder = tmp_path_factory.mktemp("real")
    environment = os.environ | {"YUNDUAN_DATA": str(folder), "COLUMNS": "200"}
    done = subprocess.run(
        [YUNDUAN, "import", "olist", str(REAL)], env=environment, capture_output=True, text=True, check=False, timeout=1500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "said").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def look(data: Path) -> Iterator[Look]:
    """The store as the replay left it."""
    with Look(data) as look:
        yield look


@pytest.fixture(scope="module")
def orders(look: Look) -> dict[str, Any]:
    """Every order there by its name, with its state."""
    names = look.names_of_orders()
    found = [ORDER.value(row) for row in look.rows(f"SELECT {', '.join(ORDER.columns)} FROM orders")]
    assert len(found) == len(names) == len(set(names.values()))
    return {names[order.id]: order for order in found}


def test_the_tables_are_those_of_which_everybody_speaks(tables: Tables) -> None:
    """The counts of the issue, from the tables alone."""
    status = Counter(row["order_status"] for row in tables.orders.values())
    assert status == {"delivered": 10_453, "shipped": 118, "canceled": 79, "unavailable": 63, "invoiced": 32, "processing": 21}
    without_lines = [id for id in tables.orders if id not in tables.lines]
    without_payment = [id for id in tables.orders if id not in tables.paid]
    assert (len(tables.orders), len(without_lines), len(without_payment), len(tables.placed)) == (10_766, 89, 1, 10_676)
    assert status["shipped"] + status["invoiced"] + status["processing"] == 171
    differences = [sum(tables.paid[id]) - tables.cost[id] for id in tables.placed]
    over, under = [d for d in differences if d > 0], [-d for d in differences if d < 0]
    assert (len(over), max(over), sum(over)) == (40, 2_697, 22_413)
    assert (len(under), max(under), sum(under)) == (23, 1_495, 3_947)
    assert (len(tables.items), sum(item["freight_value"] > 0 for item in tables.items)) == (12_246, 12_206)


def test_every_order_ends_where_it_should(tables: Tables, orders: dict[str, Any]) -> None:
    """By name: its state, its total, its freight, and each step at its own date."""
    stands = {
        name: (order.state.value, order.total, terms(order).shipping, order.placed_at, order.progress.paid_at, order.progress.shipped_at,
               order.progress.received_at)
        for name, order in orders.items()
    }  # fmt: skip
    assert stands == {
        name: (
            tables.state(id),
            tables.goods_of(id, seller) + tables.freight_of(id, seller),
            tables.freight_of(id, seller),
            *tables.times(id),
        )
        for name, id, seller in tables.parts()
    }
    assert Counter(order.state.value for order in orders.values()) == {
        "received": 10_579,
        "shipped": 118,
        "paid": 52,
        "cancelled": 47,
        "refunded": 7,
    }


def test_open_orders_are_those_that_olist_left_open(tables: Tables, orders: dict[str, Any]) -> None:
    """Of 171, one that was invoiced has no lines: 118 are shipped, and 31 invoiced and 21 in processing are paid."""
    is_open = {name.partition("/")[0]: order.state.value for name, order in orders.items() if order.state.value in {"paid", "shipped"}}
    assert Counter((tables.orders[id]["order_status"], state) for id, state in is_open.items()) == {
        ("shipped", "shipped"): 118,
        ("invoiced", "paid"): 31,
        ("processing", "paid"): 21,
    }


def test_what_was_called_off_is_refunded_where_it_was_paid(tables: Tables, orders: dict[str, Any], look: Look) -> None:
    """Of 79 cancelled orders 52 could be placed, of 63 unavailable ones 2: the others have nothing in them. All 54 are refunded in full."""
    called_off = {name: order for name, order in orders.items() if order.state.value in {"cancelled", "refunded"}}
    assert Counter(tables.orders[name.partition("/")[0]]["order_status"] for name in called_off) == {"canceled": 52, "unavailable": 2}
    nothing_in_it = Counter(row["order_status"] for id, row in tables.orders.items() if id not in tables.lines)
    assert nothing_in_it == {"canceled": 79 - 52, "unavailable": 63 - 2, "invoiced": 1}
    assert all(order.progress.refunded == order.total for order in called_off.values())
    assert all(order.progress.refunded == 0 for name, order in orders.items() if name not in called_off)
    assert look.rows("SELECT state, count(*) FROM payment_refund GROUP BY state") == [("done", 54)]
    refunded = sum(tables.cost[name.partition("/")[0]] for name in called_off)
    assert refunded == 953_193
    assert look.sandbox("SELECT state, sum(amount) FROM refund GROUP BY state") == [("refunded", refunded)]


def test_several_tenders_and_several_sellers(tables: Tables, orders: dict[str, Any], look: Look) -> None:
    """331 orders have several payments: 2 of them are unavailable and have no lines; 121 are split over two or three sellers."""
    several = {id for id, payments in tables.paid.items() if id in tables.orders and len(payments) > 1}
    not_placed = several - set(tables.placed)
    assert (len(several), len(not_placed)) == (331, 2)
    assert {tables.orders[id]["order_status"] for id in not_placed} == {"unavailable"}
    assert not_placed.isdisjoint(tables.lines)
    checkouts = {made["id"]: name for name, made in look.made("checkout").items()}
    paid_by: dict[str, list[int]] = {}
    for (body,) in look.rows("SELECT body FROM payment"):
        payment = msgspec.json.decode(body)
        paid_by[checkouts[payment["checkout_id"]]] = sorted(charge["amount"]["amount"] for charge in payment["charges"])
    assert {id for id, charges in paid_by.items() if len(charges) > 1 and id in several} == several - not_placed
    assert {id: sum(charges) for id, charges in paid_by.items()} == {id: sum(tables.paid[id]) for id in tables.placed}
    sellers = Counter(name.partition("/")[0] for name in orders)
    assert Counter(sellers.values()) == {1: 10_676 - 121, 2: 115, 3: 6}


def test_each_product_of_each_seller_is_a_good_with_what_is_left_of_its_stock(tables: Tables, look: Look) -> None:
    """147 products have several sellers. What was shipped is gone, what is paid is held, the rest is there."""
    sold = Counter(f"{item['product_id']}/{item['seller_id']}" for item in tables.items)
    sellers = Counter(name.partition("/")[0] for name in sold)
    assert (len(sold), sum(number > 1 for number in sellers.values())) == (7_231, 147)
    gone: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for id in tables.placed:
        for item in tables.lines[id]:
            good = f"{item['product_id']}/{item['seller_id']}"
            gone[good] += tables.state(id) in {"shipped", "received", "refunded"}
            held[good] += tables.state(id) == "paid"
    names = look.names_of_goods()
    stock = {names[id]: (on_hand, held) for id, on_hand, held in look.rows("SELECT variant_id, on_hand, held FROM stock")}
    assert stock == {good: (pieces - gone[good], held[good]) for good, pieces in sold.items()}


def test_every_line_is_in_an_order(tables: Tables, orders: dict[str, Any], look: Look) -> None:
    """12,246, but for those of the one order without payment; each piece at its own price."""
    goods = look.names_of_goods()
    pieces = Counter(
        {
            (name, goods[item.variant_id], item.price): item.quantity
            for name, order in orders.items()
            for item in terms(order).items
        }
    )  # fmt: skip
    assert pieces == Counter(
        (f"{item['order_id']}/{item['seller_id']}", f"{item['product_id']}/{item['seller_id']}", centavos(item["price"]))
        for item in tables.items
        if item["order_id"] in tables.paid
    )
    assert pieces.total() == 12_246 - sum(len(lines) for id, lines in tables.lines.items() if id not in tables.paid)


def test_the_first_review_of_each_order_that_was_received_is_published(tables: Tables, look: Look) -> None:
    """Of 2,993, 324 are dated before their parcel or lack it: the 90 that lack one are left out, the others wait for it."""
    early = [review for review in tables.reviews if review["review_creation_date"] < (arrival(tables, review) or "9")]
    assert (len(tables.reviews), len(early), sum(arrival(tables, review) is None for review in early)) == (2_993, 324, 90)
    received = {id for id in tables.placed if tables.state(id) == "received"}
    first: dict[str, dict[str, Any]] = {}
    for review in sorted(tables.reviews, key=lambda review: review["review_creation_date"]):
        if review["order_id"] in received:
            first.setdefault(review["order_id"], review)
    published = {
        (f"{id}/{item['seller_id']}", f"{item['product_id']}/{item['seller_id']}", review["review_score"],
         max(moment(review["review_creation_date"]), tables.times(id)[3]))
        for id, review in first.items()
        for item in tables.lines[id]
    }  # fmt: skip
    orders, goods = look.names_of_orders(), look.names_of_goods()
    rows = look.rows("SELECT order_id, variant_id, stars, at FROM review")
    assert {(orders[order], goods[variant], stars, at) for order, variant, stars, at in rows} == published
    assert len(rows) == len(published)
    left_out = Counter(
        "not placed" if id not in tables.placed else "not received" if id not in received else "second"
        for review in tables.reviews
        if first.get(id := review["order_id"]) is not review
    )
    assert (len(first), left_out) == (2_890, {"not placed": 23, "not received": 67, "second": 13})
    waited = [id for id, review in first.items() if moment(review["review_creation_date"]) < tables.times(id)[3]]
    assert len(waited) == 233


def arrival(tables: Tables, review: dict[str, Any]) -> str | None:
    """When the parcel of a review's order came."""
    found: str | None = tables.orders[review["order_id"]]["order_delivered_customer_date"]
    return found


def test_every_centavo_is_where_it_belongs(tables: Tables, look: Look) -> None:
    """Each shop has what was received of it less a tenth of the goods, half up; escrow has the open orders; the rest differs."""
    earned: Counter[str] = Counter()
    commission = escrow = 0
    for _, id, seller in tables.parts():
        goods, freight = tables.goods_of(id, seller), tables.freight_of(id, seller)
        if tables.state(id) == "received":
            fee = int((Decimal(goods) / 10).quantize(Decimal(1), rounding=ROUND_HALF_UP))
            earned[seller] += goods + freight - fee
            commission += fee
        elif tables.state(id) in {"paid", "shipped"}:
            escrow += goods + freight
    shops = {made["id"]: seller for seller, made in look.made("shop").items()}
    balance = "credits_posted - debits_posted FROM account JOIN counter ON counter.number = account.number"
    rows = look.rows(f"SELECT owner, {balance} JOIN payment_purse ON payment_purse.account = account.id WHERE account.code = 11")
    assert {shops[shop]: amount for shop, amount in rows} == earned
    collected = sum(sum(tables.paid[id]) for id in tables.placed)
    by_code = dict(look.rows("SELECT code, CAST(sum(credits_posted) - sum(debits_posted) AS INTEGER) FROM account"
                             " JOIN counter ON counter.number = account.number GROUP BY code"))  # fmt: skip
    channel, shop, held, returning, clearing, kept, difference = (by_code[code] for code in (30, 11, 20, 22, 21, 40, 41))
    assert (shop, held, returning, clearing, kept) == (earned.total(), escrow, 0, 0, commission)
    assert -channel == collected - 953_193 == 168_691_750
    assert (earned.total(), commission, escrow, difference) == (151_820_311, 14_206_628, 2_646_345, 22_413 - 3_947)
    assert sum(by_code.values()) == 0
    assert look.rows("SELECT CAST(sum(debits_pending) + sum(credits_pending) AS INTEGER) FROM counter") == [(0,)]
    statement = look.sandbox("SELECT (SELECT sum(amount) FROM charge WHERE state = 'captured') - (SELECT sum(amount) FROM refund)")
    assert statement == [(-channel,)]


def test_facts_tell_each_step_once(look: Look) -> None:
    """As many of each as there are orders that went that way; every follower has heard them, and nothing waits."""
    facts = dict(look.rows("SELECT kind, count(*) FROM fact WHERE kind LIKE 'Order%' GROUP BY kind"))
    assert facts == {
        "OrderPlaced": 10_803,
        "OrderPaid": 10_803,
        "OrderShipped": 10_579 + 118 + 7,
        "OrderReceived": 10_579,
        "OrderCancelled": 47,
        "OrderRefunded": 7,
        "OrderReviewed": look.rows("SELECT count(*) FROM review")[0][0],
    }
    assert look.rows("SELECT count(*) FROM cursor WHERE seq < (SELECT fact_seq FROM head)") == [(0,)]
    for table in ("alarm", "parked", "payment_alert"):
        assert look.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_it_says_what_it_did_and_that_the_books_balance(data: Path) -> None:
    """Each figure with what it is of."""
    said = {" ".join(line.split()) for line in (data / "said").read_text().splitlines()}
    for line in (
        "titles the name of the category and the first six digits of the product's id, in Chinese and in English",
        "stock of each good as many pieces as the tables sell, those of orders that are not placed included",
        "10,766 in the tables",
        "89 without lines: not placed (61 unavailable, 27 canceled, 1 invoiced)",
        "1 without payment: not placed (1 delivered)",
        "10,676 placed (10,452 delivered, 118 shipped, 52 canceled, 31 invoiced, 21 processing, 2 unavailable)",
        "121 of them split over several shops (115 over 2, 6 over 3)",
        "10,803 orders came of them, one a shop:",
        "10,579 received and settled",
        "47 cancelled before they were shipped, and refunded",
        "7 refunded after they were shipped",
        "118 stay open, shipped and not received",
        "52 stay open, paid and not shipped (31 invoiced, 21 processing)",
        "147 products that have several sellers",
        "331 orders have several payments in the tables",
        "329 of them are placed and paid by as many tenders; 2 are not placed",
        "40 were paid above what their lines cost, by 224.13 in all",
        "23 were paid below it, by 39.47 in all",
        "2,993 in the tables, of which 324 are dated before the parcel came, or lack it",
        "233 of them when the parcel came, because they are dated before it",
        "67 not published: their order was never received",
        "23 not published: their order was not placed",
        "13 not published: their order had been reviewed before",
        "1,686,917.50 is with the channel, whose own statement of 11,273 lines agrees to the last centavo; of it",
        "1,518,203.11 the shops have earned",
        "142,066.28 the marketplace has earned",
        "26,463.45 is in escrow for 170 open orders",
        "184.66 is in the account of differences",
        "0.00 is anywhere else",
        "the books balance: 32,994 transfers",
    ):
        assert line in said, "\n".join(sorted(said))
    assert not any("✗" in line for line in said)
