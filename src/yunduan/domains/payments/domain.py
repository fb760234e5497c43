"""What payments shows to the composition root."""

from yunduan.domains.payments import commands, queries
from yunduan.domains.payments.facts import (
    CaptureReturned,
    DifferenceBooked,
    EscrowRefunded,
    EscrowSettled,
    NotificationMismatched,
    PaymentCaptured,
    PaymentEnded,
    RefundFinished,
    WalletToppedUp,
)
from yunduan.domains.payments.routes import ROUTES
from yunduan.runtime.registry import Domain

DOMAIN = Domain(
    name="payments",
    package="yunduan.domains.payments",
    commands=(
        commands.pay_orders,
        commands.top_up_wallet,
        commands.take_notification,
        commands.abandon_payment,
        commands.check_payment,
        commands.report_outgoing,
        commands.settle_escrow,
        commands.refund_escrow,
        commands.book_difference,
        commands.set_aside_for_promotions,
        commands.resolve_alert,
    ),
    queries=(
        queries.wallet_of,
        queries.money_of,
        queries.shop_balance_of,
        queries.statement_of_wallet,
        queries.statement_of_shop,
        queries.receipt_of,
        queries.receipt_of_shop,
        queries.payment_of,
        queries.escrow_of,
        queries.payment_due,
        queries.movements_of,
        queries.refund_of,
        queries.refunds_of,
        queries.platform_accounts_of,
        queries.money_by_purpose,
        queries.open_alerts_of,
        queries.reconciliation_of,
    ),
    facts=(
        PaymentCaptured,
        PaymentEnded,
        WalletToppedUp,
        CaptureReturned,
        EscrowSettled,
        EscrowRefunded,
        RefundFinished,
        NotificationMismatched,
        DifferenceBooked,
    ),
    routes=ROUTES,
)
