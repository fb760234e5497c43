"""A market with somebody in every role, each signed in, and two of everything: what the authorisation matrix walks through."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from support.stores import rows_of, tables
from unit.orders.casebook import picture
from unit.orders.market import MINUTE_MS, SHIPPING, Buyer, Market, channel, yuan
from yunduan.backends.sandbox import Event, Misbehaviour, Said
from yunduan.domains.catalog.applications import ApplicationForm, DocumentKind, LicenceDocument
from yunduan.domains.catalog.attributes import Attribute, AttributeKind
from yunduan.domains.catalog.commands import ApplyForShop, SetAttributes
from yunduan.domains.catalog.licences import KeepLicencePicture
from yunduan.domains.identity.commands import (
    AddAddress,
    AppointOwner,
    GrantRole,
    GrantShopRole,
    OpenSession,
    RegisterPerson,
    RequestCode,
)
from yunduan.domains.identity.model import OperatorRole, Postal, ShopRole, Vault
from yunduan.domains.identity.queries import Mailbox
from yunduan.domains.orders.casepictures import ShowPicture
from yunduan.domains.orders.cases import CaseKind, CaseLine, Reason
from yunduan.domains.orders.claiming import OpenCase
from yunduan.domains.orders.commands import AddToCart, RefundOrder, ReviewOrder
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.payments.commands import TakeNotification
from yunduan.domains.payments.model import BankAccount, charge_reference, chargeback_id, split_id, wallet_account
from yunduan.domains.payments.payees import PaymentSettings
from yunduan.domains.payments.payouts import NamePayee, Withdraw
from yunduan.edges.http.app import application
from yunduan.edges.http.callers import Sessions
from yunduan.edges.http.watching import Here
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import ApplicationId, OrderId, PersonId, ReviewId, ShopId, VariantId
from yunduan.runtime.settings import MailboxSettings, Settings
from yunduan.testing import World

SHOP_ROLES = tuple(role.value for role in ShopRole)
OPERATOR_ROLES = tuple(role.value for role in OperatorRole)
CALLERS = (
    "",
    "buyer",
    "other",
    *(f"shop {role}" for role in SHOP_ROLES),
    "elsewhere owner",
    *(f"operator {role}" for role in OPERATOR_ROLES),
)
QUIET = frozenset({"answer", "head", "cursor"})
"""Tables that a refused request may touch: what it was answered, and when."""


def pay_out_at_once(world: World) -> None:
    """Have an account paid out to as soon as it has been confirmed, so that no day has to pass, which would show in every session."""
    world.cloud._ports[PaymentSettings] = msgspec.structs.replace(world.cloud.port(PaymentSettings), payee_waits_ms=0)


class Town:
    """The market, its people by what they are called in `CALLERS`, and the ids of two tenants."""

    def __init__(self, folder: Path, *, at_ms: int = 0) -> None:
        """Build it, at a moment that a real server's clock can go on from when one is given."""
        self.market = Market(folder, is_searched=True)
        self.market.world.clock.advance_to(at_ms)
        self.world = self.market.world
        organic = Attribute(key="organic", name="有机", name_en="Organic", kind=AttributeKind.FLAG)
        self.world.send(SetAttributes(category_id=self.market.tea, attributes=(organic,)))
        self.tokens: dict[str, str] = {"": ""}
        self.people: dict[str, PersonId] = {}
        self._phones = 0
        here, elsewhere = self.market.shop.id, self.market.other.id
        ours, theirs = self._tenant("buyer", "shop owner", here), self._tenant("other", "elsewhere owner", elsewhere)
        for role in ShopRole:
            if role is not ShopRole.OWNER:
                self.world.send(GrantShopRole(shop_id=here, person_id=self._person(f"shop {role.value}"), role=role))
        for operator in OperatorRole:
            self.world.send(GrantRole(person_id=self._person(f"operator {operator.value}"), role=operator))
        ours["person_id"], theirs["person_id"] = self.people["shop packer"], self.people["elsewhere owner"]
        self.ours, self.theirs = ours, theirs
        self.homes = {name: self._moved_in(person) for name, person in self.people.items()}
        self.world.settle()
        settings, cloud = Settings(mailbox=MailboxSettings(shown=True)), self.world.cloud
        self.application = application(cloud, settings, admits=Sessions(cloud), watch=Here(cloud))

    def close(self) -> None:
        """Leave it."""
        self.market.close()

    def digest(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything in the store that a refused request must leave alone."""
        return {name: rows_of(self.world, name, in_order=True) for name in tables(self.world) if name not in QUIET}

    def _person(self, name: str) -> PersonId:
        self._phones += 1
        phone = f"+861370000{self._phones:04d}"
        person = self.world.send(RegisterPerson(phone=phone)).person_id
        self.sign_in(name, phone)
        self.people[name] = person
        return person

    def _moved_in(self, person: PersonId) -> str:
        """An address of theirs, the newest and not the default; in the cart is something that can be sent there."""
        actor = Actor(person=person)
        self.world.send(AddToCart(variant_id=VariantId(self.ours["variant_id"])), actor=actor)
        home = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",))
        return self.world.send(AddAddress(address=home), actor=actor).id

    def sign_in(self, name: str, phone: str) -> str:
        """By a code; answers the session's id."""
        challenge = self.world.send(RequestCode(contact=phone)).id
        code = next(letter.code for letter in self.world.ask(Mailbox()).items if letter.id == challenge)
        opened = self.world.send(OpenSession(challenge_id=challenge, code=code))
        assert opened.session_id is not None
        self.tokens[name] = self.world.cloud.port(Vault).token(opened.session_id)
        return opened.session_id

    def _alert(self) -> str:
        """A genuine notification about something that nobody has asked the channel for."""
        sandbox = self.market.sandbox
        event = Event(
            event=f"evt_{self._phones}", merchant=sandbox.merchant, reference="pay_0", outcome=Said.CAPTURED, amount=yuan(self._phones)
        )
        body = msgspec.json.encode(event)
        self.world.send(TakeNotification(channel="sandbox", body=body, headers=sandbox.signed(body)))
        return str(self.world.rows("SELECT max(id) FROM payment_alert")[0][0])

    def awaited(self, buyer: Buyer) -> str:
        """A withdrawal of so much that operators have to approve it."""
        account = BankAccount(bank="中国工商银行", holder="林美", number="6222020200012345670")
        self.world.send(NamePayee(channel="sandbox", account=account), actor=buyer.actor)
        pay_out_at_once(self.world)
        self.world.settle()
        return self.world.send(Withdraw(amount=yuan(5_500_000)), actor=buyer.actor).id

    def owed(self, buyer: Buyer, shop_id: ShopId) -> str:
        """What a buyer has paid over the channel, which would not take it back when the shop refunded it."""
        market, total = self.market, 1999 + SHIPPING
        variant = market.offer(shop=market.shop if shop_id == market.shop.id else market.other)
        buyer.want(variant)
        placed = self.world.send(buyer.checkout(total, channel(total), variant_ids=(variant,)), actor=buyer.actor)
        market.decide(placed.payment.redirects[0].url)
        before, market.sandbox.misbehaviour = market.sandbox.misbehaviour, Misbehaviour(refuses_refunds=1000)
        ask = RefundOrder(shop_id=shop_id, order_id=placed.orders[0].id, amount=yuan(total))
        self.world.send(ask, actor=market.staff("owner", shop=shop_id))
        self.world.pass_time(MINUTE_MS)
        market.sandbox.misbehaviour = before
        ((id,),) = self.world.rows("SELECT max(id) FROM payment_unclaimed WHERE payer = ?", buyer.person)
        return str(id)

    def kept(self, buyer: Buyer, shop_id: ShopId) -> str:
        """An order that has been received, whose money the custodian keeps and would not split."""
        market = self.market
        return self.kept_of(buyer, shop_id, market.offer(shop=market.shop if shop_id == market.shop.id else market.other))

    def kept_of(self, buyer: Buyer, shop_id: ShopId, variant: VariantId, pieces: int = 1) -> str:
        """The same of so many pieces."""
        market = self.market
        buyer.want(variant, pieces)
        placed = buyer.buy(channel(buyer.total(), "custodian"))
        market.decide(placed.payment.redirects[0].url)
        before, market.custodian.misbehaviour = market.custodian.misbehaviour, Misbehaviour(refuses_splits=1000)
        market.ship(placed.orders[0].id, shop_id)
        self.world.send(ConfirmReceipt(order_id=placed.orders[0].id), actor=buyer.actor)
        self.world.pass_time(MINUTE_MS)
        market.custodian.misbehaviour = before
        return split_id(placed.orders[0].id, 0)

    def _tenant(self, buyer_name: str, owner_name: str, shop_id: ShopId) -> dict[str, str]:
        market = self.market
        shop = market.shop if shop_id == market.shop.id else market.other
        self.world.send(AppointOwner(shop_id=shop_id, person_id=self._person(owner_name)))
        variant = market.offer(shop=shop)
        buyer: Buyer = market.buyer(1_000_000)
        self.people[buyer_name] = buyer.person
        phone = f"+8613800{market.buyers:06d}"
        first = self.sign_in(buyer_name, phone)
        self.sign_in(buyer_name, phone)
        buyer.want(variant)
        placed = buyer.buy()
        buyer.want(variant, 2)
        ((goods,),) = self.world.rows("SELECT goods_id FROM variant WHERE id = ?", variant)
        wallet = wallet_account(buyer.person, "CNY")
        licence = picture(len(self.people))
        gone, review = self._review(variant, shop_id)
        ((transfer,),) = self.world.rows("SELECT id FROM transfer WHERE debit = ? ORDER BY seq DESC LIMIT 1", wallet)
        return {
            "shop_id": shop_id,
            "goods_id": goods,
            "variant_id": variant,
            "category_id": market.tea,
            "location_id": shop.location_id,
            "template_id": shop.template_id,
            "order_id": placed.orders[0].id,
            "checkout_id": placed.id,
            "payment_id": placed.payment.id,
            "address_id": buyer.address,
            "session_id": first,
            "transfer_id": transfer,
            "account_id": wallet,
            "number": placed.orders[0].number,
            "parcel": "1",
            "alert_id": self._alert(),
            "application_id": self._applied(buyer, licence),
            "payout_id": self.awaited(market.buyer(6_000_000)),
            "unclaimed_id": self.owed(buyer, shop_id),
            "split_id": self.kept(market.buyer(), shop_id),
            "review_id": review,
            "parcels": gone,
            **self._case(buyer, variant, licence),
            "chargeback_id": self.charged_back(market.buyer(), variant),
        }

    def charged_back(self, buyer: Buyer, variant: VariantId) -> str:
        """What somebody's bank has taken back of an order that they had paid over the channel."""
        buyer.want(variant)
        placed = buyer.buy(channel(buyer.total()))
        self.market.decide(placed.payment.redirects[0].url)
        name = self.market.sandbox.charge_back(charge_reference(placed.payment.id, 0))
        self.world.settle()
        return chargeback_id("sandbox", name)

    def beyond(self, buyer: Buyer, variant: VariantId) -> str:
        """An alert: somebody's bank has taken back more than they had paid; the channel has as much of another order of theirs."""
        sandbox, placed = self.market.sandbox, []
        for _ in range(2):
            buyer.want(variant)
            placed.append(buyer.buy(channel(buyer.total())))
            self.market.decide(placed[-1].payment.redirects[0].url)
        reference = charge_reference(placed[0].payment.id, 0)
        event = Event(
            event=f"{reference}.beyond",
            merchant=sandbox.merchant,
            reference=reference,
            outcome=Said.CHARGED_BACK,
            amount=yuan(placed[0].orders[0].total.amount + 1),
            chargeback=f"dsp{reference[4:24]}",
        )
        body = msgspec.json.encode(event)
        self.world.send(TakeNotification(channel="sandbox", body=body, headers=sandbox.signed(body)))
        return next(str(id) for id, kept in self.world.rows("SELECT id, body FROM payment_alert") if reference.encode() in bytes(kept))

    def decided_otherwise(self, buyer: Buyer, variant: VariantId) -> str:
        """The same, decided about less than was told."""
        id = self.charged_back(buyer, variant)
        sandbox = self.market.sandbox
        name = next(one.chargeback for one in sandbox.chargebacks() if chargeback_id("sandbox", one.chargeback) == id)
        sandbox.decide_chargeback(name, won=True, amount=1_000)
        self.world.settle()
        return id

    def _applied(self, buyer: Buyer, content: bytes) -> ApplicationId:
        """An application of a buyer for a shop of their own, with a picture."""
        name = self.world.send(KeepLicencePicture(content=content), actor=buyer.actor).id
        licence = LicenceDocument(kind=DocumentKind.BUSINESS_LICENCE, text="91330106MA2CFXXX0X", picture_id=name)
        form = ApplicationForm(name="茶庄", country="CN", currency="CNY", documents=(licence,))
        return self.world.send(ApplyForShop(form=form), actor=buyer.actor).id

    def _case(self, buyer: Buyer, variant: VariantId, content: bytes) -> dict[str, str]:
        """Another order of this buyer, whose shop has been asked for the money, with the same picture, which so has the same name."""
        placed = buyer.buy()
        buyer.want(variant, 2)
        lines = (CaseLine(variant_id=variant, quantity=1),)
        ask = OpenCase(order_id=placed.orders[0].id, kind=CaseKind.REFUND, reason=Reason.DAMAGED, lines=lines)
        case_id = self.world.send(ask, actor=buyer.actor).id
        shown = self.world.send(ShowPicture(case_id=case_id, content=content), actor=buyer.actor)
        return {"case_id": case_id, "picture_id": shown.id}

    def _review(self, variant: VariantId, shop_id: ShopId) -> tuple[OrderId, ReviewId]:
        """What somebody else has bought of this shop, received and reviewed."""
        reader = self.market.buyer(100_000)
        reader.want(variant)
        (order,) = reader.buy().orders
        self.market.ship(order.id, shop=shop_id)
        self.world.send(ConfirmReceipt(order_id=order.id), actor=reader.actor)
        said = ReviewOrder(order_id=order.id, variant_id=variant, stars=5, text="好茶")
        return order.id, self.world.send(said, actor=reader.actor).id


def seeded(value: Any, ids: Mapping[str, Any]) -> Any:
    """A sample body with real ids in the place of its made-up ones."""
    if isinstance(value, list):
        return [seeded(inner, ids) for inner in value]
    if not isinstance(value, dict):
        return value
    named = {name: ids[name] for name, inner in value.items() if name in ids and isinstance(inner, (str, type(None)))}
    return {name: seeded(inner, ids) for name, inner in value.items()} | named
