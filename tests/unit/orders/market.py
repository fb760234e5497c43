"""A small market: two shops, a sandbox channel, and buyers with addresses and money in their wallets."""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from support.stores import rows_of, tables
from yunduan.backends.sandbox import Custodian, Sandbox
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, SetShippingTemplate, SetStock, ShopCreatedAnswer
from yunduan.domains.catalog.model import GoodsForm, GoodsOption, Measure, OptionValue, Place, Rate, StockReason, VariantForm, Zone
from yunduan.domains.identity.commands import AddAddress, RegisterPerson
from yunduan.domains.identity.model import Postal
from yunduan.domains.ledger.queries import AccountOf, TrialBalance
from yunduan.domains.orders import store
from yunduan.domains.orders.agreed import AgreedDiscount, AgreedLine, PlaceAgreed
from yunduan.domains.orders.commands import AddToCart, Checkout, Placed
from yunduan.domains.orders.model import Funder, Order, OrderState
from yunduan.domains.orders.queries import PreviewCheckout
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.shipping import ShipOrder
from yunduan.domains.payments.commands import SetAsideForPromotions, TopUpWallet
from yunduan.domains.payments.model import (
    Chargeback,
    EscrowState,
    Tender,
    TenderKind,
    commission_account,
    escrow_account,
    promotions_account,
    shop_account,
    wallet_account,
)
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import AccountId, AddressId, CategoryId, OrderId, PersonId, ShopId, VariantId
from yunduan.kernel.money import Money
from yunduan.runtime.ports import Store
from yunduan.testing import World
from yunduan.testing.trade.checks import drawn_of

MINUTE_MS = 60_000
SHIPPING = 800
HOLDING = (OrderState.PAID, OrderState.PARTLY_SHIPPED, OrderState.SHIPPED)
"""The states in which an escrow holds what is left of an order."""


def yuan(fen: int) -> Money:
    """An amount in the market's currency."""
    return Money(amount=fen, currency="CNY")


def wallet(fen: int) -> tuple[Tender, ...]:
    """All of it from the wallet."""
    return (Tender(kind=TenderKind.WALLET, amount=yuan(fen)),)


def channel(fen: int, name: str = "sandbox") -> tuple[Tender, ...]:
    """All of it over a channel."""
    return (Tender(kind=TenderKind.CHANNEL, amount=yuan(fen), channel=name),)


class Buyer:
    """Somebody with an address, who may have money."""

    def __init__(self, market: "Market", number: int) -> None:
        """Register."""
        self.market = market
        self.person: PersonId = market.world.send(RegisterPerson(phone=f"+8613800{number:06d}")).person_id
        self.actor = Actor(person=self.person)
        self.address: AddressId = self.move_to("浙江")

    def move_to(self, region: str, *, country: str = "CN", phone: str = "0571-88157788") -> AddressId:
        """Keep another address."""
        home = Postal(recipient="林美", phone=phone, country=country, region=region, city="杭州", lines=("文一西路969号",))
        self.address = self.market.world.send(AddAddress(address=home), actor=self.actor).id
        return self.address

    def want(self, variant: VariantId, quantity: int = 1) -> None:
        """Put something into the cart."""
        self.market.world.send(AddToCart(variant_id=variant, quantity=quantity), actor=self.actor)

    def total(self) -> int:
        """What the cart would cost now."""
        return self.market.world.ask(PreviewCheckout(address_id=self.address), actor=self.actor).total.amount

    def checkout(self, total: int | None = None, tenders: tuple[Tender, ...] | None = None, **more: Any) -> Checkout:
        """The command that buys the cart, from the wallet unless said otherwise."""
        total = self.total() if total is None else total
        return Checkout(**{"address_id": self.address, "total": yuan(total), "tenders": tenders or wallet(total)} | more)

    def buy(self, tenders: tuple[Tender, ...] | None = None, *, key: str = "", **more: Any) -> Placed:
        """Buy the cart."""
        return self.market.world.send(self.checkout(tenders=tenders, **more), actor=self.actor, key=key)

    def money(self) -> int:
        """What is in the wallet and free."""
        return self.market.balance(wallet_account(self.person, "CNY"))


class Market:
    """What the tests of orders begin with."""

    def __init__(self, folder: Path, store: Store | None = None, *, is_searched: bool = False) -> None:
        """Found it, on the embedded store unless another is given."""
        self.world = World(store, folder=folder, is_searched=is_searched) if store else World.at(folder, is_searched=is_searched)
        self.sandbox = self.world.cloud.port(Sandbox)
        self.custodian = self.world.cloud.port(Custodian)
        self.owner: PersonId = self.world.send(RegisterPerson(phone="+8613900138000")).person_id
        self.tea: CategoryId = self.world.send(CreateCategory(name="茶")).id
        self.shop = self.found("云茶")
        self.other = self.found("别家")
        self.buyers = 0
        self.goods = 0

    def close(self) -> None:
        """Close it."""
        self.world.close()

    def found(self, name: str, currency: str = "CNY", *, commission_ppm: int = 50_000) -> ShopCreatedAnswer:
        """Open a shop that ships for 8.00 within the country, but not to 西藏."""
        opening = CreateShop(owner_id=self.owner, name=name, country="CN", currency=currency, commission_ppm=commission_ppm)
        shop = self.world.send(opening)
        terms = SetShippingTemplate(
            shop_id=shop.id,
            id=shop.template_id,
            name="standard",
            measure=Measure.PIECE,
            zones=(
                Zone(places=(Place(country="CN"),), rate=Rate(first_units=100, first_fee=SHIPPING)),
                Zone(places=(Place(country="CN", region="西藏"),)),
            ),
        )
        self.world.send(terms)
        return shop

    def offer(self, on_hand: int = 100, fen: int = 1999, *, shop: ShopCreatedAnswer | None = None, **more: Any) -> VariantId:
        """Goods on sale with so many pieces; answers their one variant."""
        shop = shop or self.shop
        self.goods += 1
        currency = more.pop("currency", "CNY")
        variant = VariantForm(sku=f"TEA-{self.goods}", price=Money(amount=fen, currency=currency), weight_g=250)
        form = GoodsForm(title="龙井", title_en="Longjing", category_id=self.tea, variants=(variant,), **more)
        made = self.world.send(CreateGoods(shop_id=shop.id, form=form, publish=True))
        (id,) = made.variant_ids
        self.stock(id, on_hand, shop)
        return id

    def choice(self, on_hand: int = 100, fen: int = 1999, *, other_fen: int | None = None) -> tuple[VariantId, VariantId]:
        """Goods in two sizes with so many pieces each, at one price unless said otherwise."""
        self.goods += 1
        prices = (fen, fen if other_fen is None else other_fen)
        variants = tuple(
            [
                VariantForm(sku=f"TEA-{self.goods}-{number}", choice=(number,), price=yuan(price), weight_g=250)
                for number, price in enumerate(prices)
            ]
        )
        sizes = (GoodsOption(name="规格", values=(OptionValue(name="大"), OptionValue(name="小"))),)
        form = GoodsForm(title="龙井", title_en="Longjing", category_id=self.tea, options=sizes, variants=variants)
        made = self.world.send(CreateGoods(shop_id=self.shop.id, form=form, publish=True))
        first, second = made.variant_ids
        for id in (first, second):
            self.stock(id, on_hand)
        return first, second

    def stock(self, id: VariantId, on_hand: int, shop: ShopCreatedAnswer | None = None) -> None:
        """Count the pieces of a variant."""
        shop = shop or self.shop
        reason = StockReason.COUNTED
        self.world.send(SetStock(shop_id=shop.id, variant_id=id, location_id=shop.location_id, on_hand=on_hand, reason=reason))

    def buyer(self, fen: int = 0) -> Buyer:
        """Somebody with so much in the wallet."""
        self.buyers += 1
        buyer = Buyer(self, self.buyers)
        if fen:
            self.top_up(buyer, fen)
        return buyer

    def top_up(self, buyer: Buyer, fen: int) -> None:
        """Bring money into a wallet over the channel."""
        started = self.world.send(TopUpWallet(amount=yuan(fen), channel="sandbox"), actor=buyer.actor)
        self.decide(started.redirects[0].url)

    def decide(self, url: str, *, approve: bool = True) -> None:
        """Go to the channel's page and decide; it tells us at once."""
        page = (self.custodian if "/custodian/" in url else self.sandbox).decide(dict(parse_qsl(urlsplit(url).query)), approve=approve)
        assert page is not None
        self.world.settle()

    def set_aside(self, fen: int) -> None:
        """Earn so much by an order whose goods are all commission, and set it aside for discounts."""
        shop = self.found("平台自营", commission_ppm=1_000_000)
        buyer = self.buyer(fen + SHIPPING)
        buyer.want(self.offer(1, fen, shop=shop))
        (order,) = buyer.buy().orders
        self.ship(order.id, shop.id)
        self.world.send(ConfirmReceipt(order_id=order.id), actor=buyer.actor)
        self.world.send(SetAsideForPromotions(promotion_id=f"prm_{self.buyers}", amount=yuan(fen)))

    def agreed(self, buyer: Buyer, lines: Sequence[AgreedLine], *discounts: AgreedDiscount, tenders: tuple[Tender, ...]) -> PlaceAgreed:
        """What a buyer has agreed on elsewhere, with discounts; to be sent by the cloud in the buyer's name."""
        due = self.world.clock.wall_ms() + 15 * MINUTE_MS
        return PlaceAgreed(address_id=buyer.address, lines=tuple(lines), tenders=tenders, pay_by=due, discounts=discounts)

    def staff(self, *roles: str, shop: ShopId | None = None) -> Actor:
        """Somebody who works in a shop."""
        return Actor(person=PersonId("per_staff"), shop_roles={shop or self.shop.id: frozenset(roles or ("manager",))})

    def operator(self, *roles: str) -> Actor:
        """Somebody who works for the marketplace."""
        return Actor(person=PersonId("per_operator"), operator_roles=frozenset(roles or ("finance",)))

    def ship(self, order_id: OrderId, shop: ShopId | None = None) -> None:
        """Let an order go."""
        shop_id = shop or self.shop.id
        self.world.send(
            ShipOrder(shop_id=shop_id, order_id=order_id, carrier="SF Express", tracking="SF1"), actor=self.staff("packer", shop=shop_id)
        )

    # What a test looks at

    def balance(self, account: AccountId) -> int:
        """What may leave an account."""
        found = self.world.ask(AccountOf(id=account))
        return found.credits_posted - found.debits_posted - found.debits_pending if found else 0

    def escrow(self, order_id: OrderId) -> int:
        """What is held for an order."""
        return self.balance(escrow_account(order_id))

    def earned(self, shop: ShopId | None = None) -> int:
        """What a shop has."""
        return self.balance(shop_account(shop or self.shop.id, "CNY"))

    def promotions(self) -> int:
        """What is set aside for discounts."""
        return self.balance(promotions_account("CNY"))

    def commission(self) -> int:
        """What the marketplace has."""
        return self.balance(commission_account("CNY"))

    def shelf(self, id: VariantId) -> tuple[int, int]:
        """(on hand, held) of a variant."""
        ((on_hand, held),) = self.world.rows("SELECT on_hand, held FROM stock WHERE variant_id = ?", id)
        return on_hand, held

    def state(self, order_id: OrderId) -> str:
        """Where an order stands."""
        ((state,),) = self.world.rows("SELECT state FROM orders WHERE id = ?", order_id)
        return str(state)

    def variants(self, order_id: OrderId) -> list[VariantId]:
        """What an order is of."""
        return [item.variant_id for order in kept(self.world) if order.id == order_id for item in store.terms(order).items]

    def everything(self) -> list[Any]:
        """All that a refused command must leave alone."""
        return [rows_of(self.world, name) for name in tables(self.world) if name not in ("head", "cursor")]

    def holds(self, text: str) -> bool:
        """Whether a text stands in clear anywhere: in any column of any table, of whatever type."""
        values = [value for table in self.everything() for row in table for value in row]
        return any(text.encode() in (bytes(value) if isinstance(value, bytes) else str(value).encode()) for value in values)

    def assert_refused(self, code: str, command: Any, actor: Actor) -> None:
        """A command is refused with a code, and everything is as it was."""
        before = self.everything()
        assert self.world.refusal(command, actor=actor) == code
        assert self.everything() == before

    def assert_balanced(self) -> None:
        """The books balance, each order's escrow holds what is left of it, and stock is held for whoever waits for it.

        An escrow that a provider has yet to split, or would not, is no emptier for that.
        """
        trial = self.world.run(self.world.cloud.ask_slow(TrialBalance()))
        assert trial.balanced, trial
        taken = [msgspec.json.decode(body, type=Chargeback) for (body,) in self.world.rows("SELECT body FROM payment_chargeback")]
        splitting = {id for (id,) in self.world.rows("SELECT order_id FROM escrow WHERE state = ?", EscrowState.SPLITTING)}
        for order in kept(self.world):
            holds = order.state in HOLDING or order.id in splitting
            left = order.left - order.progress.taken + promoted_left(order) if holds else 0
            left += drawn_of(order.id, taken) if order.id in splitting else 0
            assert self.escrow(order.id) == left, (order.id, order.state)
        waiting = dict(self.world.rows("SELECT variant_id, CAST(sum(held) AS INTEGER) FROM stock GROUP BY variant_id"))
        assert waiting == held_by_orders(self.world, waiting)


def facts_told(market: Market) -> int:
    """How many facts were told, but for what lists show, which a minute brings."""
    ((facts,),) = market.world.rows("SELECT count(*) FROM fact WHERE kind <> 'StandingsShown'")
    return int(facts)


def orders(world: World) -> list[tuple[OrderId, str, int, int]]:
    """Id, state, total and what was given back of every order."""
    return [(order.id, order.state.value, order.total, order.progress.refunded) for order in kept(world)]


def promoted_left(order: Order) -> int:
    """What is left of what the marketplace pays of an order: as large a part as of what the buyer paid, to the nearest unit."""
    paid = sum(discount.amount for discount in store.terms(order).discounts if discount.funder is Funder.MARKETPLACE)
    return math.floor(Fraction(paid * order.left, order.total) + Fraction(1, 2)) if order.total else paid


def kept(world: World) -> list[Order]:
    """Every order."""
    return [store.ORDER.value(row) for row in world.rows(f"SELECT {', '.join(store.ORDER.columns)} FROM orders ORDER BY id")]


def held_by_orders(world: World, variants: dict[VariantId, int]) -> dict[VariantId, int]:
    """How many pieces of each variant the open orders wait for, and exchanges that were agreed to."""
    held = dict.fromkeys(variants, 0)
    for order in kept(world):
        if order.state in (OrderState.PLACED, OrderState.PAID, OrderState.PARTLY_SHIPPED):
            for item in store.terms(order).items:
                held[item.variant_id] += item.quantity
            for parcel in order.progress.parcels:
                for line in parcel.lines if not parcel.of else ():
                    held[line.variant_id] -= line.quantity
    for case in map(store.CASE.value, world.rows(f"SELECT {', '.join(store.CASE.columns)} FROM order_case")):
        if case.details.held:
            held[case.details.instead] += case.pieces
    return held
