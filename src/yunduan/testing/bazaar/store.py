"""Tables and statements of the toy market."""

from yunduan.kernel.refusals import invariant
from yunduan.runtime.ports import Row, Table
from yunduan.runtime.transaction import Tx
from yunduan.testing.bazaar.model import Hold, HoldState, Purse, Stall

PURSES: Table[str, Purse] = Table(
    name="purse",
    columns={"id": str, "balance": int, "moves": int},
    value=lambda row: Purse(*row),
    row=lambda purse: (purse.id, purse.balance, purse.moves),
)
STALLS: Table[str, Stall] = Table(
    name="stall",
    columns={"item": str, "on_hand": int, "held": int},
    value=lambda row: Stall(*row),
    row=lambda stall: (stall.item, stall.on_hand, stall.held),
)


def _hold(row: Row) -> Hold:
    return Hold(row[0], row[1], row[2], HoldState(row[3]), row[4])


HOLDS: Table[int, Hold] = Table(
    name="hold",
    columns={"id": int, "item": str, "quantity": int, "state": str, "due": int},
    value=_hold,
    row=lambda hold: (hold.id, hold.item, hold.quantity, hold.state.value, hold.due),
)
CENSUS: Table[str, tuple[str, int]] = Table(
    name="census", columns={"kind": str, "count": int}, value=lambda row: (row[0], row[1]), row=lambda pair: pair
)
_MOVE = "INSERT INTO move (op, purse, delta) VALUES (?, ?, ?)"
_SUM = "SELECT CAST(coalesce(sum(balance), 0) AS INTEGER), count(*) FROM purse"
_TALLY = "INSERT INTO tally (kind, count) VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET count = tally.count + 1"
_FAME = (
    "INSERT INTO fame (purse, payments, amount) VALUES (?, 1, ?)"
    " ON CONFLICT (purse) DO UPDATE SET payments = fame.payments + 1, amount = fame.amount + excluded.amount"
)


def note_move(tx: Tx, op: int, purse: str, delta: int) -> None:
    """Write down one side of a move."""
    tx.append(_MOVE, (op, purse, delta))


def counted_purses(tx: Tx) -> int:
    """How many purses there are; that they sum to nothing is claimed on the way."""
    row = tx.row(_SUM)
    invariant(row is not None and row[0] == 0, f"purses sum to nothing, not to {row}")
    return row[1] if row else 0


def tally(tx: Tx, kind: str) -> None:
    """Count something by a statement of its own."""
    tx.write(_TALLY, (kind,))


def make_famous(tx: Tx, purse: str, amount: int) -> None:
    """Remember who was paid."""
    tx.write(_FAME, (purse, amount))
