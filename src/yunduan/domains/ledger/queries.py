"""What may be read: accounts, balances now and then, statements, blocks, proofs, the trial balance."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.ledger import chain, store
from yunduan.domains.ledger.model import Account, Block, Fork, Kind, LedgerRefusal, Proof, TransferRecord
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

LINES_MAX = 100


class BalanceThen(Struct, frozen=True, kw_only=True):
    """Credits less debits, posted, in minor units, after the transfer numbered `seq` (0: before the first)."""

    account_id: AccountId
    currency: str
    balance: int
    seq: int
    at: int


class Line(Struct, frozen=True, kw_only=True):
    """One transfer as one account sees it: `change` is what it did to the posted balance, `balance` what that was afterwards."""

    seq: int
    id: TransferId
    other_id: AccountId
    kind: Kind
    code: int
    amount: Money
    change: int
    balance: int
    pending_id: TransferId | None
    at: int
    effective_at: int


class Statement(Struct, frozen=True, kw_only=True):
    """A page of an account's transfers, newest first; `after` asks for the following page."""

    account_id: AccountId
    items: tuple[Line, ...]
    after: int | None


class TrialLine(Struct, frozen=True, kw_only=True):
    """The accounts of one code in one currency, added up."""

    currency: str
    code: int
    accounts: int
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int


class Trial(Struct, frozen=True, kw_only=True):
    """The trial balance: `balanced` when, in every currency, debits equal credits, posted and pending."""

    lines: tuple[TrialLine, ...]
    balanced: bool


class ChainEnd(Struct, frozen=True, kw_only=True):
    """Where the chain stands: what to publish, and to compare proofs with."""

    block: Block | None
    fork: Fork | None


class AccountOf(Query[Account | None]):
    """An account as it stands, if there is one."""

    id: AccountId


class AccountShown(Query[Account], refuses=(LedgerRefusal.ACCOUNT_NOT_FOUND,)):
    """An account as it stands, for operators."""

    account_id: AccountId


class BalanceOf(Query[Money], refuses=(LedgerRefusal.ACCOUNT_NOT_FOUND,)):
    """What may still leave an account that is limited to one side of zero, holds taken off."""

    id: AccountId


class BalanceAt(Query[BalanceThen], refuses=(LedgerRefusal.ACCOUNT_NOT_FOUND,)):
    """What the posted balance was at the end of a millisecond; by when transfers were written, not by their effective date."""

    account_id: AccountId
    at: Annotated[int, Meta(ge=0, le=2**53)]


class StatementOf(Query[Statement], refuses=(LedgerRefusal.ACCOUNT_NOT_FOUND, LedgerRefusal.PAGE_NOT_FOUND)):
    """The transfers of an account, newest first; `after` is that of the page before."""

    account_id: AccountId
    after: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=LINES_MAX)] = 50


class ProofOf(Query[Proof], refuses=(LedgerRefusal.TRANSFER_NOT_FOUND,)):
    """A transfer, its block and the path between them: what SHA-256 and JSON need to prove that it is in the book."""

    transfer_id: TransferId


class BlockOf(Query[Block], refuses=(LedgerRefusal.BLOCK_NOT_FOUND,)):
    """A block by its number."""

    number: Annotated[int, Meta(ge=1, le=2**53)]


class ChainHead(Query[ChainEnd]):
    """The newest block, and the newest fork if the book was ever restored."""


class TrialBalance(Query[Trial], slow=True):
    """All accounts added up."""


@answers(AccountOf)
def account_of(at: Asking, ask: AccountOf) -> Account | None:
    """Find it by its id."""
    return store.account(at, ask.id)


@answers(AccountShown)
def account_shown(at: Asking, ask: AccountShown) -> Account:
    """Find it by its id."""
    return _account(at, ask.account_id)


@answers(BalanceOf)
def balance_of(at: Asking, ask: BalanceOf) -> Money:
    """Take the holds off."""
    return _account(at, ask.id).available()


@answers(BalanceAt)
def balance_at(at: Asking, ask: BalanceAt) -> BalanceThen:
    """Walk back from the next milestone."""
    account = _account(at, ask.account_id)
    entry = store.entry_at(at, account, ask.at)
    if entry is None:
        return BalanceThen(account_id=ask.account_id, currency=account.currency, balance=0, seq=0, at=ask.at)
    balance = entry.debit_balance_after if entry.debit == ask.account_id else entry.credit_balance_after
    return BalanceThen(account_id=ask.account_id, currency=account.currency, balance=balance, seq=entry.seq, at=ask.at)


@answers(StatementOf)
def statement_of(at: Asking, ask: StatementOf) -> Statement:
    """Walk back along the account's own links."""
    account = _account(at, ask.account_id)
    start = account.last_seq if ask.after is None else ask.after
    records = store.statement(at, ask.account_id, start=start, limit=ask.limit)
    if not records:
        if ask.after is not None:
            raise Refused(LedgerRefusal.PAGE_NOT_FOUND)
        return Statement(account_id=ask.account_id, items=(), after=None)
    last = records[-1]
    following = last.debit_prev_seq if last.debit == ask.account_id else last.credit_prev_seq
    return Statement(account_id=ask.account_id, items=tuple(_line(ask.account_id, record) for record in records), after=following or None)


@answers(ProofOf)
def proof_of(at: Asking, ask: ProofOf) -> Proof:
    """Hash the block's transfers once more."""
    transfer = store.transfer(at, ask.transfer_id)
    if transfer is None:
        raise Refused(LedgerRefusal.TRANSFER_NOT_FOUND)
    block = store.block_around(at, transfer.seq)
    if block is None:  # posted in this very batch, which is not sealed yet
        raise Refused(LedgerRefusal.TRANSFER_NOT_FOUND)
    leaves = chain.leaves(store.transfers(at, block.first, block.last))
    path = chain.audit_path(leaves, transfer.seq - block.first)
    return Proof(transfer=transfer, block=block, path=tuple(hash.hex() for hash in path))


@answers(BlockOf)
def block_of(at: Asking, ask: BlockOf) -> Block:
    """Find it by its number."""
    block = store.block_numbered(at, ask.number)
    if block is None:
        raise Refused(LedgerRefusal.BLOCK_NOT_FOUND)
    return block


@answers(ChainHead)
def chain_head(at: Asking, _: ChainHead) -> ChainEnd:
    """The newest of each."""
    return ChainEnd(block=store.last_block(at), fork=store.last_fork(at))


@answers(TrialBalance)
def trial_balance(at: Asking, _: TrialBalance) -> Trial:
    """Add up per currency and code, and compare per currency."""
    lines = []
    posted: dict[str, int] = {}
    pending: dict[str, int] = {}
    for currency, code, accounts, dp, cp, dn, cn in store.trial(at):
        posted[currency] = posted.get(currency, 0) + cp - dp
        pending[currency] = pending.get(currency, 0) + cn - dn
        line = TrialLine(
            currency=currency, code=code, accounts=accounts, debits_posted=dp, credits_posted=cp, debits_pending=dn, credits_pending=cn
        )
        lines.append(line)
    return Trial(lines=tuple(lines), balanced=not any(posted.values()) and not any(pending.values()))


def _account(at: Asking, id: AccountId) -> Account:
    account = store.account(at, id)
    if account is None:
        raise Refused(LedgerRefusal.ACCOUNT_NOT_FOUND)
    return account


def _line(account: AccountId, record: TransferRecord) -> Line:
    debited = record.debit == account
    moves = record.amount if record.kind in (Kind.SINGLE, Kind.POST) else 0
    return Line(
        seq=record.seq,
        id=record.id,
        other_id=record.credit if debited else record.debit,
        kind=record.kind,
        code=record.code,
        amount=Money(amount=record.amount, currency=record.currency),
        change=-moves if debited else moves,
        balance=record.debit_balance_after if debited else record.credit_balance_after,
        pending_id=record.pending_ref,
        at=record.at,
        effective_at=record.effective_at,
    )
