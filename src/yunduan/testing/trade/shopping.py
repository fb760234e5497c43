"""What buyers do: they fill carts, check out and pay; and people come, and move."""

from enum import StrEnum

import msgspec

from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.orders.commands import (
    AddToCart,
    Checkout,
    Placed,
    RemoveFromCart,
)
from yunduan.domains.orders.model import OrderRefusal
from yunduan.domains.orders.queries import PreviewCheckout
from yunduan.domains.orders.repricing import AgreePrice
from yunduan.domains.payments.model import (
    Tender,
    TenderKind,
)
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import AddressId
from yunduan.kernel.refusals import FaultError, Refused
from yunduan.runtime.answers import Answered
from yunduan.testing.people import Asked
from yunduan.testing.trade.founding import HOME, yuan
from yunduan.testing.trade.shoppers import Bought, Drawn, Draws, Learns, Shoppers
from yunduan.testing.trade.stocking import sending_everywhere


def _want(it: Shoppers) -> Drawn:
    return AddToCart(variant_id=it.chance.choice(it.market.variants), quantity=it.chance.randrange(1, 4)), it.buyer()[0]


def _buy(it: Shoppers) -> Drawn:
    actor, address = it.buyer()
    if it.cloud is None:
        return None
    try:
        total = it.cloud.ask(PreviewCheckout(address_id=address), actor=actor).total.amount
    except FaultError:
        return None
    except Refused as no:
        return _not_to_be_had(it, no.code, actor, address)
    by_wallet = it.chance.randrange(1, total) if it.chance.random() < 0.2 else total if it.chance.random() < 0.6 else 0
    tenders = [Tender(kind=TenderKind.WALLET, amount=yuan(by_wallet))] if by_wallet else []
    if by_wallet < total:
        method = "slip" if it.chance.random() < 0.3 else ""
        tenders.append(Tender(kind=TenderKind.CHANNEL, amount=yuan(total - by_wallet), channel=it.over(), method=method))
    return Checkout(address_id=address, total=yuan(total), tenders=tuple(tenders)), actor


def _not_to_be_had(it: Shoppers, code: StrEnum, actor: Actor, address: AddressId) -> Drawn:
    """They want less, or ask the shop why it does not send what it has."""
    if code is OrderRefusal.BUYER_LIMIT:
        return _too_many(it, actor, address)
    if code is CatalogRefusal.REGION_NOT_SERVED:
        return sending_everywhere(it)
    if code is OrderRefusal.CART_EMPTY:
        return None
    return RemoveFromCart(variant_id=it.chance.choice(it.market.variants)), actor


def _too_many(it: Shoppers, actor: Actor, address: AddressId) -> Drawn:
    """Try it all the same, or give it up."""
    if it.chance.random() < 0.5:
        some = yuan(1_999)
        return Checkout(address_id=address, total=some, tenders=(Tender(kind=TenderKind.WALLET, amount=some),)), actor
    return RemoveFromCart(variant_id=it.market.variants[-1]), actor


def _visit(it: Shoppers) -> Drawn:
    """Somebody goes to a page at last, perhaps when its time has passed; that asks nothing of the cloud."""
    if it.pages:
        it.visit(it.pages.pop(it.chance.randrange(len(it.pages))))
    return None


def _register(it: Shoppers) -> Drawn:
    return RegisterPerson(phone=f"+8613700{it.chance.randrange(200):06d}"), SYSTEM


def _move(it: Shoppers) -> Drawn:
    return AddAddress(address=HOME), it.buyer()[0]


def _learn_orders(it: Shoppers, asked: Asked, answered: Answered) -> None:
    placed = msgspec.json.decode(answered.body, type=Placed)
    it.orders += [Bought(order.id, asked.actor, order.total.amount, it.market.variants[0]) for order in placed.orders]
    it.go_to_pay(placed.payment)


SHOPPING: Draws = ((_want, 26), (_buy, 30), (_visit, 4))
JOINING: Draws = ((_register, 3), (_move, 2))
SHOPPING_LEARNS: Learns = {Checkout: _learn_orders, AgreePrice: _learn_orders}
