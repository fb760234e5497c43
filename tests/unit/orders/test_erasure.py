"""Nobody is erased whom money or goods look for; whoever is leaves nothing that says who they were."""

import msgspec
import pytest

from unit.orders.market import SHIPPING, Buyer, Market, channel, wallet, yuan
from yunduan.backends.sandbox import Misbehaviour
from yunduan.domains.identity.commands import ErasePerson, GrantRole
from yunduan.domains.identity.model import DAY_MS, OperatorRole, Outstanding
from yunduan.domains.orders.commands import CancelOrder, DeclineOrder, RefundOrder
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.model import BankAccount
from yunduan.domains.payments.payouts import NamePayee, Withdraw
from yunduan.domains.payments.taking import TakeUnclaimed, UnclaimedOf
from yunduan.domains.payments.unclaimed import Into
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import OrderId

PRICE = 1999 + SHIPPING


def assert_bound(market: Market, buyer: Buyer, code: str, outstanding: Outstanding) -> None:
    """Neither an admin nor the cloud erases them; each is told why, and everything is as it was."""
    admin = market.buyer()
    market.world.send(GrantRole(person_id=admin.person, role=OperatorRole.ADMIN))
    for actor in (admin.actor, SYSTEM):
        market.assert_refused(code, ErasePerson(person_id=buyer.person), actor)
    answered = market.world.run(_submitted(market, ErasePerson(person_id=buyer.person)))
    assert msgspec.convert(msgspec.json.decode(answered.body)["figures"], Outstanding) == outstanding


async def _submitted(market: Market, command: ErasePerson):
    return await market.world.cloud.submit(command, actor=SYSTEM)


def erase(market: Market, buyer: Buyer) -> None:
    """Erase somebody, and see that the books balance without them."""
    market.world.send(ErasePerson(person_id=buyer.person))
    market.world.settle()
    market.assert_balanced()


def bought(market: Market, buyer: Buyer, *, over_channel: bool = False) -> OrderId:
    """A paid order of one piece."""
    buyer.want(market.offer(5))
    placed = buyer.buy(channel(PRICE) if over_channel else wallet(PRICE))
    if over_channel:
        market.decide(placed.payment.redirects[0].url)
    return placed.orders[0].id


def test_an_order_binds_until_its_end(market: Market) -> None:
    """Placed, paid and on its way; not when the goods have arrived. The newest count before any follower has heard of them."""
    buyer = market.buyer()
    buyer.want(market.offer(5))
    placed = buyer.buy(channel(PRICE))
    assert_bound(market, buyer, "orders_open", Outstanding(orders=1, on_its_way=(yuan(PRICE),)))
    market.decide(placed.payment.redirects[0].url)
    id = placed.orders[0].id
    assert market.state(id) == "paid"
    assert_bound(market, buyer, "orders_open", Outstanding(orders=1))
    market.ship(id)
    assert_bound(market, buyer, "orders_open", Outstanding(orders=1))
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    erase(market, buyer)


def test_every_order_is_counted_whether_or_not_it_is_filed(market: Market) -> None:
    """Two that the lists have, one that they have not; an ended one is none, and another buyer's is not theirs."""
    buyer, other = market.buyer(10 * PRICE), market.buyer(PRICE)
    ids = [bought(market, buyer) for _ in range(3)]
    market.world.settle()
    market.world.send(CancelOrder(order_id=ids[0]), actor=buyer.actor)
    ids.append(bought(market, buyer))
    bought(market, other)
    assert_bound(market, buyer, "orders_open", Outstanding(orders=3, in_wallet=(yuan(7 * PRICE),)))


@pytest.mark.parametrize("how", ["cancelled", "declined", "refunded"])
def test_a_refund_binds_until_it_has_arrived(market: Market, how: str) -> None:
    """Over the channel it came from; who pays from the wallet has it back at once, and then it is the wallet that binds."""
    buyer = market.buyer()
    id = bought(market, buyer, over_channel=True)
    back = {
        "cancelled": (CancelOrder(order_id=id), buyer.actor),
        "declined": (DeclineOrder(shop_id=market.shop.id, order_id=id), market.staff()),
        "refunded": (RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(PRICE)), market.staff()),
    }
    command, actor = back[how]
    market.world.send(command, actor=actor)
    assert_bound(market, buyer, "money_on_its_way", Outstanding(on_its_way=(yuan(PRICE),)))
    market.world.pass_time(60_000)
    erase(market, buyer)


def test_a_refund_that_the_channel_refuses_binds_as_money(market: Market) -> None:
    """It is owed then, and taken into the wallet leaves it as money does."""
    market.sandbox.misbehaviour = Misbehaviour(refuses_refunds=1000)
    buyer = market.buyer()
    id = bought(market, buyer, over_channel=True)
    market.world.send(CancelOrder(order_id=id), actor=buyer.actor)
    market.world.pass_time(60_000)
    assert_bound(market, buyer, "money_on_its_way", Outstanding(on_its_way=(yuan(PRICE),)))
    (owed,) = market.world.ask(UnclaimedOf(), actor=buyer.actor).items
    market.world.send(TakeUnclaimed(unclaimed_id=owed.id, into=Into.WALLET), actor=buyer.actor)
    assert_bound(market, buyer, "money_in_wallet", Outstanding(in_wallet=(yuan(PRICE),)))
    last = bought(market, buyer)
    market.ship(last)
    market.world.send(ConfirmReceipt(order_id=last), actor=buyer.actor)
    erase(market, buyer)


def test_a_top_up_that_may_still_come_binds(market: Market) -> None:
    """For half an hour at most, when nobody approves it."""
    buyer = market.buyer()
    market.world.send(TopUpWallet(amount=yuan(500), channel="sandbox"), actor=buyer.actor)
    assert_bound(market, buyer, "money_on_its_way", Outstanding(on_its_way=(yuan(500),)))
    market.world.pass_time(30 * 60_000)
    erase(market, buyer)


def test_whoever_withdraws_their_money_can_go(market: Market) -> None:
    """While it is on its way it binds like any other."""
    buyer = market.buyer(PRICE)
    assert_bound(market, buyer, "money_in_wallet", Outstanding(in_wallet=(yuan(PRICE),)))
    account = BankAccount(bank="中国工商银行", holder="林美", number="6222020200012345670")
    market.world.send(NamePayee(channel="sandbox", account=account), actor=buyer.actor)
    market.world.pass_time(DAY_MS)
    market.world.send(Withdraw(amount=yuan(PRICE)), actor=buyer.actor)
    assert_bound(market, buyer, "money_on_its_way", Outstanding(on_its_way=(yuan(PRICE),)))
    market.world.pass_time(60_000)
    erase(market, buyer)


def test_a_shop_binds_its_last_owner(market: Market) -> None:
    """What it earned is the shop's: it must have somebody."""
    market.assert_refused("last_owner", ErasePerson(person_id=market.owner), SYSTEM)
