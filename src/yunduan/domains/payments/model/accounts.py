"""The accounts of the ledger that payments use: every id is derived, so that no index is needed to find one."""

from yunduan.kernel.ids import AccountId, OrderId, PaymentId, PersonId, ShopId, sibling


def wallet_account(person: PersonId, currency: str) -> AccountId:
    """A person's money in one currency."""
    return AccountId(f"{sibling(person, 'wal')}{currency.lower()}")


def shop_account(shop: ShopId, currency: str) -> AccountId:
    """What a shop has earned in one currency and not yet been paid out."""
    return AccountId(f"{sibling(shop, 'sha')}{currency.lower()}")


def escrow_account(order_id: OrderId) -> AccountId:
    """The money of one order."""
    return AccountId(sibling(order_id, "esc"))


def order_of_escrow(account: AccountId) -> OrderId | None:
    """The order whose money an account holds, if it is an escrow."""
    return OrderId(sibling(account, "ord")) if account.startswith("esc_") else None


def payment_of_clearing(account: AccountId) -> PaymentId | None:
    """The payment whose parts meet in an account, if it is a clearing account."""
    return PaymentId(sibling(account, "pay")) if account.startswith("clr_") else None


def clearing_account(payment_id: PaymentId) -> AccountId:
    """Where the parts of a payment over several tenders meet; it is empty and closed when the payment has ended."""
    return AccountId(sibling(payment_id, "clr"))


def commission_account(currency: str) -> AccountId:
    """What the marketplace has earned."""
    return AccountId(f"acc_commission{currency.lower()}")


def difference_account(currency: str) -> AccountId:
    """What imported payments differ from their orders."""
    return AccountId(f"acc_difference{currency.lower()}")


def promotions_account(currency: str) -> AccountId:
    """What the marketplace has set aside for discounts."""
    return AccountId(f"acc_promotions{currency.lower()}")


def channel_account(channel: str, currency: str) -> AccountId:
    """What a channel has collected for us and not yet handed over."""
    return AccountId(f"acc_channel{channel}{currency.lower()}")


def returning_account(channel: str, currency: str) -> AccountId:
    """What is on its way back to payers over a channel; zero when nothing is."""
    return AccountId(f"acc_returning{channel}{currency.lower()}")


def charged_account(channel: str, currency: str) -> AccountId:
    """What a channel has charged us, beside what it has collected."""
    return AccountId(f"acc_charged{channel}{currency.lower()}")


def fees_account(currency: str) -> AccountId:
    """What channels have charged for chargebacks, less what of it was passed on: below zero by that, never above."""
    return AccountId(f"acc_fees{currency.lower()}")


def losses_account(currency: str) -> AccountId:
    """What banks have taken back and nobody else could bear: below zero by that, never above."""
    return AccountId(f"acc_losses{currency.lower()}")
