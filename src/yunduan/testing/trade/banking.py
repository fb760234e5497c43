"""What people do with their money: into a wallet, and out of it; and what a channel would not give back, where they want it."""

import msgspec

from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.model import BankAccount, PaymentStarted
from yunduan.domains.payments.payouts import NamePayee, PayoutMoved, Withdraw
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.runtime.answers import Answered
from yunduan.testing.people import Asked
from yunduan.testing.trade.founding import THEIRS, yuan
from yunduan.testing.trade.shoppers import Drawn, Draws, Learns, Shoppers

NOBODYS = "6222020200012345671"


def an_account(it: Shoppers) -> BankAccount:
    """Somebody's own, as a rule."""
    return BankAccount(bank="工商银行", holder="林美", number=it.chance.choice((THEIRS, THEIRS, NOBODYS)))


def _top_up(it: Shoppers) -> Drawn:
    return TopUpWallet(amount=yuan(it.chance.randrange(1_000, 20_000)), channel="sandbox"), it.buyer()[0]


def _name_account(it: Shoppers) -> Drawn:
    return NamePayee(channel="sandbox", account=an_account(it)), it.buyer()[0]


def _withdraw(it: Shoppers) -> Drawn:
    return Withdraw(amount=yuan(it.chance.randrange(1, 9_000))), it.buyer()[0]


def _take(it: Shoppers) -> Drawn:
    actor, into = it.buyer()[0], it.chance.choice(tuple(Into))
    if it.cloud is None:
        return None
    try:
        waiting = it.cloud.ask(UnclaimedOf(), actor=actor).items
    except (Refused, FaultError):
        return None
    return (TakeUnclaimed(unclaimed_id=it.chance.choice(waiting).id, into=into), actor) if waiting else None


def _learn_pages(it: Shoppers, _: Asked, answered: Answered) -> None:
    it.go_to_pay(msgspec.json.decode(answered.body, type=PaymentStarted))


def learn_payout(it: Shoppers, _: Asked, answered: Answered) -> None:
    """Whoever is told of a payout may tell those who have to agree to it."""
    it.payouts.append(msgspec.json.decode(answered.body, type=PayoutMoved).id)


BANKING: Draws = ((_top_up, 5), (_name_account, 2), (_withdraw, 4), (_take, 3))
BANKING_LEARNS: Learns = {TopUpWallet: _learn_pages, Withdraw: learn_payout}
