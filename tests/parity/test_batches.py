"""A batch is what its commands are one by one: the same answers, the same refusals, the same rows, on every store.

A script of random commands is carried out one command a batch on the embedded store, which also says what each checkout would
cost just then; then the very same commands, with the same keys, in batches on a store.
"""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from support.postgresql import Cluster
from support.stores import STORES, Place, PostgresqlPlace, SqlitePlace, tables
from unit.orders.market import Buyer, Market, channel, wallet, yuan
from yunduan.domains.ledger.commands import PostTransfers
from yunduan.domains.ledger.model import Transfer
from yunduan.domains.orders.commands import AddToCart, CancelOrder
from yunduan.domains.payments.model import wallet_account
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId, OrderId, TransferId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import KeyRefusal, Refused
from yunduan.runtime.transaction import Tx

SEEDS = 3
BATCHES = 8
BATCH_MAX = 24
PIECES = 9
"""Of each of three goods: fewer than are wanted."""
WEALTH = 40_000
"""In each wallet: less than is spent."""
OUTCOMES = {
    *("Placed", "CartSize", "OrderMoved", "NoneType", "sold_out", "insufficient_funds", "total_changed", "transfer_exists"),
    *("idempotency_key_reused", "cart_empty", "order_in_other_state", "order_not_found", "address_not_found"),
}
"""What a script must have had, or it would show nothing."""
RULE = "CREATE UNIQUE INDEX one_of_a_kind ON orders ((total % 8))"
"""What the store alone knows: a checkout that breaks it is a broken command, and its whole batch is thrown away and carried out anew."""
ID = re.compile("[a-z]{3}_[0-9a-f]{26}")
"""Not alike after that, since ids are drawn once more."""
APPENDED = {"fact", "transfer", "resolution", "milestone", "block"}
NOT_ALIKE = {"block", "head"}
"""Batches are sealed into blocks, so that these say how many there were."""

Ask = tuple[Command[Any], Actor, str]


class Town:
    """A market with three goods in short supply and four buyers with little money."""

    def __init__(self, place_for: Callable[[Path], Place], folder: Path) -> None:
        """The same one, wherever it is."""
        folder.mkdir()
        self.market = Market(folder, place_for(folder).open())
        prices = ((333, self.market.shop), (1999, self.market.other), (4500, self.market.shop))
        self.goods = [self.market.offer(PIECES, fen, shop=shop) for fen, shop in prices]
        self.buyers = [self.market.buyer(WEALTH) for _ in range(4)]
        self.tables = [name for name in tables(self.market.world) if name not in NOT_ALIKE]

    def rows(self) -> dict[str, list[Any]]:
        """Everything that has to be alike."""
        reader = self.market.world.cloud.store.reader()
        try:
            return {name: sorted(reader.rows(f"SELECT * FROM {name}"), key=repr) for name in self.tables}  # names of tables
        finally:
            reader.close()


class Author:
    """Makes up the commands, and has each carried out before the next is made."""

    def __init__(self, town: Town, seed: int, *, cancels: bool = True) -> None:
        """Nothing has been asked."""
        self.cancels = cancels
        self.town = town
        self.dice = random.Random(seed)
        self.asked: list[Ask] = []
        self.found: list[Any] = []
        self.orders: list[tuple[OrderId, Buyer]] = []
        self.transfers = 0

    def write(self, count: int) -> list[Ask]:
        """So many commands more."""
        return [self.one() for _ in range(count)]

    def one(self) -> Ask:
        """The next command, with what came of it."""
        again = self.asked and self.dice.random() < 0.1
        ask = self.repeated() if again else (*self.new(), f"key-{len(self.asked)}")
        (found,) = self.town.market.world.send_all([ask[:2]], keys=[ask[2]])
        if hasattr(found, "orders"):
            buyer = next(buyer for buyer in self.town.buyers if buyer.actor == ask[1])
            self.orders += [(order.id, buyer) for order in found.orders]
        self.asked.append(ask)
        self.found.append(found)
        return ask

    def repeated(self) -> Ask:
        """A key that was used before, with what it was used for or with something else."""
        command, actor, key = self.dice.choice(self.asked)
        other = AddToCart(variant_id=self.town.goods[0], quantity=7)
        return (command if self.dice.random() < 0.7 else other), actor, key

    def new(self) -> tuple[Command[Any], Actor]:
        """Something new: more into a cart, a checkout, a way back, or money from wallet to wallet."""
        dice, buyer = self.dice, self.dice.choice(self.town.buyers)
        kind = dice.choices(("want", "buy", "cancel", "transfer"), (4, 5, 1, 2))[0]
        if kind == "buy":
            return self.checkout(buyer), buyer.actor
        if kind == "cancel" and self.orders and self.cancels:
            order, owner = dice.choice(self.orders)
            return CancelOrder(order_id=order), dice.choice((owner, buyer)).actor
        if kind == "transfer":
            return self.transfer(), SYSTEM
        return AddToCart(variant_id=dice.choice(self.town.goods), quantity=dice.choice((1, 1, 2, 5))), buyer.actor

    def checkout(self, buyer: Buyer) -> Command[Any]:
        """Of the whole cart, for what it costs now, or not quite; by the wallet, the channel or both; now and then to nowhere."""
        dice = self.dice
        try:
            total = buyer.total()
        except Refused:
            total = 999
        total += dice.choice((0, 0, 0, 0, 0, 1))
        mine = total * dice.choice((100, 100, 100, 50, 0)) // 100
        tenders = (wallet(mine) if mine else ()) + (channel(total - mine) if mine < total else ())
        address = buyer.address if dice.random() < 0.95 else AddressId("adr_nowhere")
        return buyer.checkout(total, tenders, address_id=address)

    def transfer(self) -> Command[Any]:
        """One or two linked ones, of which the last may be more than there is, or be in the book already as something else."""
        dice, made = self.dice, []
        for _ in range(dice.choice((1, 2))):
            self.transfers += dice.random() < 0.9
            one, other = (wallet_account(each.person, "CNY") for each in dice.sample(self.town.buyers, 2))
            amount = yuan(dice.choice((1, 500, 9_000, WEALTH)))
            made.append(Transfer(id=TransferId(f"trf_{self.transfers:06d}"), debit=one, credit=other, amount=amount, code=7))
        return PostTransfers(transfers=tuple(made))


def refusal_that_stays(patch: pytest.MonkeyPatch) -> None:
    """What a refused command has changed in remembered rows stays remembered."""
    patch.setattr(Tx, "_undo_rows", lambda _: None)


def rows_fetched_anew(patch: pytest.MonkeyPatch) -> None:
    """Whoever asks for rows gets them as they are in the store, although an earlier command of the batch has changed them."""
    get = Tx.get

    def stale(tx: Tx, table: Any, key: Any) -> Any:
        if table.name != "stock":
            return get(tx, table, key)
        rows = tx._store.load(table, [key])
        return table.value(rows[0]) if rows else None

    patch.setattr(Tx, "get", stale)


FAULTS = (refusal_that_stays, rows_fetched_anew)


def told(outcome: Any) -> Any:
    """An outcome as it is compared; a key that is in use and one that was used say so in other words."""
    if not isinstance(outcome, Refused):
        assert not isinstance(outcome, Exception), outcome
        return outcome
    detail = "" if outcome.code is KeyRefusal.REUSED else outcome.detail
    return (outcome.code.value, detail, outcome.figures)


def compare(place_for: Callable[[Path], Place], folder: Path, seed: int, *, spoil: Callable[[], None] = lambda: None) -> set[str]:
    """The same script one by one and in batches; answers every kind of outcome that it had."""
    single, batched = Town(SqlitePlace, folder / "single"), Town(place_for, folder / "batched")
    try:
        author, kinds = Author(single, seed), set[str]()
        assert batched.rows() == single.rows()
        spoil()
        for _ in range(BATCHES):
            asks = author.write(author.dice.randint(2, BATCH_MAX))
            batches = batched.market.world.cloud.writer.batches
            found = batched.market.world.send_all([ask[:2] for ask in asks], keys=[key for _, _, key in asks])
            assert batched.market.world.cloud.writer.batches == batches + 1
            expected = author.found[-len(asks) :]
            assert [told(one) for one in found] == [told(one) for one in expected]
            assert batched.rows() == single.rows()
            kinds |= {one.code.value if isinstance(one, Refused) else type(one).__name__ for one in found}
        for town in (single, batched):
            town.market.world.settle()
            town.market.assert_balanced()
            assert town.market.world.cloud.writer.replays == 0
        assert batched.rows() == single.rows()
    finally:
        single.market.close()
        batched.market.close()
    return kinds


@pytest.fixture(params=STORES)
def place_for(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], Place]]:
    """An empty place on each of the stores, as many as are wanted."""
    if request.param == "sqlite":
        yield SqlitePlace
        return
    cluster, made = request.getfixturevalue("cluster"), list[PostgresqlPlace]()

    def another(_: Path) -> Place:
        made.append(PostgresqlPlace(cluster))
        return made[-1]

    yield another
    for one in made:
        cluster.drop(one.schema)


def test_a_batch_is_what_its_commands_are_one_by_one(place_for: Callable[[Path], Place], tmp_path: Path) -> None:
    """Answers, refusals, facts, alarms, books and stock; the scripts had something of everything."""
    kinds = set[str]()
    for seed in range(SEEDS):
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        kinds |= compare(place_for, folder, seed)
    assert kinds >= OUTCOMES


def outline(town: Town) -> dict[str, Any]:
    """How many rows there are of everything; money, stock and carts to the last unit, whatever orders are called."""
    rows = town.rows()
    return {table: len(found) for table, found in rows.items()} | {
        table: sorted(ID.sub("", repr(row)) for row in rows[table]) for table in ("account", "stock", "cart")
    }


def kind(outcome: Any) -> str:
    """What an outcome comes to."""
    if isinstance(outcome, (apsw.ConstraintError, psycopg.IntegrityError)):
        return "broken"
    return outcome.code.value if isinstance(outcome, Refused) else type(outcome).__name__


def test_what_is_only_added_to_has_no_room_left_for_changes(cluster: Cluster, tmp_path: Path) -> None:
    """On PostgreSQL: every table that has rows which are changed has some, and of those without no row is ever changed."""
    place = PostgresqlPlace(cluster)
    town = Town(lambda _: place, tmp_path / "town")
    try:
        for ask in Author(town, 0).write(40):
            assert ask
        filled = "SELECT CAST(relname AS text) FROM pg_class WHERE relkind = 'r' AND relnamespace = ?::regnamespace AND reloptions IS NULL"
        changed = "SELECT CAST(relname AS text) FROM pg_stat_user_tables WHERE schemaname = ? AND n_tup_upd > 0"
        store = town.market.world.cloud.store
        store.rows("SELECT pg_stat_force_next_flush()")
        found = {name for (name,) in store.rows(filled, (place.schema,))}
        assert found == APPENDED
        assert found.isdisjoint(name for (name,) in store.rows(changed, (place.schema,)))
        assert {"head", "stock", "counter"} <= {name for (name,) in store.rows(changed, (place.schema,))}
    finally:
        town.market.close()
        cluster.drop(place.schema)


@pytest.mark.parametrize("seed", range(2))
def test_a_batch_with_somebody_in_it_who_breaks_a_rule_is_the_same(seed: int, place_for: Callable[[Path], Place], tmp_path: Path) -> None:
    """Nothing of it was kept, and then everything but the culprits' part, once: in outcomes, money, stock and carts."""
    single, batched = Town(SqlitePlace, tmp_path / "single"), Town(place_for, tmp_path / "batched")
    writer, broken, seen = batched.market.world.cloud.writer, 0, set[str]()
    try:
        author = Author(single, seed, cancels=False)  # what is called otherwise in the other town
        for town in (single, batched):
            town.market.world.cloud.store.script(RULE)
        for _ in range(BATCHES):
            asks = author.write(author.dice.randint(2, BATCH_MAX))
            found = batched.market.world.send_all([ask[:2] for ask in asks], keys=[key for _, _, key in asks])
            kinds = [kind(one) for one in found]
            assert kinds == [kind(one) for one in author.found[-len(asks) :]]
            broken += "broken" in kinds
            seen |= set(kinds)
            assert writer.replays == broken
            assert outline(batched) == outline(single)
        batched.market.assert_balanced()
        assert seen >= {"broken", "Placed", "CartSize"}
    finally:
        single.market.close()
        batched.market.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_in_the_set_form_is_found(
    fault: Callable[[pytest.MonkeyPatch], None],
    place_for: Callable[[Path], Place],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a batch remembers of its earlier commands is what the comparison is about."""
    with pytest.raises(AssertionError):
        compare(place_for, tmp_path, 0, spoil=lambda: fault(monkeypatch))
