"""Where payments are reached."""

from collections.abc import Mapping
from typing import Any

from yunduan.domains.payments.bearing import BearChargeback
from yunduan.domains.payments.booking import BookingsOf, BookOwnMoney, BookSplit
from yunduan.domains.payments.chargebacks import ConcedeChargeback, ContestChargeback
from yunduan.domains.payments.chargebacks_seen import AllChargebacks, ChargebackOf, ChargebackOfShop, ChargebacksOfShop
from yunduan.domains.payments.closing import AcceptDecision, CloseChargeback
from yunduan.domains.payments.commands import ResolveAlert, TakeNotification, TopUpWallet
from yunduan.domains.payments.deposits import PledgeDeposit, ReleaseDeposit
from yunduan.domains.payments.methods import PaymentMethods
from yunduan.domains.payments.model import Channels
from yunduan.domains.payments.payouts import ApprovePayout, DeclinePayout, NamePayee, NameShopPayee, PayOutShop, Withdraw
from yunduan.domains.payments.payouts_seen import AwaitedPayoutsOf, PayoutsOfShop, Withdrawals
from yunduan.domains.payments.queries import (
    OpenAlertsOf,
    PaymentOf,
    PlatformAccountsOf,
    ReceiptOf,
    ReceiptOfShop,
    ShopBalanceOf,
    StatementOfShop,
    StatementOfWallet,
    WalletOf,
)
from yunduan.domains.payments.settling import PayoutForecast, SetPayoutPlan
from yunduan.domains.payments.splits import AskSplitAgain
from yunduan.domains.payments.splits_seen import RefusedSplits
from yunduan.domains.payments.statements import StatementsOf
from yunduan.domains.payments.taking import LateUnclaimedOf, TakeUnclaimed, UnclaimedOf
from yunduan.runtime.registry import ANYONE, RECORD, SELF, Owner, Route

_EARNS = Owner.shop("owner", "finance")
_ANSWERS = Owner.shop("owner", "manager", "service", "finance")
_BOOKS = Owner.operator("admin", "finance")
_RISK = Owner.operator("admin", "finance", "risk")


def notification(path: Mapping[str, Any], headers: Mapping[str, str], body: bytes, port: Any) -> TakeNotification:
    """A notification as it came, with those headers that the channel's adapter looks at and no others."""
    channel = port(Channels).by_name.get(path["channel"])
    wanted = channel.headers if channel else ()
    kept = {name: headers[name] for name in wanted if name in headers}
    return TakeNotification(channel=path["channel"], body=body, headers=kept)


ROUTES = (
    Route(
        "POST",
        "/payments/top-ups",
        TopUpWallet,
        "payments:write",
        SELF,
        client=("amount", "channel"),
        summary="Bring money into the caller's wallet",
    ),
    Route("GET", "/payment-methods", PaymentMethods, None, ANYONE, summary="What can be paid with besides the wallet"),
    Route("GET", "/payments/{payment_id}", PaymentOf, "payments:read", RECORD, summary="A payment, for whoever pays it"),
    Route("GET", "/wallet", WalletOf, "payments:read", SELF, summary="The caller's wallet"),
    Route(
        "GET",
        "/wallet/statement",
        StatementOfWallet,
        "payments:read",
        SELF,
        client=("currency", "after", "limit"),
        summary="The movements of the caller's wallet, newest first",
    ),
    Route(
        "GET",
        "/wallet/transfers/{transfer_id}/proof",
        ReceiptOf,
        "payments:read",
        RECORD,
        summary="That a transfer of the caller's money is in the book",
    ),
    Route(
        "PUT",
        "/wallet/payee",
        NamePayee,
        "payments:write",
        SELF,
        client=("channel", "account"),
        summary="Name the caller's own account, to which the wallet is paid out",
    ),
    Route(
        "POST",
        "/wallet/withdrawals",
        Withdraw,
        "payments:write",
        SELF,
        client=("amount",),
        summary="Pay money of the caller's wallet out to their account",
    ),
    Route(
        "GET",
        "/wallet/withdrawals",
        Withdrawals,
        "payments:read",
        SELF,
        client=("after", "limit"),
        summary="What the caller has had paid out, the latest first, and to which account",
    ),
    Route(
        "GET",
        "/wallet/unclaimed",
        UnclaimedOf,
        "payments:read",
        SELF,
        client=("after", "limit"),
        summary="What a channel would not give back to the caller, and where it is",
    ),
    Route(
        "POST",
        "/wallet/unclaimed/{unclaimed_id}",
        TakeUnclaimed,
        "payments:write",
        RECORD,
        client=("into",),
        summary="Have it in the wallet, or paid to the caller's own account",
    ),
    Route(
        "GET",
        "/operator/unclaimed",
        LateUnclaimedOf,
        "operate",
        _BOOKS,
        client=("after", "limit"),
        summary="Money that has waited for its owner for half a year",
    ),
    Route(
        "POST",
        "/channels/{channel}/notifications",
        TakeNotification,
        None,
        ANYONE,
        client=("body", "headers"),
        summary="What a payment channel says, signed by it",
        takes_key=False,
        takes=notification,
    ),
    Route("GET", "/shops/{shop_id}/balance", ShopBalanceOf, "shop:read", _EARNS, summary="What a shop has earned"),
    Route(
        "PUT",
        "/shops/{shop_id}/payee",
        NameShopPayee,
        "shop:write",
        Owner.shop("owner"),
        client=("channel", "account"),
        summary="Name the account to which a shop is paid out",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/payouts",
        PayOutShop,
        "shop:write",
        _EARNS,
        client=("amount",),
        summary="Pay money of a shop's balance out to its account",
    ),
    Route(
        "GET",
        "/shops/{shop_id}/payouts",
        PayoutsOfShop,
        "shop:read",
        _EARNS,
        client=("after", "limit"),
        summary="What a shop has had paid out, the latest first, and to which account",
    ),
    Route(
        "PUT",
        "/shops/{shop_id}/payout-plan",
        SetPayoutPlan,
        "shop:write",
        Owner.shop("owner"),
        client=("cycle", "after_days", "weekday"),
        summary="Say when a shop is paid out by itself",
    ),
    Route(
        "GET",
        "/shops/{shop_id}/payout-forecast",
        PayoutForecast,
        "shop:read",
        _EARNS,
        client=("currency", "after", "limit"),
        summary="What a shop will be paid out next, and every transfer that makes it so much",
    ),
    Route(
        "GET",
        "/operator/payouts",
        AwaitedPayoutsOf,
        "operate",
        _BOOKS,
        client=("after", "limit"),
        summary="Payouts above the limit that wait to be approved",
    ),
    Route(
        "POST",
        "/operator/payouts/{payout_id}/approvals",
        ApprovePayout,
        "operate",
        _BOOKS,
        summary="Agree to a payout above the limit",
    ),
    Route(
        "POST",
        "/operator/payouts/{payout_id}/decline",
        DeclinePayout,
        "operate",
        _BOOKS,
        summary="Do not agree to a payout above the limit: all of it goes back",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/deposit",
        PledgeDeposit,
        "shop:write",
        _EARNS,
        client=("amount",),
        summary="Set a part of a shop's balance aside as its deposit",
    ),
    Route(
        "POST",
        "/operator/shops/{shop_id}/deposit/releases",
        ReleaseDeposit,
        "operate",
        _BOOKS,
        client=("amount",),
        summary="Give a shop a part of its deposit back",
    ),
    Route(
        "GET",
        "/shops/{shop_id}/statement",
        StatementOfShop,
        "shop:read",
        _EARNS,
        client=("currency", "account", "after", "limit"),
        summary="The movements of a shop's balance, its deposit or what it owes, newest first",
    ),
    Route(
        "GET",
        "/shops/{shop_id}/transfers/{transfer_id}/proof",
        ReceiptOfShop,
        "shop:read",
        _EARNS,
        summary="That a transfer of a shop's money is in the book",
    ),
    Route(
        "GET",
        "/operator/accounts/{currency}",
        PlatformAccountsOf,
        "operate",
        _BOOKS,
        summary="The marketplace's own accounts: commission, difference, channels",
    ),
    Route(
        "GET",
        "/operator/payment-alerts",
        OpenAlertsOf,
        "operate",
        _RISK,
        client=("after", "limit"),
        summary="Genuine notifications that did not match",
    ),
    Route(
        "POST",
        "/operator/payment-alerts/{alert_id}/resolution",
        ResolveAlert,
        "operate",
        _RISK,
        summary="Somebody has dealt with a notification that did not match",
    ),
    Route(
        "POST",
        "/operator/payment-alerts/{alert_id}/chargeback",
        BearChargeback,
        "operate",
        _BOOKS,
        client=("reason",),
        summary="Take a chargeback of more than is left of its charge: what nobody has is the marketplace's loss",
    ),
    Route(
        "GET",
        "/operator/splits",
        RefusedSplits,
        "operate",
        _BOOKS,
        client=("after", "limit"),
        summary="What providers would not divide between shop and marketplace",
    ),
    Route(
        "GET",
        "/operator/channels/{channel}/statements",
        StatementsOf,
        "operate",
        _BOOKS,
        client=("after", "limit"),
        summary="A provider's statements, day by day, and whether they agree with our books",
    ),
    Route(
        "GET",
        "/operator/channels/{channel}/bookings",
        BookingsOf,
        "operate",
        _BOOKS,
        client=("after", "limit"),
        summary="What operators have booked of a provider's statements, and why",
    ),
    Route(
        "POST",
        "/operator/channels/{channel}/own-money",
        BookOwnMoney,
        "operate",
        _BOOKS,
        client=("name", "amount", "is_paid_in", "reason"),
        summary="Book that our own money has come to a provider, or left it",
    ),
    Route(
        "POST",
        "/operator/splits/{split_id}/booking",
        BookSplit,
        "operate",
        _BOOKS,
        client=("name", "to_shop", "to_marketplace", "reason"),
        summary="Book that a provider has divided by itself what it had refused to",
    ),
    Route(
        "POST",
        "/operator/splits/{split_id}/request",
        AskSplitAgain,
        "operate",
        _BOOKS,
        summary="Have a provider asked again for a split that it has refused",
    ),
    Route(
        "GET",
        "/shops/{shop_id}/chargebacks",
        ChargebacksOfShop,
        "shop:read",
        _ANSWERS,
        client=("after", "limit"),
        summary="What banks have taken back of a shop's orders, the latest first",
    ),
    Route(
        "GET",
        "/shops/{shop_id}/chargebacks/{chargeback_id}",
        ChargebackOfShop,
        "shop:read",
        _ANSWERS,
        summary="A chargeback about a shop's orders, with the shop's evidence",
    ),
    Route(
        "POST",
        "/shops/{shop_id}/chargebacks/{chargeback_id}/evidence",
        ContestChargeback,
        "shop:write",
        _ANSWERS,
        client=("text", "references"),
        summary="Give evidence against a chargeback, until it is due",
    ),
    Route(
        "GET",
        "/operator/chargebacks",
        AllChargebacks,
        "operate",
        _RISK,
        client=("after", "limit"),
        summary="What banks have taken back, the latest first",
    ),
    Route(
        "GET",
        "/operator/chargebacks/{chargeback_id}",
        ChargebackOf,
        "operate",
        _RISK,
        summary="A chargeback with all evidence, and what the marketplace bears of it",
    ),
    Route(
        "POST",
        "/operator/chargebacks/{chargeback_id}/concession",
        ConcedeChargeback,
        "operate",
        _RISK,
        summary="Have the channel know that a chargeback is not contested",
    ),
    Route(
        "POST",
        "/operator/chargebacks/{chargeback_id}/acceptance",
        AcceptDecision,
        "operate",
        _BOOKS,
        client=("reason",),
        summary="Take what a bank has decided with other figures than it had told",
    ),
    Route(
        "POST",
        "/operator/chargebacks/{chargeback_id}/closure",
        CloseChargeback,
        "operate",
        _BOOKS,
        client=("won", "reason"),
        summary="End a chargeback by our figures, when what the bank has decided with others is a mistake",
    ),
)
