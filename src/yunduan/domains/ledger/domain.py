"""What the ledger shows to the composition root."""

from yunduan.domains.ledger import commands, queries, turnover
from yunduan.domains.ledger.facts import HoldExpired
from yunduan.domains.ledger.jobs import DERIVE_COUNTERS
from yunduan.domains.ledger.routes import ROUTES
from yunduan.domains.ledger.seal import seal
from yunduan.runtime.registry import Domain

DOMAIN = Domain(
    name="ledger",
    package="yunduan.domains.ledger",
    commands=(commands.post_transfers, commands.expire_hold, commands.note_fork),
    queries=(
        queries.account_of,
        queries.account_shown,
        queries.balance_of,
        queries.balance_at,
        queries.statement_of,
        queries.proof_of,
        queries.block_of,
        queries.chain_head,
        queries.trial_balance,
        turnover.turnover_of,
        turnover.turnover_within,
        turnover.block_before,
    ),
    facts=(HoldExpired,),
    routes=ROUTES,
    jobs=(DERIVE_COUNTERS,),
    seal=seal,
)
