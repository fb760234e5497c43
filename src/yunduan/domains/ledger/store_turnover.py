"""What moved within a time: of one account by its own links, of the whole book by its blocks."""

from yunduan.domains.ledger.model import Account, Block
from yunduan.domains.ledger.store import block_numbered, entry_at, last_block
from yunduan.kernel.ids import AccountId
from yunduan.runtime.ports import Reader, Row

_MOVED = "CASE WHEN t.kind IN ('single', 'post') THEN t.amount ELSE 0 END"
_SIGNED = "CASE WHEN t.kind NOT IN ('single', 'post') THEN 0 WHEN t.credit = ? THEN t.amount ELSE -t.amount END"
_OF_ACCOUNT = (
    "WITH RECURSIVE walk (seq) AS ("  # noqa: S608 - names from code, never from data
    " SELECT CAST(? AS INTEGER)"
    " UNION ALL"
    " SELECT CASE WHEN t.debit = ? THEN t.debit_prev_seq ELSE t.credit_prev_seq END"
    " FROM walk JOIN transfer AS t ON t.seq = walk.seq WHERE t.at >= ?)"
    f" SELECT t.code, count(*), CAST(sum({_SIGNED}) AS INTEGER)"
    " FROM walk JOIN transfer AS t ON t.seq = walk.seq WHERE t.at >= ? GROUP BY t.code ORDER BY t.code"
)
_OF_BOOK = (
    f"SELECT t.currency, t.code, count(*), CAST(sum({_MOVED}) AS INTEGER)"  # noqa: S608 - the same
    " FROM transfer AS t WHERE t.seq >= ? AND t.seq <= ? GROUP BY t.currency, t.code ORDER BY t.currency, t.code"
)


def of_account(at: Reader, account: Account, *, since: int, until: int) -> list[tuple[int, int, int]]:
    """By code: how many transfers an account has of the time from `since` to before `until`, and what they did to its balance."""
    last = entry_at(at, account, until - 1)
    if last is None or last.at < since:
        return []
    id: AccountId = account.id
    return [(row[0], row[1], row[2]) for row in at.rows(_OF_ACCOUNT, (last.seq, id, since, id, since))]


def of_book(at: Reader, *, first: int, last: int) -> list[Row]:
    """By currency and code: how many transfers there are from one to another, and what they moved."""
    return list(at.rows(_OF_BOOK, (first, last)))


def block_before(at: Reader, moment: int) -> Block | None:
    """The last block that was sealed before a moment: halving, since blocks are numbered without a gap in the order of their time."""
    newest = last_block(at)
    if newest is None or newest.at < moment:
        return newest
    low, high, found = 0, newest.number, None
    while high - low > 1:
        middle = (low + high) // 2
        block = block_numbered(at, middle)
        if block is not None and block.at < moment:
            low, found = middle, block
        else:
            high = middle
    return found
