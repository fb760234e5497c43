"""A toy domain that uses everything the runtime offers, and misuses some of it when it is told to."""

from collections.abc import Iterator

from msgspec import Struct

from yunduan.kernel.actors import Actor
from yunduan.kernel.messages import Command, Fact, Query
from yunduan.kernel.refusals import FaultError, RefusalCode, Refused
from yunduan.runtime.ports import Row, Table
from yunduan.runtime.registry import Domain, Follower, JobKind, Progress, Wanted, answers, handles, hears
from yunduan.runtime.transaction import Asking, Tx


class ToyRefusal(RefusalCode):
    """Why the toy says no."""

    NO = "toy_no", "The toy was told to say no."
    TOO_OFTEN = "too_many_toys", "The toy has had enough of it for now."
    SHORT = "toy_short", "There is not enough in the purse."


class Purse(Struct, frozen=True):
    """A keyed row."""

    id: str
    amount: int
    label: str | None = None
    mark: bytes = b"\x00\xff"


class Slot(Struct, frozen=True):
    """A row with a key of two columns."""

    room: str
    place: int
    body: bytes | None = None


def _purse(row: Row) -> Purse:
    return Purse(*row)


def _purse_row(purse: Purse) -> Row:
    return (purse.id, purse.amount, purse.label, purse.mark)


PURSES: Table[str, Purse] = Table(
    name="purse", columns={"id": str, "amount": int, "label": str, "mark": bytes}, value=_purse, row=_purse_row, shown=4
)
SLOTS: Table[tuple[str, int], Slot] = Table(
    name="slot",
    columns={"room": str, "place": int, "body": bytes},
    value=lambda row: Slot(*row),
    row=lambda slot: (slot.room, slot.place, slot.body),
    keys=2,
)
_NOTE = "INSERT INTO note (about, text, rank) VALUES (?, ?, 5)"
_PLAIN = "INSERT INTO plain (id, amount) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET amount = plain.amount + excluded.amount"
_HEARD = "INSERT INTO heard (name) VALUES (?)"


class Step(Struct, frozen=True):
    """One thing that a handler does."""

    what: str
    key: str = ""
    amount: int = 0


class Named(Fact):
    """Something was named."""

    name: str


class Do(Command[list[int | None]], refuses=ToyRefusal):
    """Take these steps, one after the other; the answer holds what was read on the way."""

    steps: tuple[Step, ...]


@handles(Do, reads=lambda ask, *_: [[(PURSES, step.key) for step in ask.steps if step.what in {"put", "get"}]])
def do(tx: Tx, ask: Do) -> list[int | None]:
    """Take the steps."""
    seen: list[int | None] = []
    for step in ask.steps:
        _STEPS[step.what](tx, step, seen)
    return seen


def _put(tx: Tx, step: Step, seen: list[int | None]) -> None:
    change = tx.add if tx.get(PURSES, step.key) is None else tx.put
    change(PURSES, step.key, Purse(step.key, step.amount, None if step.amount % 2 else step.key, bytes([0, step.amount % 256])))


def _add_blindly(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.add(PURSES, step.key, Purse(step.key, step.amount))


def _put_blindly(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.put(PURSES, step.key, Purse(step.key, step.amount))


def _get(tx: Tx, step: Step, seen: list[int | None]) -> None:
    found = tx.get(PURSES, step.key)
    seen.append(found.amount if found else None)


def _sum(tx: Tx, step: Step, seen: list[int | None]) -> None:
    row = tx.row("SELECT CAST(coalesce(sum(amount), 0) AS INTEGER) FROM purse")
    seen.append(row[0] if row else None)


def _made(tx: Tx, step: Step, seen: list[int | None]) -> None:
    """Both sums as they are remembered, and as they are."""
    for table in ("purse", "plain"):
        now = lambda table=table: tx.rows(f"SELECT CAST(coalesce(sum(amount), 0) AS INTEGER) FROM {table}")[0][0]  # noqa: E731
        seen += [tx.recall(table, "step", now), now()]


def _remove(tx: Tx, step: Step, seen: list[int | None]) -> None:
    if tx.get(PURSES, step.key) is not None:
        tx.remove(PURSES, step.key, "DELETE FROM purse WHERE id = ?")


def _slot(tx: Tx, step: Step, seen: list[int | None]) -> None:
    key = (step.key, step.amount)
    before = tx.get(SLOTS, key)
    change = tx.add if before is None else tx.put
    change(SLOTS, key, Slot(*key, (before.body or b"") + b"x" if before else None))


def _remove_slot(tx: Tx, step: Step, seen: list[int | None]) -> None:
    if tx.get(SLOTS, (step.key, step.amount)) is not None:
        tx.remove(SLOTS, (step.key, step.amount), "DELETE FROM slot WHERE room = ? AND place = ?")


def _note(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.append(_NOTE, (step.key, f"n{step.amount}"))


def _count(tx: Tx, step: Step, seen: list[int | None]) -> None:
    seen.append(len(tx.rows("SELECT text FROM note WHERE about = ? ORDER BY seq", (step.key,))))


def _plain(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.write(_PLAIN, (step.key, step.amount))


def _plain_later(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.append(_PLAIN, (step.key, step.amount))


def _tell(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.tell(Named(name=step.key))


def _alarm(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.at(tx.now + step.amount, Do(steps=(Step("plain", step.key, 1),)))


def _alarm_that_breaks(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.at(tx.now + step.amount, Do(steps=(Step("plain", step.key, 1), Step("break"))))


def _alarm_that_is_refused(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.at(tx.now + step.amount, Do(steps=(Step("plain", step.key, 1), Step("refuse"))))


def _nested(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.send(Do(steps=(Step("put", step.key, step.amount), Step("note", step.key, 1))))


def _nested_refusal_hidden(tx: Tx, step: Step, seen: list[int | None]) -> None:
    try:
        tx.send(Do(steps=(Step("refuse"),)))
    except Refused:
        seen.append(0)


def _clear(tx: Tx, step: Step, seen: list[int | None]) -> None:
    for (id,) in tx.rows("SELECT id FROM purse"):
        tx.remove(PURSES, id, "DELETE FROM purse WHERE id = ?")
    for key in tx.rows("SELECT room, place FROM slot"):
        tx.remove(SLOTS, key, "DELETE FROM slot WHERE room = ? AND place = ?")
    tx.write("DELETE FROM note")
    tx.write("DELETE FROM plain")


def _refuse(tx: Tx, step: Step, seen: list[int | None]) -> None:
    raise Refused(ToyRefusal.NO, "as it was told")


def _refuse_for_now(tx: Tx, step: Step, seen: list[int | None]) -> None:
    if tx.get(PURSES, step.key) is None:
        raise Refused(ToyRefusal.TOO_OFTEN)


def _break(tx: Tx, step: Step, seen: list[int | None]) -> None:
    raise RuntimeError("a broken handler")


def _fault(tx: Tx, step: Step, seen: list[int | None]) -> None:
    raise FaultError("the machine, so to speak")


def _bad_read(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.rows("SELECT id FROM nowhere")


def _bad_read_hidden(tx: Tx, step: Step, seen: list[int | None]) -> None:
    try:
        tx.rows("SELECT id FROM nowhere")
    except Exception:
        seen.append(-1)


def _bad_write(tx: Tx, step: Step, seen: list[int | None]) -> None:
    tx.write("INSERT INTO plain (id, amount) VALUES (?, ?)", (step.key, None))


_STEPS = {
    "made": _made,
    "put": _put,
    "add_blindly": _add_blindly,
    "put_blindly": _put_blindly,
    "get": _get,
    "sum": _sum,
    "remove": _remove,
    "slot": _slot,
    "remove_slot": _remove_slot,
    "note": _note,
    "count": _count,
    "plain": _plain,
    "plain_later": _plain_later,
    "tell": _tell,
    "alarm": _alarm,
    "alarm_that_breaks": _alarm_that_breaks,
    "alarm_that_is_refused": _alarm_that_is_refused,
    "nested": _nested,
    "nested_refusal_hidden": _nested_refusal_hidden,
    "clear": _clear,
    "refuse": _refuse,
    "refuse_for_now": _refuse_for_now,
    "break": _break,
    "fault": _fault,
    "bad_read": _bad_read,
    "bad_read_hidden": _bad_read_hidden,
    "bad_write": _bad_write,
}


class PurseOf(Query[int | None]):
    """What is in a purse."""

    id: str


@answers(PurseOf)
def purse_of(at: Asking, ask: PurseOf) -> int | None:
    """Look it up."""
    found = at.get(PURSES, ask.id)
    return found.amount if found else None


class Everything(Query[tuple[dict[str, int], dict[str, int], int, dict[str, int], dict[str, int]]]):
    """The same purses by key one by one, by key together, as a remembered sum, and by statement; then what is plain, remembered."""

    ids: tuple[str, ...]


@answers(Everything)
def everything(at: Asking, ask: Everything) -> tuple[dict[str, int], dict[str, int], int, dict[str, int], dict[str, int]]:
    """Every way in which a query can look."""
    one_by_one = {id: found.amount for id in ask.ids if (found := at.get(PURSES, id)) is not None}
    together = {id: purse.amount for id, purse in at.get_many(PURSES, ask.ids).items()}
    total = at.recall("purse", "sum", lambda: at.rows("SELECT CAST(coalesce(sum(amount), 0) AS INTEGER) FROM purse")[0][0])
    by_statement = dict(at.rows("SELECT id, amount FROM purse ORDER BY id"))
    plain = at.recall("plain", "all", lambda: dict(at.rows("SELECT id, amount FROM plain ORDER BY id")))
    return one_by_one, together, total, by_statement, plain


class TwoLooks(Query[tuple[int, int]]):
    """The same sum twice, with something done in between."""

    between: str = ""


BETWEEN: list[object] = []
"""What `TwoLooks` calls between its looks."""


@answers(TwoLooks)
def two_looks(at: Asking, ask: TwoLooks) -> tuple[int, int]:
    """Look twice at one commit."""
    sql = "SELECT CAST(coalesce(sum(amount), 0) AS INTEGER) FROM purse"
    first = at.rows(sql)[0][0]
    for call in BETWEEN:
        call()  # type: ignore[operator]
    return first, at.rows(sql)[0][0]


@hears(Named)
def on_named(tx: Tx, facts: list[Named]) -> None:
    """Write down every name, but one; tell again what was called, and ask for what was called loudly."""
    for fact in facts:
        if fact.name == "unheard":
            raise RuntimeError("this follower cannot hear that")
        called, _, name = fact.name.partition(" ")
        if called == "call":
            tx.tell(Named(name=name))
        elif called == "shout":
            tx.send(Do(steps=(Step("tell", name),)))
        tx.append(_HEARD, (fact.name,))


def count(tx: Tx, state: bytes) -> Progress:
    """Count to five, a note each."""
    done = int(state or b"0") + 1
    tx.append(_NOTE, ("job", f"step {done}"))
    return Progress(done=done, total=5, state=b"%d" % done, finished=done == 5)


def count_and_break(tx: Tx, state: bytes) -> Progress:
    """Break at the third step."""
    done = int(state or b"0") + 1
    tx.append(_NOTE, ("broken job", f"step {done}"))
    if done == 3:
        raise RuntimeError("the third step")
    return Progress(done=done, total=5, state=b"%d" % done)


class Account(Struct, frozen=True):
    """An account with two counters."""

    id: str
    debits: int
    credits: int


ACCOUNTS: Table[str, Account] = Table(
    name="account",
    columns={"id": str, "debits": int, "credits": int},
    value=lambda row: Account(*row),
    row=lambda account: (account.id, account.debits, account.credits),
)


class Open(Command[None]):
    """Open accounts."""

    ids: tuple[str, ...]
    credit: int = 0


@handles(Open)
def open_accounts(tx: Tx, ask: Open) -> None:
    """Add them."""
    for id in ask.ids:
        tx.add(ACCOUNTS, id, Account(id, 0, ask.credit))


class Move(Command[None], refuses=ToyRefusal):
    """Move an amount between two accounts; the first may not go below zero."""

    id: str
    debit: str
    credit: str
    amount: int


class Spend(Command[int], spends_key=True):
    """Something that must never be done twice under one key, however late it comes again."""

    id: str


@handles(Spend)
def spend(tx: Tx, ask: Spend) -> int:
    """Count how often it was done."""
    tx.write(_PLAIN, (ask.id, 1))
    row = tx.row("SELECT amount FROM plain WHERE id = ?", (ask.id,))
    return row[0] if row else 0


def _both(ask: Move, actor: Actor, tx: Tx) -> Iterator[Wanted]:
    yield (ACCOUNTS, ask.debit), (ACCOUNTS, ask.credit)


@handles(Move, reads=_both)
def move(tx: Tx, ask: Move) -> None:
    """Decide, then change both."""
    source, target = tx.get(ACCOUNTS, ask.debit), tx.get(ACCOUNTS, ask.credit)
    if source is None or target is None or source is target:
        raise Refused(ToyRefusal.NO)
    if source.credits - source.debits < ask.amount:
        raise Refused(ToyRefusal.SHORT)
    tx.put(ACCOUNTS, source.id, Account(source.id, source.debits + ask.amount, source.credits))
    tx.put(ACCOUNTS, target.id, Account(target.id, target.debits, target.credits + ask.amount))
    tx.append("INSERT INTO moved (id, debit, credit, amount) VALUES (?, ?, ?, ?)", (ask.id, ask.debit, ask.credit, ask.amount))


TOY = Domain(
    name="toy",
    package="support.toy",
    commands=(do, open_accounts, move, spend),
    queries=(purse_of, everything, two_looks),
    facts=(Named,),
    followers=(Follower("toy_ears", (on_named,)),),
    jobs=(JobKind("count", count), JobKind("count_and_break", count_and_break)),
)
