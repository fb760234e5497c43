"""What a checkout may cost: rows and statements, counted."""

from typing import Any

from support.stores import tables
from unit.orders.market import Market

ROWS = {
    "account": (1, 0),  # the escrow's
    "answer": (1, 0),
    "block": (1, 0),  # one a batch
    "cart": (0, 1),
    "counter": (1, 1),  # the escrow's, the wallet's
    "escrow": (1, 0),
    "fact": (3, 0),  # placed, paid, captured
    "head": (0, 1),  # one a batch
    "hold": (1, 0),
    "order_count": (0, 1),  # one a batch
    "orders": (1, 0),
    "payment": (1, 0),
    "stock": (0, 2),
    "transfer": (1, 0),
}
"""Of a checkout of two lines of one shop paid from the wallet: (added, changed)."""
STATEMENTS_ALONE = 18
STATEMENTS_OF_EACH = 3
"""Beside those of its batch: looking for a payment, a hold and an account that nobody has yet."""


def snapshot(market: Market) -> dict[str, dict[Any, tuple[Any, ...]]]:
    """Every table's rows by what identifies them."""
    keys = {"stock": 2}
    names = [name for name in tables(market.world) if name != "cursor"]
    return {name: {row[: keys.get(name, 1)]: row for row in market.world.rows(f"SELECT * FROM {name}")} for name in names}


def test_a_checkout_writes_these_rows_and_no_others(market: Market) -> None:
    """Fourteen tables; a row more is a decision, not an accident."""
    buyer = market.buyer(100_000)
    tea, cup = market.offer(), market.offer()
    for _ in range(2):
        buyer.want(tea)
        buyer.want(cup)
        ask = buyer.checkout()
        before, statements = snapshot(market), market.world.cloud.writer.statements
        market.world.send(ask, actor=buyer.actor, key=f"{market.world.clock.wall_ms()}")
        spent, after = market.world.cloud.writer.statements - statements, snapshot(market)
        market.world.clock.advance(1)
    rows = {}
    for name, kept in after.items():
        added = sum(1 for key in kept if key not in before[name])
        changed = sum(1 for key, row in kept.items() if before[name].get(key, row) != row)
        assert not set(before[name]) - set(kept)
        if added or changed:
            rows[name] = (added, changed)
    assert rows == ROWS
    assert spent <= STATEMENTS_ALONE


def test_a_batch_of_checkouts_shares_its_statements(market: Market) -> None:
    """Fifty at once cost what one does, and at most three more each."""
    tea, cup = market.offer(), market.offer()
    buyers = [market.buyer(100_000) for _ in range(50)]
    for buyer in buyers:
        buyer.want(tea)
        buyer.want(cup)
    asks = [(buyer.checkout(2 * 1999 + 800), buyer.actor) for buyer in buyers]
    before = market.world.cloud.writer.statements, market.world.cloud.writer.batches
    answers = market.world.send_all(asks, keys=[f"key{n}" for n in range(50)])
    assert [answer.orders[0].state.value for answer in answers] == ["paid"] * 50
    spent, batches = market.world.cloud.writer.statements - before[0], market.world.cloud.writer.batches - before[1]
    assert spent <= STATEMENTS_ALONE * batches + STATEMENTS_OF_EACH * 50
