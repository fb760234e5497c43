"""Every statement of the ledger: rows found by key, the walks back along an account, blocks."""

from collections.abc import Sequence

from msgspec import Struct

from yunduan.domains.ledger import chain
from yunduan.domains.ledger.derivation import Sum
from yunduan.domains.ledger.model import Account, Block, Counters, Fork, Form, Kind, TransferRecord, account_of
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.refusals import invariant
from yunduan.runtime.ports import Reader, Row, Table
from yunduan.runtime.transaction import Asking, Tx


def _form_row(form: Form) -> Row:
    return (form.id, form.number, form.currency, form.code, form.flags)


def _as_it_is(row: Row) -> Row:
    return row


FORMS: Table[AccountId, Form] = Table(
    name="account",
    columns={"id": str, "number": int, "currency": str, "code": int, "flags": int},
    value=lambda row: Form(*row),
    row=_form_row,
    updates=("flags",),
)
_COUNTED = {
    "number": int,
    "debits_posted": int,
    "credits_posted": int,
    "debits_pending": int,
    "credits_pending": int,
    "last_seq": int,
    "count": int,
}
COUNTERS: Table[int, Counters] = Table(name="counter", columns=_COUNTED, value=_as_it_is, row=_as_it_is)
DERIVED: Table[int, Counters] = Table(name="derived", columns=_COUNTED, value=_as_it_is, row=_as_it_is)
"""The counters once more, by the job that knows the transfers alone."""
TRANSFERS: Table[TransferId, Row] = Table(
    name="transfer",
    columns={
        "id": str,
        "seq": int,
        "debit": str,
        "credit": str,
        "amount": int,
        "currency": str,
        "code": int,
        "kind": str,
        "pending_ref": str,
        "due": int,
        "at": int,
        "effective_at": int,
        "debit_balance_after": int,
        "credit_balance_after": int,
        "debit_prev_seq": int,
        "credit_prev_seq": int,
    },
    value=_as_it_is,
    row=_as_it_is,
    remembered=2000,
)
"""Remembered as the canonical row itself, and not for long: what is in the book is seldom asked for."""
RESOLUTIONS: Table[TransferId, Row] = Table(name="resolution", columns={"hold": str, "seq": int}, value=_as_it_is, row=_as_it_is)

_COLUMNS = ", ".join(TRANSFERS.columns)
_FAR = ", ".join(f"t.{column}" for column in TRANSFERS.columns)
TRANSFERS_AFTER = f"SELECT {_COLUMNS} FROM transfer WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - names from code, never from data
_WITHIN = f"SELECT {_COLUMNS} FROM transfer WHERE seq >= ? AND seq <= ? ORDER BY seq"  # noqa: S608 - the same
_BY_ID = f"SELECT {_COLUMNS} FROM transfer WHERE id = ?"  # noqa: S608 - the same
_NEWEST_ID = "SELECT id FROM transfer WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1"
_STATEMENT = (
    "WITH RECURSIVE walk (seq, step) AS ("  # noqa: S608 - the same
    " SELECT seq, 1 FROM transfer WHERE seq = ? AND (debit = ? OR credit = ?)"
    " UNION ALL"
    " SELECT CASE WHEN t.debit = ? THEN t.debit_prev_seq ELSE t.credit_prev_seq END, walk.step + 1"
    " FROM walk JOIN transfer AS t ON t.seq = walk.seq WHERE walk.step < ?)"
    f" SELECT {_FAR} FROM walk JOIN transfer AS t ON t.seq = walk.seq ORDER BY walk.step"
)
_MILESTONE_AFTER = "SELECT seq FROM milestone WHERE account = ? AND at > ? ORDER BY at, seq LIMIT 1"
_BACK_TO = (
    "WITH RECURSIVE walk (seq) AS ("  # noqa: S608 - the same
    " SELECT CAST(? AS INTEGER)"
    " UNION ALL"
    " SELECT CASE WHEN t.debit = ? THEN t.debit_prev_seq ELSE t.credit_prev_seq END"
    " FROM walk JOIN transfer AS t ON t.seq = walk.seq WHERE t.at > ?)"
    f" SELECT {_FAR} FROM walk JOIN transfer AS t ON t.seq = walk.seq WHERE t.at <= ?"
)
_ADD_MILESTONE = "INSERT INTO milestone (account, at, seq) VALUES (?, ?, ?)"
_ADD_BLOCK = "INSERT INTO block (number, first, last, root, previous, hash, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
_BLOCK = "SELECT number, first, last, root, previous, hash, at FROM block "
_LAST_BLOCK = f"{_BLOCK}ORDER BY number DESC LIMIT 1"
_BLOCK_NUMBERED = f"{_BLOCK}WHERE number = ?"
_BLOCK_AROUND = f"{_BLOCK}WHERE last >= ? ORDER BY last LIMIT 1"
_ADD_FORK = "INSERT INTO fork (number, after_block, transfer_seq, previous, hash, at, why) VALUES (?, ?, ?, ?, ?, ?, ?)"
_LAST_FORK = "SELECT number, after_block, transfer_seq, previous, hash, at, why FROM fork ORDER BY number DESC LIMIT 1"
_TRIAL = (
    "SELECT currency, code, count(*),"
    " CAST(sum(debits_posted / 1000000000) AS INTEGER), CAST(sum(debits_posted % 1000000000) AS INTEGER),"
    " CAST(sum(credits_posted / 1000000000) AS INTEGER), CAST(sum(credits_posted % 1000000000) AS INTEGER),"
    " CAST(sum(debits_pending / 1000000000) AS INTEGER), CAST(sum(debits_pending % 1000000000) AS INTEGER),"
    " CAST(sum(credits_pending / 1000000000) AS INTEGER), CAST(sum(credits_pending % 1000000000) AS INTEGER)"
    " FROM account JOIN counter ON counter.number = account.number GROUP BY currency, code ORDER BY currency, code"
)
"""Sums in two halves: the total of very many accounts may need more than 63 bits, which Python has and a store has not."""
_DERIVED_THROUGH = "SELECT through FROM derivation WHERE id = 1"
_MOVE_DERIVED = "UPDATE derivation SET through = ? WHERE id = 1 AND through = ?"
_DIFFER = (
    "SELECT counter.number FROM counter LEFT JOIN derived ON derived.number = counter.number"
    " WHERE counter.number > ? AND counter.number <= ? AND counter.last_seq <= ?"
    " AND (counter.debits_posted <> coalesce(derived.debits_posted, 0) OR counter.credits_posted <> coalesce(derived.credits_posted, 0)"
    " OR counter.debits_pending <> coalesce(derived.debits_pending, 0) OR counter.credits_pending <> coalesce(derived.credits_pending, 0)"
    " OR counter.last_seq <> coalesce(derived.last_seq, 0) OR counter.count <> coalesce(derived.count, 0))"
    " ORDER BY counter.number LIMIT 20"
)
_BLOCKS_AFTER = f"{_BLOCK}WHERE number > ? AND last <= ? ORDER BY number"
_FORKS_AFTER = (
    "SELECT number, after_block, transfer_seq, previous, hash, at, why FROM fork WHERE number > ? AND after_block <= ? ORDER BY number"
)
_MILESTONES_AFTER = "SELECT account, at, seq FROM milestone WHERE (account, at, seq) > (?, ?, ?) ORDER BY account, at, seq LIMIT ?"
_RESOLUTIONS_AFTER = "SELECT hold, seq FROM resolution WHERE hold > ? ORDER BY hold LIMIT ?"
_HEAD = "SELECT transfer_seq, block_hash FROM head ORDER BY epoch DESC LIMIT 1"
_LAST_NUMBER = "SELECT CAST(coalesce(max(number), 0) AS INTEGER) FROM counter"
_ACCOUNTS_AFTER = (
    "SELECT account.id, account.number, account.currency, account.code, account.flags, counter.debits_posted, counter.credits_posted,"
    " counter.debits_pending, counter.credits_pending, counter.last_seq, counter.count"
    " FROM account LEFT JOIN counter ON counter.number = account.number WHERE account.id > ? ORDER BY account.id LIMIT ?"
)


class Tip(Struct, frozen=True):
    """Where the chain ends."""

    number: int = 0
    last: int = 0
    hash: bytes = chain.GENESIS


class Book:
    """What the writer remembers of the ledger besides rows; forgotten together with them."""

    def __init__(self) -> None:
        """Know nothing."""
        self.newest: dict[str, TransferId] = {}
        """Of each prefix of ids the greatest that was ever posted, or a greater one: what is beyond it cannot be in the book."""
        self.before: dict[AccountId, Sum] = {}
        """The accounts that this batch has touched, as they were when it began."""
        self.last_number = -1
        """The greatest number of an account, or a greater one."""
        self.tip: Tip | None = None


def is_new(tx: Tx, book: Book, id: TransferId) -> bool:
    """Whether a transfer is certainly not in the book, judged by the order of ids alone."""
    prefix = id[:4]
    newest = book.newest.get(prefix)
    if newest is None:
        row = tx.row(_NEWEST_ID, (prefix, prefix + "\x7f"))
        newest = book.newest[prefix] = TransferId(row[0] if row else "")
    return id > newest


def new_number(tx: Tx, book: Book) -> int:
    """A number for a new account."""
    if book.last_number < 0:
        row = tx.row(_LAST_NUMBER)
        book.last_number = row[0] if row else 0
    book.last_number += 1
    return book.last_number


def account(at: Asking, id: AccountId) -> Account | None:
    """An account as it stands."""
    form = at.get(FORMS, id)
    counters = at.get(COUNTERS, form.number) if form else None
    return account_of(form, counters) if form and counters else None


def record(row: Row) -> TransferRecord:
    """A row as a value."""
    fields = list(row)
    fields[7] = Kind(row[7])
    return TransferRecord(*fields)


def transfer(at: Asking, id: TransferId) -> TransferRecord | None:
    """A transfer by its id."""
    row = at.row(_BY_ID, (id,))
    return record(row) if row else None


def transfers(at: Reader, first: int, last: int) -> list[Row]:
    """The canonical rows of some transfers, in order."""
    return at.rows(_WITHIN, (first, last))


def transfers_after(at: Reader, seq: int, limit: int) -> list[Row]:
    """The canonical rows of the next transfers."""
    return at.rows(TRANSFERS_AFTER, (seq, limit))


def statement(at: Reader, account: AccountId, *, start: int, limit: int) -> list[TransferRecord]:
    """Transfers of an account from one of them backwards; none when that one is not the account's."""
    return [record(row) for row in at.rows(_STATEMENT, (start, account, account, account, limit))]


def entry_at(at: Reader, account: Account, moment: int) -> TransferRecord | None:
    """The newest transfer of an account that was written at a moment or before: at most 64 steps back from a milestone."""
    found = at.row(_MILESTONE_AFTER, (account.id, moment))
    row = at.row(_BACK_TO, (found[0] if found else account.last_seq, account.id, moment, moment))
    return record(row) if row else None


def add_milestone(tx: Tx, account: AccountId, seq: int) -> None:
    """Note an account's newest entry as a place to begin a walk."""
    tx.append(_ADD_MILESTONE, (account, tx.now, seq))


def _block(row: Row) -> Block:
    number, first, last, root, previous, hash, at = row
    return Block(number=number, first=first, last=last, root=root.hex(), previous=previous.hex(), hash=hash.hex(), at=at)


def _fork(row: Row) -> Fork:
    number, after_block, transfer_seq, previous, hash, at, why = row
    return Fork(number=number, after_block=after_block, transfer_seq=transfer_seq, previous=previous.hex(), hash=hash.hex(), at=at, why=why)


def last_block(at: Reader) -> Block | None:
    """The newest block."""
    row = at.row(_LAST_BLOCK)
    return _block(row) if row else None


def block_numbered(at: Reader, number: int) -> Block | None:
    """A block."""
    row = at.row(_BLOCK_NUMBERED, (number,))
    return _block(row) if row else None


def block_around(at: Reader, seq: int) -> Block | None:
    """The block that holds a transfer."""
    row = at.row(_BLOCK_AROUND, (seq,))
    return _block(row) if row else None


def tip(tx: Tx, book: Book) -> Tip:
    """Where the chain ends."""
    if book.tip is None:
        row = tx.row(_LAST_BLOCK)
        book.tip = Tip(row[0], row[2], row[5]) if row else Tip()
    return book.tip


def add_block(tx: Tx, *, number: int, first: int, last: int, root: bytes, previous: bytes, hash: bytes) -> None:
    """Add a block."""
    tx.append(_ADD_BLOCK, (number, first, last, root, previous, hash, tx.now))


def last_fork(at: Reader) -> Fork | None:
    """The newest fork."""
    row = at.row(_LAST_FORK)
    return _fork(row) if row else None


def add_fork(tx: Tx, *, number: int, after_block: int, previous: bytes, hash: bytes, why: str) -> Fork:
    """Add a fork."""
    row = (number, after_block, tx.head.transfer_seq, previous, hash, tx.now, why)
    tx.append(_ADD_FORK, row)
    return _fork(row)


def trial(at: Reader) -> list[tuple[str, int, int, int, int, int, int]]:
    """Per currency and code: how many accounts, debits and credits posted, debits and credits pending."""
    return [(row[0], row[1], row[2], *_whole(row[3:])) for row in at.rows(_TRIAL)]


def _whole(halves: Sequence[int]) -> tuple[int, int, int, int]:
    dp, cp, dn, cn = (high * 1_000_000_000 + low for high, low in zip(halves[::2], halves[1::2], strict=True))
    return dp, cp, dn, cn


def derived_through(tx: Tx) -> int:
    """How far the counters have been added up once more."""
    row = tx.row(_DERIVED_THROUGH)
    return row[0] if row else 0


def move_derived(tx: Tx, *, through: int, before: int) -> None:
    """Note how far they have been."""
    tx.write_one(_MOVE_DERIVED, (through, before))


def last_number(at: Reader) -> int:
    """The greatest number of an account."""
    row = at.row(_LAST_NUMBER)
    return row[0] if row else 0


def differing(tx: Tx, *, after: int, through: int, through_seq: int) -> list[int]:
    """Accounts of a range whose counters are not what their transfers add up to; those that have moved since are left out."""
    return [row[0] for row in tx.rows(_DIFFER, (after, through, through_seq))]


def accounts_after(at: Reader, id: str, limit: int) -> list[tuple[Form, Counters | None]]:
    """The next accounts in the order of their ids, with their counters, if those are there."""
    rows = at.rows(_ACCOUNTS_AFTER, (id, limit))
    return [(Form(*row[:5]), None if row[5] is None else (row[1], *row[5:])) for row in rows]


def blocks_after(at: Reader, number: int, through: int) -> list[Block]:
    """The blocks after one, of transfers no further than `through`."""
    return [_block(row) for row in at.rows(_BLOCKS_AFTER, (number, through))]


def forks_after(at: Reader, number: int, block: int) -> list[Fork]:
    """The forks after one, noted no later than right after a block."""
    return [_fork(row) for row in at.rows(_FORKS_AFTER, (number, block))]


def milestones_after(at: Reader, last: Row, limit: int) -> list[Row]:
    """The next milestones in their order: account, time and transfer."""
    return at.rows(_MILESTONES_AFTER, (*last, limit))


def resolutions_after(at: Reader, hold: str, limit: int) -> list[Row]:
    """The next holds that have ended, and by which transfer."""
    return at.rows(_RESOLUTIONS_AFTER, (hold, limit))


def head(at: Reader) -> Row:
    """How many transfers there are, and where the chain ends, by the row that each commit moves."""
    row = at.row(_HEAD)
    invariant(row is not None, "the store has a head")
    return row or ()
