"""The last thing in every batch: its transfers are read back, checked against the counters, and sealed into a block."""

from collections.abc import Sequence
from typing import Any

from yunduan.domains.ledger import chain, store
from yunduan.domains.ledger.derivation import Derivation
from yunduan.domains.ledger.store import COUNTERS, TRANSFERS, Book
from yunduan.kernel.refusals import invariant
from yunduan.runtime.transaction import Tx


def seal(tx: Tx) -> None:
    """Add a block over the transfers of this batch, as the store has them; a batch whose books disagree is not committed."""
    book = tx.keep(Book)
    tip = store.tip(tx, book)
    first, last = tip.last + 1, tx.head.transfer_seq
    rows: Sequence[Any] = ()
    if last >= first:
        rows = store.transfers(tx, first, last)
        invariant(len(rows) == last - tip.last and rows[0][1] == first, "the transfers of a batch have every number once")
    if book.before:
        _check(tx, book, rows)
    if rows:
        _add_block(tx, book, tip, rows)


def _check(tx: Tx, book: Book, rows: Sequence[Any]) -> None:
    """Every account that the batch has touched must be what it was, moved by the batch's transfers and by nothing else."""
    sums, book.before = book.before, {}
    derivation = Derivation(lambda _: None, lambda hold: tx.get(TRANSFERS, hold), sums)
    derivation.take(rows)
    invariant(not derivation.faults, f"the books of a batch agree: {derivation.faults[:3]}")
    get = tx.get
    for id, derived in sums.items():
        counters = get(COUNTERS, derived[0])
        del derived[7:]
        if counters != tuple(derived):
            invariant(counters is None and derived[6] == 0, f"the counters of {id} are what its transfers make them")


def _add_block(tx: Tx, book: Book, tip: store.Tip, rows: Sequence[Any]) -> None:
    previous = tx.head.block_hash
    if previous != tip.hash:
        fork = store.last_fork(tx)
        invariant(fork is not None and fork.hash == previous.hex() and fork.after_block == tip.number, "the chain goes on where it ended")
    number, first, last = tip.number + 1, rows[0][1], rows[-1][1]
    root = chain.root(chain.leaves(rows))
    hash = chain.block_hash(number=number, first=first, last=last, root=root, previous=previous, at=tx.now)
    store.add_block(tx, number=number, first=first, last=last, root=root, previous=previous, hash=hash)
    tx.head.block_hash = hash
    book.tip = store.Tip(number, last, hash)
