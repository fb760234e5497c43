"""What becomes of a shop's money: paid out by hand or by plan, agreed to by two where it is much, pledged and released."""

from yunduan.domains.payments.cycles import Cycle
from yunduan.domains.payments.deposits import PledgeDeposit, ReleaseDeposit
from yunduan.domains.payments.payouts import ApprovePayout, DeclinePayout, NameShopPayee, PayOutShop
from yunduan.domains.payments.payouts_seen import AwaitedPayoutsOf
from yunduan.domains.payments.settling import SetPayoutPlan
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.testing.trade.banking import an_account, learn_payout
from yunduan.testing.trade.founding import yuan
from yunduan.testing.trade.shoppers import LATEST, Drawn, Draws, Learns, Shoppers


def _name_account(it: Shoppers) -> Drawn:
    return NameShopPayee(shop_id=it.market.shop.id, channel="sandbox", account=an_account(it)), it.staff


def _pay_out(it: Shoppers) -> Drawn:
    return PayOutShop(shop_id=it.market.shop.id, amount=yuan(it.chance.randrange(1, 9_000))), it.staff


def _plan(it: Shoppers) -> Drawn:
    cycle, after_days, weekday = it.chance.choice((Cycle.DAILY, *Cycle)), it.chance.choice((1, 3)), it.chance.randrange(1, 8)
    return SetPayoutPlan(shop_id=it.market.shop.id, cycle=cycle, after_days=after_days, weekday=weekday), it.staff


def _pledge(it: Shoppers) -> Drawn:
    return PledgeDeposit(shop_id=it.market.shop.id, amount=yuan(it.chance.randrange(1, 2_000))), it.staff


def _release(it: Shoppers) -> Drawn:
    return ReleaseDeposit(shop_id=it.market.shop.id, amount=yuan(it.chance.randrange(1, 2_000))), it.operator()


def _rule(it: Shoppers) -> Drawn:
    """Of those that wait for an operator, mostly; else of any that was ever heard of."""
    operator, agrees = it.operator(), it.chance.random() < 0.8
    if it.cloud is None:
        return None
    try:
        waiting = [one.id for one in it.cloud.ask(AwaitedPayoutsOf(), actor=operator).items]
    except (Refused, FaultError):
        return None
    found = waiting if it.chance.random() < 0.8 else it.payouts[-LATEST:]
    if not found:
        return None
    id = it.chance.choice(found)
    return ApprovePayout(payout_id=id) if agrees else DeclinePayout(payout_id=id), operator


EARNING: Draws = ((_name_account, 1), (_pay_out, 4), (_plan, 2), (_pledge, 1), (_release, 1), (_rule, 6))
EARNING_LEARNS: Learns = {PayOutShop: learn_payout}
