"""What people do with their money: into a wallet, and out of it."""

import msgspec

from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.model import (
    BankAccount,
    PaymentStarted,
)
from yunduan.domains.payments.payouts import NamePayee, Withdraw
from yunduan.runtime.answers import Answered
from yunduan.testing.people import Asked
from yunduan.testing.trade.founding import yuan
from yunduan.testing.trade.shoppers import Drawn, Draws, Learns, Shoppers


def _top_up(it: Shoppers) -> Drawn:
    return TopUpWallet(amount=yuan(it.chance.randrange(1_000, 20_000)), channel="sandbox"), it.buyer()[0]


def _name_account(it: Shoppers) -> Drawn:
    number = it.chance.choice(("6222020200012345670", "6222020200012345670", "6222020200012345671"))  # the last is nobody's
    return NamePayee(channel="sandbox", account=BankAccount(bank="工商银行", holder="林美", number=number)), it.buyer()[0]


def _withdraw(it: Shoppers) -> Drawn:
    return Withdraw(amount=yuan(it.chance.randrange(1, 5_000))), it.buyer()[0]


def _learn_pages(it: Shoppers, _: Asked, answered: Answered) -> None:
    it.go_to_pay(msgspec.json.decode(answered.body, type=PaymentStarted))


BANKING: Draws = ((_top_up, 5), (_name_account, 2), (_withdraw, 2))
BANKING_LEARNS: Learns = {TopUpWallet: _learn_pages}
