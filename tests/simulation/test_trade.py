"""The real domains under the simulator: shoppers, shops and a payment channel, over a disk that loses its power."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from yunduan.backends.sqlite.store import SqliteReader
from yunduan.backends.vault import FileVault
from yunduan.domains.catalog.model import Stock
from yunduan.domains.notices import followers
from yunduan.domains.orders import casework, limiting
from yunduan.domains.orders.casework import PassDeadline
from yunduan.domains.orders.paying import OrderPayments
from yunduan.runtime.transaction import Tx
from yunduan.testing.checkers import ViolationError
from yunduan.testing.trade import TradeSimulation

RUNS = 12
SEEDS_MAX = 160


def test_a_day_at_the_market(memory: Path) -> None:
    """The quick part: one seed; people buy, pay, receive and give back, and the channel and we agree at the end."""
    simulation = TradeSimulation(1, memory, operations=250)
    report = simulation.run()
    kinds = Counter(told.kind for told in simulation.auditor.facts)  # type: ignore[attr-defined]
    assert report.operations >= 250
    assert min(kinds["OrderPlaced"], kinds["OrderPaid"]) >= 10
    assert TradeSimulation(1, memory / "again", operations=250).run() == report


@pytest.mark.parametrize("seed", [25, 113])
def test_what_failed_once_does_not_fail_again(seed: int, memory: Path) -> None:
    """25: a rollback journal came back and undid committed keys; 113: a query whose read failed was called broken."""
    assert TradeSimulation(seed, memory, operations=300).run().facts > 0


@pytest.mark.slow
def test_purchases_survive_everything(memory: Path, fresh: int) -> None:
    """Under seeds that nobody has seen before: orders, money, stock and keys fit together after every crash."""
    for seed in range(fresh, fresh + RUNS):
        assert TradeSimulation(seed, memory / str(seed), operations=400).run().facts > 0


def keys_after_the_commit(patch: pytest.MonkeyPatch) -> None:
    """New keys are written down only when the next commit comes."""
    durable = FileVault.make_durable
    waiting: dict[int, Any] = {}

    def late(self: FileVault) -> None:
        new, self._new = self._new, waiting.pop(id(self), {})
        durable(self)
        waiting[id(self)] = new

    patch.setattr(FileVault, "make_durable", late)


def paid_and_not_told(patch: pytest.MonkeyPatch) -> None:
    """The channel's money is in the escrow, and the order does not hear of it."""
    patch.setattr(OrderPayments, "paid", lambda *_: None)


def one_too_many(patch: pytest.MonkeyPatch) -> None:
    """The check of what is left is off by one."""
    patch.setattr(Stock, "available", property(lambda stock: stock.on_hand - stock.held + 1))


def end_without_looking(patch: pytest.MonkeyPatch) -> None:
    """A reader ends a snapshot that an error of the disk has ended already: found by the simulator on its first day."""
    patch.setattr(SqliteReader, "end", lambda self: self._execute("COMMIT") and None)


def let_go_of_the_order_and_not_tell_it(patch: pytest.MonkeyPatch) -> None:
    """A case is closed, and its order waits for it all the same."""
    patch.setattr(casework, "released", lambda _tx, order: order)


def nobody_minds_the_time(patch: pytest.MonkeyPatch) -> None:
    """Deadlines of cases are set and never ring."""
    at = Tx.at
    patch.setattr(Tx, "at", lambda self, due, command: None if isinstance(command, PassDeadline) else at(self, due, command))


def told_twice(patch: pytest.MonkeyPatch) -> None:
    """The first of what is due is given once more."""
    give = followers.give
    patch.setattr(followers, "give", lambda tx, dues: give(tx, [*dues, *dues[:1]]))


def not_told(patch: pytest.MonkeyPatch) -> None:
    """The last of what is due is left out, now and then."""
    give = followers.give
    patch.setattr(followers, "give", lambda tx, dues: give(tx, dues[:-1] if len(dues) > 1 else dues))


def bought_and_not_counted(patch: pytest.MonkeyPatch) -> None:
    """What is bought of limited goods is not written down."""
    patch.setattr(limiting, "note", lambda *_: None)


PLANTS = {
    let_go_of_the_order_and_not_tell_it: r"cas_\w+ is \w+, its order does not know that",
    nobody_minds_the_time: r"cases that nothing ends: \['cas_\w+'",
    told_twice: r"told without a cause, or twice: {\('\w+', '\w+'\): 1",
    not_told: r"never told: {\('\w+', '\w+'\): 1",
    end_without_looking: r"cannot commit - no transaction is active",
    keys_after_the_commit: r"the key of per_\w+ is lost",
    paid_and_not_told: r"ord_\w+ is placed, its escrow holds \d+ and not 0",
    bought_and_not_counted: r"somebody has more than 5",
    one_too_many: r"var_\w+: \d+ held of \d+",
}
"""Each fault and how it shows: a fault that shows as anything else has not been found."""


@pytest.mark.slow
@pytest.mark.parametrize("plant", list(PLANTS), ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant: Any, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a few seeds; without the fault the very seed that found it passes."""
    found = None
    with monkeypatch.context() as patch:
        plant(patch)
        for seed in range(SEEDS_MAX):
            try:
                TradeSimulation(seed, memory / "planted" / str(seed), operations=300).run()
            except ViolationError as violation:
                found = seed, str(violation)
                break
    assert found is not None, f"nobody notices: {plant.__doc__}"
    assert re.search(PLANTS[plant], found[1]), f"something else was found: {found[1]}"
    TradeSimulation(found[0], memory / "sound", operations=300).run()
