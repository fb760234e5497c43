"""What moved within a time, such as a business day: of one account, and of the whole book, with the blocks that prove it."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.ledger import store, store_turnover
from yunduan.domains.ledger.model import Block
from yunduan.kernel.ids import AccountId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

Moment = Annotated[int, Meta(ge=0, le=2**43)]


class AccountTurnover(Struct, frozen=True, kw_only=True):
    """How an account stood when a time began and when it ended, and by code how many transfers made it so, and of how much."""

    opening: int
    closing: int
    moves: tuple[tuple[int, int, int], ...]


class TurnoverOf(Query[AccountTurnover | None], slow=True):
    """What moved on an account from `since` to before `until`; nothing of an account that there is not."""

    id: AccountId
    since: Moment
    until: Moment


class CodeTurnover(Struct, frozen=True, kw_only=True):
    """What transfers of one code have moved; a hold moves nothing until it is posted."""

    code: int
    transfers: int
    amount: Money


class BookTurnover(Struct, frozen=True, kw_only=True):
    """The transfers of a time by code and currency; `block` is the last that was sealed before its end: whoever keeps it can prove all."""

    moves: tuple[CodeTurnover, ...]
    transfers: int
    block: Block | None


class TurnoverWithin(Query[BookTurnover], slow=True):
    """What moved in the whole book from `since` to before `until`."""

    since: Moment
    until: Moment


class BlockBefore(Query[Block | None]):
    """The last block that was sealed before a moment."""

    moment: Moment


@answers(TurnoverOf)
def turnover_of(at: Asking, ask: TurnoverOf) -> AccountTurnover | None:
    """Back from the last entry of the time; what the balance was before follows."""
    account = store.account(at, ask.id)
    if account is None:
        return None
    moves = tuple(store_turnover.of_account(at, account, since=ask.since, until=ask.until))
    last = store.entry_at(at, account, ask.until - 1)
    closing = 0 if last is None else last.debit_balance_after if last.debit == ask.id else last.credit_balance_after
    return AccountTurnover(opening=closing - sum([change for _, _, change in moves]), closing=closing, moves=moves)


@answers(TurnoverWithin)
def turnover_within(at: Asking, ask: TurnoverWithin) -> BookTurnover:
    """From the first transfer after the block before, to the last of the last block."""
    before, block = store_turnover.block_before(at, ask.since), store_turnover.block_before(at, ask.until)
    first, last = before.last + 1 if before else 1, block.last if block else 0
    moves = tuple(
        [
            CodeTurnover(code=code, transfers=count, amount=Money(amount=amount, currency=currency))
            for currency, code, count, amount in (store_turnover.of_book(at, first=first, last=last) if first <= last else [])
        ]
    )
    return BookTurnover(moves=moves, transfers=max(0, last - first + 1), block=block)


@answers(BlockBefore)
def block_before(at: Asking, ask: BlockBefore) -> Block | None:
    """By halving the chain."""
    return store_turnover.block_before(at, ask.moment)
