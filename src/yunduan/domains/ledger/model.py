"""Accounts, transfers, holds and proofs as values; what a transfer does to two accounts, decided without input or output."""

from collections.abc import Sequence
from enum import IntFlag, StrEnum
from typing import Annotated

from msgspec import Meta, Struct, field

from yunduan.domains.ledger import chain
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.money import Currency, Money
from yunduan.kernel.refusals import BrokenError, RefusalCode, Refused, invariant

COUNTER_MAX = 2**62
"""No counter passes this: two of them still add up within 63 bits."""
TRANSFERS_MAX = 1000
"""Of one command."""


class LedgerRefusal(RefusalCode):
    """What the ledger refuses."""

    INSUFFICIENT_FUNDS = "insufficient_funds", "There is not enough money in the account."
    ACCOUNT_NOT_FOUND = "account_not_found", "There is no such account."
    ACCOUNT_EXISTS = "account_exists", "There is an account by this id, of another kind or currency."
    ACCOUNT_CLOSED = "account_closed", "The account is closed."
    ACCOUNT_NOT_EMPTY = "account_not_empty", "Only an empty account may close."
    ACCOUNT_FULL = "account_full", "The counters of the account cannot go any higher."
    SAME_ACCOUNT = "same_account", "Money moves from one account to another."
    CURRENCY_MISMATCH = "currency_mismatch", "Both accounts of a transfer are in its currency."
    AMOUNT_ZERO = "amount_zero", "A transfer moves more than nothing."
    TRANSFER_EXISTS = "transfer_exists", "There is a transfer by this id, with other content."
    TRANSFER_NOT_FOUND = "transfer_not_found", "There is no such transfer."
    PENDING_NOT_FOUND = "pending_not_found", "No money is held under this id."
    PENDING_RESOLVED = "pending_resolved", "The held money has been posted, voided or has expired already."
    PENDING_EXPIRED = "pending_expired", "The held money was to be posted before it expired."
    PENDING_DIFFERS = "pending_differs", "What ends a hold of money names the accounts, and a void the amount, that the hold has."
    EXCEEDS_PENDING = "exceeds_pending", "More would be posted than is held."
    DUE_PASSED = "due_passed", "A hold of money ends in the future."
    BLOCK_NOT_FOUND = "block_not_found", "The chain has no block by this number."
    PAGE_NOT_FOUND = "page_not_found", "The statement has no page that begins there."


class AccountFlag(IntFlag):
    """What an account must keep to; the first two exclude each other."""

    NONE = 0
    DEBITS_WITHIN_CREDITS = 1
    """Never below zero: debits, posted and pending, stay within posted credits. Wallets, escrows, what we owe to others."""
    CREDITS_WITHIN_DEBITS = 2
    """Never above zero: credits, posted and pending, stay within posted debits."""
    CLOSED = 4
    """No more transfers; set when an account is closed at zero."""


DEBITS_WITHIN_CREDITS = int(AccountFlag.DEBITS_WITHIN_CREDITS)
CREDITS_WITHIN_DEBITS = int(AccountFlag.CREDITS_WITHIN_DEBITS)
CLOSED = int(AccountFlag.CLOSED)
_AT_FIRST = (AccountFlag.NONE, AccountFlag.DEBITS_WITHIN_CREDITS, AccountFlag.CREDITS_WITHIN_DEBITS)


class Kind(StrEnum):
    """What a transfer does to the counters."""

    SINGLE = "single"
    """Moves posted money at once."""
    PENDING = "pending"
    """Sets an amount aside on both accounts: a hold."""
    POST = "post"
    """Ends a hold: moves its amount or a part of it, and releases the rest."""
    VOID = "void"
    """Ends a hold: releases all of it."""
    EXPIRE = "expire"
    """Ends a hold whose time has passed, like a void; written by the ledger itself."""


class NewAccount(Struct, frozen=True, kw_only=True):
    """An account to be opened; one that exists in this very form is as good."""

    id: AccountId
    currency: Currency
    code: int
    flags: AccountFlag = AccountFlag.NONE

    def __post_init__(self) -> None:
        """Refuse flags that no new account can have; `ValueError`."""
        if self.flags not in _AT_FIRST:
            raise ValueError(f"no account begins with {self.flags!r}")


class Form(Struct, frozen=True, gc=False):
    """What an account is, whatever is in it. `number` is the ledger's own, for it is shorter; `flags` are bits of `AccountFlag`."""

    id: AccountId
    number: int
    currency: str
    code: int
    flags: int


Counters = tuple[int, int, int, int, int, int, int]
"""What moves in an account: its number, debits posted, credits posted, debits pending, credits pending, newest transfer, how many."""


class Account(Struct, frozen=True, gc=False):
    """Four counters that only transfers move. `last_seq` is its newest transfer, `count` how many it has.

    `flags` are bits of `AccountFlag`.
    """

    id: AccountId
    currency: str
    code: int
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    flags: int
    last_seq: int
    count: int

    @property
    def balance(self) -> int:
        """Credits less debits, posted; in minor units, with its sign."""
        return self.credits_posted - self.debits_posted

    @property
    def closed(self) -> bool:
        """Whether nothing moves any more."""
        return bool(self.flags & CLOSED)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it or set aside."""
        return self.debits_posted == self.credits_posted and not self.debits_pending and not self.credits_pending

    def available(self) -> Money:
        """What may still leave an account that is limited to one side of zero, holds taken off."""
        invariant(
            self.flags & (DEBITS_WITHIN_CREDITS | CREDITS_WITHIN_DEBITS) != 0, f"{self.id} may go below zero: it has no limit to be near"
        )
        if self.flags & DEBITS_WITHIN_CREDITS:
            return Money(amount=self.credits_posted - self.debits_posted - self.debits_pending, currency=self.currency)
        return Money(amount=self.debits_posted - self.credits_posted - self.credits_pending, currency=self.currency)


class Transfer(Struct, frozen=True, kw_only=True, gc=False):
    """An amount from the account it debits to the account it credits; its id makes it happen once.

    `pending` names the hold that a post or a void ends; `due` (milliseconds since 1970) is when a hold ends by itself;
    `effective_at` is its business date when that is not now.
    """

    id: TransferId
    debit: AccountId
    credit: AccountId
    amount: Money
    code: int
    kind: Kind = Kind.SINGLE
    pending: TransferId | None = None
    due: int | None = None
    effective_at: int | None = None

    def posted(self, id: TransferId, amount: Money | None = None, *, code: int | None = None) -> "Transfer":
        """The transfer that ends this hold by moving its amount, or a part of it."""
        return self._ended(id, Kind.POST, self.amount if amount is None else amount, code)

    def voided(self, id: TransferId, *, code: int | None = None) -> "Transfer":
        """The transfer that ends this hold by releasing all of it."""
        return self._ended(id, Kind.VOID, self.amount, code)

    def _ended(self, id: TransferId, kind: Kind, amount: Money, code: int | None) -> "Transfer":
        code = self.code if code is None else code
        return Transfer(id=id, debit=self.debit, credit=self.credit, amount=amount, code=code, kind=kind, pending=self.id)


class Posting(Struct, frozen=True, kw_only=True):
    """A named template: the only shape in which other domains make transfers.

    Whatever it is given, the parts are the whole, in one currency, and no transfer is of nothing; otherwise the program is broken.
    The transfers' ids are the posting's id and the part's place, so that the same posting happens once.
    """

    name: str
    code: int

    def spread(
        self, id: TransferId, whole: Money, *, source: AccountId, parts: Sequence[tuple[AccountId, Money]], due: int | None = None
    ) -> tuple[Transfer, ...]:
        """The whole from one account to several; with `due` it is held until then."""
        return self._legs(id, whole, parts, due, source=source)

    def gather(
        self, id: TransferId, whole: Money, *, target: AccountId, parts: Sequence[tuple[AccountId, Money]], due: int | None = None
    ) -> tuple[Transfer, ...]:
        """The whole from several accounts to one; with `due` it is held until then."""
        return self._legs(id, whole, parts, due, target=target)

    def move(self, id: TransferId, whole: Money, *, source: AccountId, target: AccountId, due: int | None = None) -> tuple[Transfer, ...]:
        """The whole from one account to another; with `due` it is held until then."""
        return self._legs(id, whole, ((target, whole),), due, source=source)

    def _legs(
        self,
        id: TransferId,
        whole: Money,
        parts: Sequence[tuple[AccountId, Money]],
        due: int | None,
        *,
        source: AccountId | None = None,
        target: AccountId | None = None,
    ) -> tuple[Transfer, ...]:
        """A transfer for each part; the side that is not named is the part's own account."""
        kind, code, currency = Kind.SINGLE if due is None else Kind.PENDING, self.code, whole.currency
        found, together = [], 0
        for n, (account, amount) in enumerate(parts):
            if amount.currency != currency:
                raise BrokenError("a posting is in one currency")
            if amount.amount:
                together += amount.amount
                leg, debit, credit = TransferId(f"{id}{n:03x}"), source or account, target or account
                found.append(Transfer(id=leg, debit=debit, credit=credit, amount=amount, code=code, kind=kind, due=due))
        if together != whole.amount:
            raise BrokenError("the parts of a posting are the whole")
        invariant(len(parts) <= TRANSFERS_MAX, "a posting has a thousand parts at most")
        return tuple(found)


class TransferRecord(Struct, frozen=True, gc=False):
    """A transfer as it stands in the book, in the order of its canonical row (see `chain`).

    The balances are those of the two accounts just after it, credits less debits; each `_prev_seq` is that account's transfer before.
    """

    id: TransferId
    seq: int
    debit: AccountId = field(name="debit_id")
    credit: AccountId = field(name="credit_id")
    amount: int
    currency: str
    code: int
    kind: Kind
    pending_ref: TransferId | None = field(name="pending_id")
    due: int | None
    at: int
    effective_at: int
    debit_balance_after: int
    credit_balance_after: int
    debit_prev_seq: int
    credit_prev_seq: int


Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, in hex.")]


class Block(Struct, frozen=True, kw_only=True):
    """What seals the transfers `first` to `last`."""

    number: int
    first: int
    last: int
    root: Hash
    previous: Hash
    hash: Hash
    at: int


class Fork(Struct, frozen=True, kw_only=True):
    """Says that the book was restored from a copy: what was published after `after_block` may differ from what follows here."""

    number: int
    after_block: int
    transfer_seq: int
    previous: Hash
    hash: Hash
    at: int
    why: str


class Proof(Struct, frozen=True, kw_only=True):
    """Shows that a transfer is in a block: hashed up along `path` it gives the block's root."""

    transfer: TransferRecord
    block: Block
    path: tuple[Hash, ...]


def verify(proof: Proof) -> bool:
    """Whether the transfer is in the block and the block's hash is its own.

    What remains for a third party is to compare `block.hash` with the one that was published under its number.
    """
    return is_in(proof.block, leaf_of(proof.transfer), seq=proof.transfer.seq, path=proof.path)


def leaf_of(transfer: TransferRecord) -> Hash:
    """What stands for a transfer in the tree of its block."""
    (leaf,) = chain.leaves([tuple(getattr(transfer, field) for field in TransferRecord.__struct_fields__)])
    return leaf.hex()


def is_in(block: Block, leaf: Hash, *, seq: int, path: Sequence[Hash]) -> bool:
    """Whether the leaf of the transfer numbered `seq` is in a block, and the block's hash is its own."""
    size, index = block.last - block.first + 1, seq - block.first
    root = chain.climbed(bytes.fromhex(leaf), index=index, size=size, path=[bytes.fromhex(hash) for hash in path])
    return root is not None and root.hex() == block.root and hash_of(block) == block.hash


def hash_of(block: Block) -> str:
    """What a block's hash must be."""
    root, previous = bytes.fromhex(block.root), bytes.fromhex(block.previous)
    return chain.block_hash(number=block.number, first=block.first, last=block.last, root=root, previous=previous, at=block.at).hex()


def hash_of_fork(fork: Fork) -> str:
    """What a fork's hash must be."""
    return chain.fork_hash(
        number=fork.number,
        after_block=fork.after_block,
        transfer_seq=fork.transfer_seq,
        previous=bytes.fromhex(fork.previous),
        at=fork.at,
        why=fork.why,
    ).hex()


def account_of(form: Form, counters: Counters) -> Account:
    """An account as others see it."""
    _, debits, credits, debits_pending, credits_pending, last_seq, count = counters
    return Account(form.id, form.currency, form.code, debits, credits, debits_pending, credits_pending, form.flags, last_seq, count)


def same_form(form: Form, new: NewAccount) -> bool:
    """Whether an account is what somebody else wants to open."""
    return (form.currency, form.code, form.flags & ~CLOSED) == (new.currency, new.code, int(new.flags))


def closed(form: Form, counters: Counters) -> Form:
    """The account without a future; only an empty one may close."""
    if not account_of(form, counters).empty:
        raise Refused(LedgerRefusal.ACCOUNT_NOT_EMPTY, form.id)
    return Form(form.id, form.number, form.currency, form.code, form.flags | CLOSED)


def check_sides(transfer: Transfer, debit: Form | None, credit: Form | None) -> tuple[Form, Form]:
    """The two accounts of a transfer, if they are there, open, different and in its currency."""
    if debit is None or credit is None:
        raise Refused(LedgerRefusal.ACCOUNT_NOT_FOUND, transfer.debit if debit is None else transfer.credit)
    if (debit.flags | credit.flags) & 4:
        raise Refused(LedgerRefusal.ACCOUNT_CLOSED, debit.id if debit.flags & CLOSED else credit.id)
    currency = transfer.amount.currency
    if debit.currency != currency or credit.currency != currency:
        raise Refused(LedgerRefusal.CURRENCY_MISMATCH, currency)
    if debit is credit:
        raise Refused(LedgerRefusal.SAME_ACCOUNT, debit.id)
    if not transfer.amount.amount:
        raise Refused(LedgerRefusal.AMOUNT_ZERO, transfer.id)
    return debit, credit


def moved(transfer: Transfer, debit: Form, credit: Form, d: Counters, c: Counters, held: int, seq: int) -> tuple[Counters, Counters]:
    """The counters of both accounts after a transfer that ends a hold of `held` (0 for one that ends none), or a refusal.

    Accounts that are limited stay within their limit after every single transfer; ending a hold never needs more than it had.
    """
    posts = pends = amount = transfer.amount.amount
    kind = transfer.kind
    if kind is Kind.SINGLE:
        pends = 0
    elif kind is Kind.PENDING:
        posts = 0
    else:
        posts, pends = amount if kind is Kind.POST else 0, -held
    d_number, d_debits, d_credits, d_debits_pending, d_credits_pending, _, d_count = d
    c_number, c_debits, c_credits, c_debits_pending, c_credits_pending, _, c_count = c
    d_debits += posts
    d_debits_pending += pends
    c_credits += posts
    c_credits_pending += pends
    if debit.flags & 1 and d_debits + d_debits_pending > d_credits:
        raise Refused(LedgerRefusal.INSUFFICIENT_FUNDS, debit.id)
    if credit.flags & 2 and c_credits + c_credits_pending > c_debits:
        raise Refused(LedgerRefusal.INSUFFICIENT_FUNDS, credit.id)
    if d_debits + d_debits_pending > COUNTER_MAX or c_credits + c_credits_pending > COUNTER_MAX:
        raise Refused(LedgerRefusal.ACCOUNT_FULL)
    return (
        (d_number, d_debits, d_credits, d_debits_pending, d_credits_pending, seq, d_count + 1),
        (c_number, c_debits, c_credits, c_debits_pending, c_credits_pending, seq, c_count + 1),
    )


def check_hold(transfer: Transfer, hold: TransferRecord | None, *, resolved: bool, now: int) -> int:
    """How much a post or a void releases, if the hold that it names is open and of these accounts."""
    if hold is None or hold.kind is not Kind.PENDING:
        raise Refused(LedgerRefusal.PENDING_NOT_FOUND, transfer.pending or "")
    if resolved:
        raise Refused(LedgerRefusal.PENDING_RESOLVED, hold.id)
    if (hold.debit, hold.credit) != (transfer.debit, transfer.credit):
        raise Refused(LedgerRefusal.PENDING_DIFFERS, hold.id)
    if transfer.amount.amount > hold.amount:
        raise Refused(LedgerRefusal.EXCEEDS_PENDING, f"{transfer.amount.amount} of {hold.amount}")
    if transfer.kind is Kind.VOID and transfer.amount.amount != hold.amount:
        raise Refused(LedgerRefusal.PENDING_DIFFERS, hold.id)
    if transfer.kind is Kind.POST and hold.due is not None and now >= hold.due:
        raise Refused(LedgerRefusal.PENDING_EXPIRED, hold.id)
    return hold.amount


def same_content(transfer: Transfer, record: TransferRecord) -> bool:
    """Whether a transfer that is asked for again is the one in the book."""
    money = transfer.amount
    effective_at = record.at if transfer.effective_at is None else transfer.effective_at
    asked = (transfer.debit, transfer.credit, money.amount, money.currency, transfer.code, transfer.kind, transfer.pending, transfer.due)
    stands = (record.debit, record.credit, record.amount, record.currency, record.code, record.kind, record.pending_ref, record.due)
    return asked == stands and effective_at == record.effective_at
