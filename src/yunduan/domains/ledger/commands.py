"""What may be asked of the ledger: transfers, the end of a hold whose time has passed, the note of a restore."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta

from yunduan.domains.ledger import chain, model, store
from yunduan.domains.ledger.derivation import begun
from yunduan.domains.ledger.facts import HoldExpired
from yunduan.domains.ledger.model import CLOSED, Counters, Fork, Form, Kind, LedgerRefusal, NewAccount, Transfer, TransferRecord
from yunduan.domains.ledger.store import COUNTERS, FORMS, RESOLUTIONS, TRANSFERS, Book
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import BrokenError, Refused, invariant
from yunduan.runtime.registry import Wanted, handles
from yunduan.runtime.transaction import Asking, Tx

POSTING_REFUSALS = frozenset(LedgerRefusal) - {
    LedgerRefusal.TRANSFER_NOT_FOUND,
    LedgerRefusal.BLOCK_NOT_FOUND,
    LedgerRefusal.PAGE_NOT_FOUND,
}
"""What `PostTransfers` may refuse: an outer command that sends it declares these too."""


_ANY = TransferId("\x7f")
"""Greater than any id."""


class PostTransfers(Command[None], refuses=POSTING_REFUSALS):
    """Carry out linked transfers: all, in order, or none.

    Accounts in `opening` are opened first (one that exists in the same form is as good), those in `closing` are closed last, at
    zero. A transfer that is in the book already, with the same content, is accepted again without effect.
    """

    transfers: tuple[Transfer, ...]
    opening: tuple[NewAccount, ...] = ()
    closing: tuple[AccountId, ...] = ()


class ExpireHold(Command[None]):
    """End a hold whose time has passed; one that has ended is left alone. The ledger sends it to itself."""

    pending_id: TransferId


class NoteFork(Command[Fork]):
    """Write into the chain that the book was restored from a copy; only the cloud itself may."""

    why: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[ !#-\[\]-~]+$")]


def wanted(accounts: Iterable[AccountId], transfers: Iterable[TransferId] = ()) -> Wanted:
    """The rows that posting to these accounts, or ending these holds, will read: for the `reads` of commands that send it."""
    for account in accounts:
        yield FORMS, account
    for transfer in transfers:
        yield TRANSFERS, transfer
        yield RESOLUTIONS, transfer


def counters_of(at: Asking, accounts: Iterable[AccountId]) -> Wanted:
    """The rows that are wanted next, once those of the accounts are there."""
    for account in accounts:
        form = at.get(FORMS, account)
        if form is not None:
            yield COUNTERS, form.number


def _reads(ask: PostTransfers, _: object, tx: Tx) -> Iterator[Wanted]:
    sides = [side for transfer in ask.transfers for side in (transfer.debit, transfer.credit)]
    ended = [transfer.pending for transfer in ask.transfers if transfer.pending is not None]
    yield wanted([*(new.id for new in ask.opening), *sides, *ask.closing], ended)
    yield counters_of(tx, sides)


@handles(PostTransfers, reads=_reads)
def post_transfers(tx: Tx, ask: PostTransfers) -> None:
    """Post one after the other; a refusal undoes them all."""
    book = tx.keep(Book)
    invariant(len(ask.transfers) <= model.TRANSFERS_MAX, "a command posts a thousand transfers at most")
    for new in ask.opening:
        _open(tx, book, new)
    for transfer in ask.transfers:
        _post(tx, book, transfer)
    for id in ask.closing:
        _close(tx, id)


@handles(ExpireHold)
def expire_hold(tx: Tx, ask: ExpireHold) -> None:
    """Release what is held."""
    invariant(tx.actor.is_system, "a hold expires by the ledger's own alarm")
    row = tx.get(TRANSFERS, ask.pending_id)
    invariant(row is not None, f"{ask.pending_id} is in the book")
    if row is None or tx.get(RESOLUTIONS, ask.pending_id) is not None:
        return
    hold = store.record(row)
    invariant(hold.kind is Kind.PENDING and hold.due is not None and hold.due <= tx.now, f"{hold.id} is a hold whose time has passed")
    debit, credit = tx.get(FORMS, hold.debit), tx.get(FORMS, hold.credit)
    id = TransferId(tx.id("trf"))
    amount = Money(amount=hold.amount, currency=hold.currency)
    transfer = Transfer(
        id=id, debit=hold.debit, credit=hold.credit, amount=amount, code=hold.code, kind=Kind.EXPIRE, pending=ask.pending_id
    )
    book = tx.keep(Book)
    invariant(store.is_new(tx, book, id) or tx.get(TRANSFERS, id) is None, "the ledger's own ids are new")
    _write(tx, book, transfer, *model.check_sides(transfer, debit, credit), hold.amount)
    tx.tell(HoldExpired(pending_id=ask.pending_id, transfer_id=id))


@handles(NoteFork)
def note_fork(tx: Tx, ask: NoteFork) -> Fork:
    """Hang a fork onto the chain, so that the next block cannot hide it."""
    invariant(tx.actor.is_system, "only the cloud itself notes a fork")
    tip, before = store.tip(tx, tx.keep(Book)), store.last_fork(tx)
    invariant(tip.last == tx.head.transfer_seq, "a fork is noted before anything else is posted")
    number, previous = (before.number if before else 0) + 1, tx.head.block_hash
    hash = chain.fork_hash(
        number=number, after_block=tip.number, transfer_seq=tx.head.transfer_seq, previous=previous, at=tx.now, why=ask.why
    )
    tx.head.block_hash = hash
    return store.add_fork(tx, number=number, after_block=tip.number, previous=previous, hash=hash, why=ask.why)


def _open(tx: Tx, book: Book, new: NewAccount) -> None:
    form = tx.get(FORMS, new.id)
    if form is None:
        number = store.new_number(tx, book)
        form = Form(new.id, number, new.currency, new.code, int(new.flags))
        counters = (number, 0, 0, 0, 0, 0, 0)
        tx.add(FORMS, new.id, form)
        tx.add(COUNTERS, number, counters)
        book.before[new.id] = begun(form, counters)
    elif not model.same_form(form, new):
        raise Refused(LedgerRefusal.ACCOUNT_EXISTS, new.id)


def _close(tx: Tx, id: AccountId) -> None:
    form = tx.get(FORMS, id)
    if form is None:
        raise Refused(LedgerRefusal.ACCOUNT_NOT_FOUND, id)
    if not form.flags & CLOSED:
        tx.put(FORMS, id, model.closed(form, _counters(tx, form)))


def _counters(tx: Tx, form: Form) -> Counters:
    counters = tx.get(COUNTERS, form.number)
    if counters is None:
        raise BrokenError(f"{form.id} has counters")
    return counters


def _post(tx: Tx, book: Book, transfer: Transfer) -> None:
    id, get = transfer.id, tx.get
    if id <= book.newest.get(id[:4], _ANY) and not store.is_new(tx, book, id):
        row = get(TRANSFERS, id)
        if row is not None:
            if not model.same_content(transfer, store.record(row)):
                raise Refused(LedgerRefusal.TRANSFER_EXISTS, id)
            return
    debit, credit = model.check_sides(transfer, get(FORMS, transfer.debit), get(FORMS, transfer.credit))
    kind, pending, due = transfer.kind, transfer.pending, transfer.due
    if kind is Kind.SINGLE:
        if pending is not None or due is not None:
            raise BrokenError("a single transfer neither holds nor ends a hold")
        _write(tx, book, transfer, debit, credit, 0)
    elif kind is Kind.PENDING:
        _hold(tx, book, transfer, debit, credit)
    else:
        invariant(kind is not Kind.EXPIRE and pending is not None and due is None, "a post or a void ends a hold")
        _write(tx, book, transfer, debit, credit, _held(tx, transfer))


def _hold(tx: Tx, book: Book, transfer: Transfer, debit: Form, credit: Form) -> None:
    invariant(transfer.pending is None, "a hold ends no other")
    if transfer.due is not None and transfer.due <= tx.now:
        raise Refused(LedgerRefusal.DUE_PASSED, transfer.id)
    _write(tx, book, transfer, debit, credit, 0)
    if transfer.due is not None:
        tx.at(transfer.due, ExpireHold(pending_id=transfer.id))


def _held(tx: Tx, transfer: Transfer) -> int:
    """What the hold that a transfer ends has set aside."""
    pending = TransferId(transfer.pending or "")
    row = tx.get(TRANSFERS, pending)
    hold: TransferRecord | None = store.record(row) if row else None
    return model.check_hold(transfer, hold, resolved=tx.get(RESOLUTIONS, pending) is not None, now=tx.now)


def _write(tx: Tx, book: Book, transfer: Transfer, debit: Form, credit: Form, held: int) -> None:
    """Decide, then write: the hot path of the house."""
    head, before, get = tx.head, book.before, tx.get
    d_number, c_number = debit.number, credit.number
    d, c = get(COUNTERS, d_number), get(COUNTERS, c_number)
    if d is None or c is None:
        raise BrokenError(f"{debit.id} and {credit.id} have counters")
    seq = head.transfer_seq + 1
    d_after, c_after = model.moved(transfer, debit, credit, d, c, held, seq)
    head.transfer_seq = seq
    id, debit_id, credit_id, now, money, pending = transfer.id, debit.id, credit.id, tx.now, transfer.amount, transfer.pending
    row = (
        id,
        seq,
        debit_id,
        credit_id,
        money.amount,
        money.currency,
        transfer.code,
        transfer.kind._value_,
        pending,
        transfer.due,
        now,
        now if transfer.effective_at is None else transfer.effective_at,
        d_after[2] - d_after[1],
        c_after[2] - c_after[1],
        d[5],
        c[5],
    )
    if debit_id not in before:
        before[debit_id] = [*d, debit.flags, debit.currency]
    if credit_id not in before:
        before[credit_id] = [*c, credit.flags, credit.currency]
    tx.add(TRANSFERS, id, row)
    tx.put(COUNTERS, d_number, d_after)
    tx.put(COUNTERS, c_number, c_after)
    if pending is not None:
        tx.add(RESOLUTIONS, pending, (pending, seq))
    if not d_after[6] & 63:
        store.add_milestone(tx, debit_id, seq)
    if not c_after[6] & 63:
        store.add_milestone(tx, credit_id, seq)
    if id > book.newest[prefix := id[:4]]:
        book.newest[prefix] = id
