"""Orders that were left among the open ones of their shops when a lost chargeback ended them are filed anew, on every store."""

from support.stores import Place
from yunduan.cloud import DOMAINS
from yunduan.runtime.migrations import migrate, migrations

_COLUMNS = "seq, id, buyer, shop_id, state, total, currency, placed_at, progress, terms"
_ORDER = f"INSERT INTO orders ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 1, 'CNY', 1, ?, ?)"
_FILE = "INSERT INTO order_of_shop (shop_id, state, order_id) VALUES (?, ?, ?)"


def test_what_was_left_among_open_orders_is_filed_by_its_state(place: Place) -> None:
    """Once, wherever it stood; every other order stays where it is, one that nobody has filed yet included."""
    store = place.open()
    try:
        migrate(store, DOMAINS)
        (step,) = [one for one in migrations(DOMAINS) if (one.domain, one.number) == ("orders", 11)]
        orders = {"ord_1": "refunded", "ord_2": "refunded", "ord_3": "paid", "ord_4": "refunded", "ord_5": "cancelled", "ord_6": "refunded"}
        filed = {("shp_1", "paid", "ord_1"), ("shp_1", "refunded", "ord_2"), ("shp_1", "paid", "ord_3")}
        filed |= {("shp_1", "shipped", "ord_4"), ("shp_1", "refunded", "ord_4"), ("shp_1", "cancelled", "ord_5")}
        store.begin()
        for number, (id, state) in enumerate(orders.items(), 1):
            store.write(_ORDER, (number, id, "per_1", "shp_1", state, b"", b""))
        for row in sorted(filed):
            store.write(_FILE, row)
        store.script(step.sql)
        store.commit()
        found = {tuple(row) for row in store.rows("SELECT shop_id, state, order_id FROM order_of_shop")}
        assert found == {("shp_1", orders[f"ord_{number}"], f"ord_{number}") for number in range(1, 6)}
    finally:
        store.close()
