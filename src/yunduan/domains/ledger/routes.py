"""Where the ledger is reached: the books by operators, the chain by anyone, for its roots are published."""

from yunduan.domains.ledger.queries import AccountShown, BalanceAt, BlockOf, ChainHead, ProofOf, StatementOf, TrialBalance
from yunduan.runtime.registry import ANYONE, Owner, Route

_READERS = Owner.operator("admin", "finance", "analyst")

ROUTES = (
    Route("GET", "/ledger/trial-balance", TrialBalance, "ledger:read", _READERS, summary="All accounts added up"),
    Route("GET", "/ledger/accounts/{account_id}", AccountShown, "ledger:read", _READERS, summary="An account as it stands"),
    Route(
        "GET",
        "/ledger/accounts/{account_id}/statement",
        StatementOf,
        "ledger:read",
        _READERS,
        client=("after", "limit"),
        summary="An account's transfers, newest first",
    ),
    Route(
        "GET",
        "/ledger/accounts/{account_id}/balance",
        BalanceAt,
        "ledger:read",
        _READERS,
        client=("at",),
        summary="What an account's balance was at a past time",
    ),
    Route("GET", "/ledger/transfers/{transfer_id}/proof", ProofOf, "ledger:read", _READERS, summary="That a transfer is in the book"),
    Route("GET", "/ledger/chain", ChainHead, None, ANYONE, summary="The newest block of the ledger's chain"),
    Route("GET", "/ledger/blocks/{number}", BlockOf, None, ANYONE, summary="A block of the ledger's chain"),
)
