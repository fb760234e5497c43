"""What payers' banks take back, what shops say to that, and what is decided: the bank is somebody else, and asks nothing of the cloud."""

from msgspec.structs import replace

from yunduan.domains.payments.chargebacks import ConcedeChargeback, ContestChargeback
from yunduan.domains.payments.model import chargeback_id
from yunduan.testing.trade.shoppers import LATEST, Drawn, Draws, Shoppers

LATELY = 8


def _take(it: Shoppers) -> Drawn:
    """All of a charge that was captured lately, or a part of it; that it was taken always comes to be known."""
    sandbox = it.sandbox if len(it.sandboxes) == 1 else it.chance.choice(list(it.sandboxes.values()))
    captured = [line for line in sandbox.statement("CNY") if not line.request]
    if not captured:
        return None
    of_orders = {order.id[4:] for order in it.orders[-LATEST:]}
    paid = [line for line in captured if line.reference[4:-2] in of_orders]
    line = it.chance.choice(paid if paid and it.chance.random() < 0.8 else captured[-LATELY:])
    amount = it.chance.choice((0, it.chance.randrange(1, line.amount.amount + 1)))
    usual, sandbox.misbehaviour = sandbox.misbehaviour, replace(sandbox.misbehaviour, loses=0)
    sandbox.charge_back(line.reference, amount, fee=it.chance.choice((0, 7, 1_500)))
    sandbox.misbehaviour = usual
    return None


def _decide(it: Shoppers) -> Drawn:
    if names := _names(it):
        channel, name = it.chance.choice(names)
        it.sandboxes[channel].decide_chargeback(name, won=it.chance.random() < 0.5)
    return None


def _contest(it: Shoppers) -> Drawn:
    names = _names(it)
    if not names:
        return None
    id = chargeback_id(*it.chance.choice(names))
    return ContestChargeback(shop_id=it.market.shop.id, chargeback_id=id, text="签收单为证"), it.staff


def _concede(it: Shoppers) -> Drawn:
    names = _names(it)
    return (ConcedeChargeback(chargeback_id=chargeback_id(*it.chance.choice(names))), it.operator()) if names else None


def _names(it: Shoppers) -> list[tuple[str, str]]:
    """How banks call those that they have not decided, and over which channel."""
    told = [(channel, one) for channel, sandbox in it.sandboxes.items() for one in sandbox.chargebacks()]
    return [(channel, one.chargeback) for channel, one in told if one.outcome == "charged_back"][-LATEST:]


CHARGING_BACK: Draws = ((_take, 3), (_decide, 3), (_contest, 4), (_concede, 1))
