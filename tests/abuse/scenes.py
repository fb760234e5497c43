"""A request that is let in and carried out, for every change that the route tables know: what tests of abuse spoil, repeat and race."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from support.asgi import Client, Heard, call
from support.town import Town, pay_out_at_once
from unit.orders.casebook import PATHS, Claim, picture
from unit.orders.market import Buyer, channel, yuan
from yunduan.cloud import DOMAINS
from yunduan.domains.catalog.applications import ApplicationForm
from yunduan.domains.catalog.commands import (
    ApplyForShop,
    BanGoods,
    CreateCategory,
    CreateLocation,
    KeepSender,
    RemoveLocation,
    SuspendShop,
)
from yunduan.domains.catalog.model import LOCATIONS_MAX, CatalogSettings
from yunduan.domains.catalog.queries import SettingsOf
from yunduan.domains.identity.commands import GrantRole, GrantShopRole, RegisterPerson
from yunduan.domains.identity.model import OperatorRole, Postal, ShopRole
from yunduan.domains.identity.queries import Mailbox
from yunduan.domains.orders.cases import CaseEvent, CaseKind, CaseState
from yunduan.domains.orders.claiming import PassDeadline
from yunduan.domains.orders.commands import Placed, ReviewOrder
from yunduan.domains.orders.model import ReportReason, Who
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.reporting import ReportReview
from yunduan.domains.orders.repricing import OfferPrice
from yunduan.domains.payments.cycles import Cycle
from yunduan.domains.payments.deposits import PledgeDeposit
from yunduan.domains.payments.model import BankAccount
from yunduan.domains.payments.payouts import NamePayee, NameShopPayee
from yunduan.domains.payments.settling import SetPayoutPlan
from yunduan.domains.search.asked import NoteQueries, Own
from yunduan.domains.search.recents import Entry, RememberQueries
from yunduan.edges.http.openapi import openapi_document
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import LocationId, OrderId, ShopId
from yunduan.kernel.money import Money
from yunduan.runtime.registry import Registry

REGISTRY = Registry(DOMAINS)
DOCUMENT = openapi_document(REGISTRY, public_url="http://test")
ROUTES = {f"{route.method} {route.path}": route for route in REGISTRY.routes}
CHANGES = tuple(name for name, route in ROUTES.items() if route.message in REGISTRY.commands and route.takes is None)
READS = tuple(name for name, route in ROUTES.items() if route.message in REGISTRY.queries and route.method == "GET")
ASKED_BY_BODY = tuple(name for name, route in ROUTES.items() if route.message in REGISTRY.queries and route.method != "GET")
"""What is asked with something personal, which belongs into no address."""
ENDS_THE_SESSION = {"DELETE /me", "POST /me/sign-out"}
"""After these the same token is nobody's, so that even the same key is answered 401."""
HOME = {
    "recipient": "林美",
    "phone": "0571-88157788",
    "country": "CN",
    "region": "浙江",
    "city": "杭州",
    "district": "",
    "lines": ["文一西路969号"],
    "postal_code": "",
}


class Scene(Struct, frozen=True, kw_only=True):
    """One request: whose token, which address, what body; `other` is another body that fits the same form."""

    name: str
    token: str
    path: str
    body: Any = None
    other: Any = None

    @property
    def method(self) -> str:
        """GET, POST, PUT, PATCH or DELETE."""
        return self.name.partition(" ")[0]

    def request(self, key: str, body: Any = None, *, token: str | None = None) -> "Request":
        """It as it is sent, under a key; with another body, or by somebody else."""
        sent = encoded(self.body if body is None else body)
        return Request(self.method, self.path, sent, headers(self.token if token is None else token, key, has_body=bool(sent)))


class Request(Struct, frozen=True):
    """What is sent, byte for byte."""

    method: str
    target: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def headers(token: str, key: str = "", *, has_body: bool = False) -> tuple[tuple[str, str], ...]:
    """Those that a good client sends."""
    made = [("authorization", f"Bearer {token}")] if token else []
    if key:
        made.append(("idempotency-key", key))
    if has_body:
        made.append(("content-type", "application/json"))
    return tuple(made)


class Stage:
    """A town that makes scenes: each stands alone, so that what one request changes spoils no other."""

    def __init__(self, town: Town) -> None:
        """In this town."""
        self.town = town
        self.market = town.market
        self.world = town.world
        self._made = 0

    def scene(self, name: str) -> Scene:
        """A request that will be carried out: everything that it needs is there, and nothing has used it."""
        self._made += 1
        return SCENES[name](self, name)

    def client(self, token: str) -> Client:
        """Whoever has this token, over HTTP."""
        return Client(self.town.application, self.world.run, token)

    def answers(self, requests: Sequence[Request]) -> list[Heard]:
        """What each of these is answered, one after the other."""

        async def one_by_one() -> list[Heard]:
            return [await self._call(request) for request in requests]

        return self.world.run(one_by_one())

    def race(self, requests: Sequence[Request], *, apart_s: float = 0.0) -> list[Heard]:
        """The same, all at once, or each so much later than the one before."""

        async def late(number: int, request: Request) -> Heard:
            await asyncio.sleep(number * apart_s)
            return await self._call(request)

        async def together() -> list[Heard]:
            return list(await asyncio.gather(*[late(number, request) for number, request in enumerate(requests)]))

        return self.world.run(together())

    async def _call(self, request: Request) -> Heard:
        return await call(self.town.application, request.method, request.target, body=request.body, headers=request.headers)

    # People

    def newcomer(self, fen: int = 0) -> tuple[Buyer, str]:
        """Somebody whom no other scene knows, signed in; answers who, and the token."""
        buyer = self.market.buyer(fen)
        label = f"newcomer {self.market.buyers}"
        self.town.sign_in(label, self.phone())
        return buyer, self.town.tokens[label]

    def phone(self) -> str:
        """Of the newest buyer."""
        return f"+8613800{self.market.buyers:06d}"

    def stranger(self) -> str:
        """Somebody who is registered and nothing else; answers their id."""
        self._made += 1
        return self.world.send(RegisterPerson(phone=f"+861360{self._made:07d}")).person_id

    def code(self, challenge: str) -> str:
        """What the letter said."""
        return next(letter.code for letter in self.world.ask(Mailbox()).items if letter.id == challenge)

    # Orders

    def placed(self, fen: int = 100_000, quantity: int = 2) -> tuple[Buyer, str, Placed]:
        """A paid order of somebody; answers who, the token, and what was placed."""
        buyer, token = self.newcomer(fen)
        buyer.want(self.market.offer(), quantity)
        placed = buyer.buy()
        self.world.settle()
        return buyer, token, placed

    def shipped(self) -> tuple[Buyer, str, Placed]:
        """The same, and the goods have left."""
        buyer, token, placed = self.placed()
        self.market.ship(placed.orders[0].id)
        self.world.settle()
        return buyer, token, placed

    # Scenes

    def made(self, name: str, caller: str, ids: dict[str, Any], body: Any = None, other: Any = None) -> Scene:
        """A scene of this route."""
        path = "/v1" + name.partition(" ")[2]
        for parameter in ROUTES[name].in_path():
            path = path.replace("{" + parameter + "}", str(ids.get(parameter) or self.town.ours[parameter]))
        return Scene(name=name, token=self.town.tokens.get(caller, caller), path=path, body=body, other=other)


Make = Callable[[Stage, str], Scene]


def _of_shop(ids: Callable[[Stage], dict[str, Any]], body: Any = None, other: Any = None, *, caller: str = "shop owner") -> Make:
    """A scene of a shop's desk, or with another caller of the marketplace's."""

    def make(stage: Stage, name: str) -> Scene:
        found = ids(stage)
        return stage.made(name, caller, found, body(stage, found) if callable(body) else body, other)

    return make


def _fresh_goods(stage: Stage) -> dict[str, Any]:
    variant = stage.market.offer()
    ((goods,),) = stage.world.rows("SELECT goods_id FROM variant WHERE id = ?", variant)
    return {"variant_id": variant, "goods_id": goods}


def _nothing(_: Stage) -> dict[str, Any]:
    return {}


def _form(stage: Stage, sku: str) -> dict[str, Any]:
    price = {"amount": 1999, "currency": "CNY"}
    variant = {"id": None, "sku": sku, "choice": [], "price": price, "compare_at": None, "barcode": "", "weight_g": 250}
    return {
        "title": "龙井",
        "title_en": "Longjing",
        "description": "",
        "description_en": "",
        "category_id": stage.market.tea,
        "template_id": None,
        "tax_class": "standard",
        "pictures": [],
        "options": [],
        "variants": [variant],
    }


def _new_goods(stage: Stage, name: str) -> Scene:
    stage._made += 1
    form = _form(stage, f"NEW-{stage._made}")
    return stage.made(name, "shop owner", {}, {"form": form, "publish": True}, {"form": form, "publish": False})


def _changed_goods(stage: Stage, name: str) -> Scene:
    ids = _fresh_goods(stage)
    desk = stage.client(stage.town.tokens["shop owner"])(
        "GET", f"/v1/shops/{stage.town.ours['shop_id']}/desk/goods/{ids['goods_id']}"
    ).json["goods"]
    version, sku = desk["version"], desk["form"]["variants"][0]["sku"]
    form = _form(stage, sku)
    form["variants"][0]["id"] = ids["variant_id"]
    return stage.made(name, "shop owner", ids, {"version": version, "form": form}, {"version": version, "form": form | {"title": "碧螺春"}})


def _sources(stage: Stage, name: str) -> Scene:
    body = {"sources": [{"location_id": id, "ships": True, "places": []} for id in _locations(stage)], "splits": True}
    return stage.made(name, "shop owner", {}, body, body | {"splits": False})


def _locations(stage: Stage) -> list[LocationId]:
    return [place.id for place in stage.world.ask(SettingsOf(shop_id=ShopId(stage.town.ours["shop_id"]))).locations]


def _moved_stock(stage: Stage, name: str) -> Scene:
    here, *more = _locations(stage)
    if not more:
        more = [stage.world.send(CreateLocation(shop_id=ShopId(stage.town.ours["shop_id"]), name="门店", country="CN")).id]
    body = {"from_location_id": here, "to_location_id": more[0]}
    lines = [{"variant_id": _fresh_goods(stage)["variant_id"], "quantity": 1}]
    return stage.made(name, "shop owner", {}, body | {"lines": lines}, body | {"lines": lines * 2})


def _published(stage: Stage, name: str) -> Scene:
    ids = _fresh_goods(stage)
    done = stage.made("POST /shops/{shop_id}/goods/{goods_id}/withdraw", "shop owner", ids)
    assert stage.client(done.token)("POST", done.path).status == 200
    return stage.made(name, "shop owner", ids)


def _scheduled(stage: Stage, name: str) -> Scene:
    withdrawn, at = _published(stage, "POST /shops/{shop_id}/goods/{goods_id}/publish"), stage.world.clock.wall_ms()
    ids = {"goods_id": withdrawn.path.split("/")[-2]}
    return stage.made(name, "shop owner", ids, {"on_sale_at": at + 86_400_000}, {"on_sale_at": at + 86_400_001})


def _ruled(stage: Stage, name: str) -> Scene:
    if name.endswith(("ban", "lift")):
        ids = _fresh_goods(stage)
        if name.endswith("lift"):
            stage.world.send(BanGoods(shop_id=stage.market.shop.id, goods_id=ids["goods_id"], reason="假货"))
        return stage.made(name, "operator admin", ids, {"reason": "假货"}, {"reason": "投诉"})
    ports = stage.world.cloud._ports
    before, ports[CatalogSettings] = ports[CatalogSettings], CatalogSettings(reviews_goods=True)
    ids = _fresh_goods(stage)
    ports[CatalogSettings] = before
    if name.endswith("approve"):
        return stage.made(name, "operator admin", ids, {"version": 1}, {"version": 2})
    return stage.made(name, "operator admin", ids, {"version": 1, "reason": "假货"}, {"version": 1, "reason": "投诉"})


def _signed_out(stage: Stage, name: str) -> Scene:
    _, token = stage.newcomer()
    return stage.made(name, token, {})


def _other_sessions(stage: Stage, name: str) -> Scene:
    _, token = stage.newcomer()
    session = stage.town.sign_in("second device", stage.phone())
    return stage.made(name, token, {"session_id": session})


def _signing_in(stage: Stage, name: str) -> Scene:
    stage._made += 1
    challenge = stage.client("")("POST", "/v1/sessions/codes", {"contact": f"+861350{stage._made:07d}"}).json["id"]
    body = {"challenge_id": challenge, "code": stage.code(challenge), "device": "手机"}
    return stage.made(name, "", {}, body, body | {"device": "平板"})


def _asking_for_a_code(stage: Stage, name: str) -> Scene:
    stage._made += 1
    body = {"contact": f"+861340{stage._made:07d}", "language": "zh", "region": "CN", "device": ""}
    if "/me/" in name:
        del body["device"]
    return stage.made(name, stage.newcomer()[1] if "/me/" in name else "", {}, body)


def _new_contact(stage: Stage, name: str) -> Scene:
    _, token = stage.newcomer()
    stage._made += 1
    asked = stage.client(token)("POST", "/v1/me/contacts/codes", {"contact": f"p{stage._made}@example.com"})
    challenge = asked.json["id"]
    body = {"challenge_id": challenge, "code": stage.code(challenge)}
    return stage.made(name, token, {}, body, body | {"code": f"{(int(body['code']) + 1) % 1_000_000:06d}"})


def _address(stage: Stage, name: str) -> Scene:
    buyer, token = stage.newcomer()
    body = None if name.startswith("DELETE") else {"address": HOME, "is_default": True}
    other = None if body is None else {"address": HOME | {"city": "宁波"}, "is_default": True}
    return stage.made(name, token, {"address_id": buyer.address}, body, other)


def _a_role_taken(stage: Stage, name: str) -> Scene:
    person = stage.stranger()
    shop_id = stage.town.ours["shop_id"]
    if "staff" in name:
        stage.world.send(GrantShopRole(shop_id=shop_id, person_id=person, role=ShopRole.PACKER))
        return stage.made(name, "shop owner", {"person_id": person, "role": "packer"})
    stage.world.send(GrantRole(person_id=person, role=OperatorRole.ANALYST))
    return stage.made(name, "operator admin", {"person_id": person, "role": "analyst"})


def _a_role_given(stage: Stage, name: str) -> Scene:
    person, another = stage.stranger(), stage.stranger()
    if "staff" in name:
        body = {"person_id": person, "role": "packer"}
        return stage.made(name, "shop owner", {}, body, body | {"person_id": another})
    said = {"shop_id": stage.town.ours["shop_id"]} if "owners" in name else {"role": "analyst"}
    body = {"person_id": person, **said}
    return stage.made(name, "operator admin", {}, body, body | {"person_id": another})


def _forgotten(stage: Stage, name: str) -> Scene:
    return stage.made(name, "operator admin", {"person_id": stage.stranger()})


def _new_shop(stage: Stage, name: str) -> Scene:
    body = {
        "owner_id": stage.stranger(),
        "name": "新店",
        "name_en": "New",
        "about": "",
        "about_en": "",
        "picture": None,
        "country": "CN",
        "region": "",
        "currency": "CNY",
        "commission_ppm": 50_000,
    }
    return stage.made(name, "operator admin", {}, body, body | {"commission_ppm": 60_000})


def _shop_said_anew(stage: Stage, name: str) -> Scene:
    body = {"name": "云茶", "name_en": "", "about": "", "about_en": "", "picture": None, "template_id": stage.town.ours["template_id"]}
    return stage.made(name, "shop owner", {}, body, body | {"name_en": "Tea"})


def _closed_or_open(stage: Stage, name: str) -> Scene:
    shop = stage.market.found("开关")
    if name.endswith("reopen"):
        stage.world.send(SuspendShop(shop_id=shop.id, reason="假货"))
    return stage.made(name, "operator admin", {"shop_id": shop.id}, {"reason": "假货"}, {"reason": "投诉"})


_APPLIED = {
    "name": "茶庄",
    "name_en": "",
    "about": "",
    "about_en": "",
    "picture": None,
    "country": "CN",
    "region": "",
    "currency": "CNY",
    "documents": [{"kind": "business_licence", "text": "91330106MA2CFXXX0X", "picture_id": None}],
}


def _application(stage: Stage, name: str) -> Scene:
    buyer, token = stage.newcomer()
    if name == "POST /shop-applications":
        return stage.made(name, token, {}, {"form": _APPLIED}, {"form": _APPLIED | {"name": "别庄"}})
    form = msgspec.convert(_APPLIED, ApplicationForm)
    ids = {"application_id": stage.world.send(ApplyForShop(form=form), actor=buyer.actor).id}
    if name.endswith("withdraw"):
        return stage.made(name, token, ids)
    if name.endswith("approve"):
        return stage.made(name, "operator admin", ids, {"commission_ppm": 50_000}, {"commission_ppm": 60_000})
    return stage.made(name, "operator admin", ids, {"reason": "看不清"}, {"reason": "过期"})


def _licence_picture(stage: Stage, name: str) -> Scene:
    _, token = stage.newcomer()
    body, other = ({"content": b64encode(picture(side)).decode()} for side in (1, 2))
    return stage.made(name, token, {}, body, other)


def _new_category(stage: Stage, name: str) -> Scene:
    stage._made += 1
    parent = stage.world.send(CreateCategory(name=f"类{stage._made}")).id
    body = {"name": "绿茶", "name_en": "", "parent_id": parent}
    return stage.made(name, "operator admin", {}, body, body | {"name": "红茶"})


def _template(stage: Stage, name: str) -> Scene:
    body = {
        "id": stage.town.ours["template_id"],
        "name": "standard",
        "measure": "piece",
        "zones": [{"places": [{"country": "CN", "region": ""}], "rate": _RATE}],
        "elsewhere": None,
    }
    return stage.made(name, "shop owner", {}, body, body | {"name": "other"})


_RATE = {"first_units": 100, "first_fee": 800, "further_units": 1, "further_fee": 0, "free_from": None}


def _top_up(stage: Stage, name: str) -> Scene:
    _, token = stage.newcomer()
    body = {"amount": {"amount": 1999, "currency": "CNY"}, "channel": "sandbox"}
    return stage.made(name, token, {}, body, {"amount": {"amount": 2000, "currency": "CNY"}, "channel": "sandbox"})


def _told(stage: Stage, name: str) -> Scene:
    _, token = stage.newcomer(100)
    stage.world.settle()
    return stage.made(name, token, {}, {"through": 1}, {"through": 0})


def _searched(stage: Stage, name: str) -> Scene:
    """Somebody has searched for two things, and has them remembered."""
    buyer, token = stage.newcomer()
    stage.world.send(RememberQueries(remembers=True), actor=buyer.actor)
    now = stage.world.cloud.now()
    asked = Own(person_id=buyer.person, entries=(Entry("龙井", now + 1), Entry("葡萄", now + 2)))
    stage.world.send(NoteQueries(own=(asked,)))
    bodies: dict[str, tuple[Any, Any]] = {"PUT": ({"remembers": False}, {"remembers": True}), "POST": ({"text": "龙井"}, {"text": "葡萄"})}
    return stage.made(name, token, {}, *bodies.get(name.partition(" ")[0], (None, None)))


def _earned(stage: Stage) -> None:
    """An order has been received, so that the shop has money."""
    buyer, _, placed = stage.shipped()
    stage.world.send(ConfirmReceipt(order_id=placed.orders[0].id), actor=buyer.actor)


def _deposit(stage: Stage, name: str) -> Scene:
    shop_id = ShopId(stage.town.ours["shop_id"])
    _earned(stage)
    stage.world.send(PledgeDeposit(shop_id=shop_id, amount=Money(amount=2_000, currency="CNY")))
    body = {"amount": {"amount": 1, "currency": "CNY"}}
    caller = "operator finance" if "releases" in name else "shop finance"
    return stage.made(name, caller, {}, body, {"amount": {"amount": 2, "currency": "CNY"}})


_ACCOUNT = {"bank": "中国工商银行", "holder": "林美", "number": "6222020200012345670"}


def _payee(stage: Stage, name: str) -> Scene:
    body = {"channel": "sandbox", "account": _ACCOUNT}
    other = {"channel": "sandbox", "account": _ACCOUNT | {"bank": "招商银行"}}
    if "shops" in name:
        _shops_payee(stage)
    return stage.made(name, "shop owner" if "shops" in name else stage.newcomer()[1], {}, body, other)


def _shops_payee(stage: Stage) -> None:
    owner = Actor(person=stage.town.people["shop owner"])
    ask = NameShopPayee(shop_id=ShopId(stage.town.ours["shop_id"]), channel="sandbox", account=BankAccount(**_ACCOUNT))
    stage.world.send(ask, actor=owner)


def _withdrawal(stage: Stage, name: str) -> Scene:
    """Money that is there, and an account that the channel has confirmed."""
    buyer, token = stage.newcomer(10_000)
    stage.world.send(NamePayee(channel="sandbox", account=BankAccount(**_ACCOUNT)), actor=buyer.actor)
    if "shops" in name:
        _earned(stage)
        _shops_payee(stage)
    pay_out_at_once(stage.world)
    stage.world.settle()
    body = {"amount": {"amount": 1, "currency": "CNY"}}
    return stage.made(name, "shop finance" if "shops" in name else token, {}, body, {"amount": {"amount": 2, "currency": "CNY"}})


def _unclaimed(stage: Stage, name: str) -> Scene:
    """Money that the channel would not give back."""
    buyer, token = stage.newcomer()
    id = stage.town.owed(buyer, ShopId(stage.town.ours["shop_id"]))
    stage.world.send(NamePayee(channel="sandbox", account=BankAccount(**_ACCOUNT)), actor=buyer.actor)
    stage.world.settle()
    return stage.made(name, token, {"unclaimed_id": id}, {"into": "wallet"}, {"into": "account"})


def _kept(stage: Stage, name: str) -> Scene:
    """Money that its provider would not split."""
    id = stage.town.kept(stage.newcomer()[0], ShopId(stage.town.ours["shop_id"]))
    return stage.made(name, "operator finance", {"split_id": id})


def _plan(stage: Stage, name: str) -> Scene:
    shop_id = ShopId(stage.town.ours["shop_id"])
    stage.world.send(SetPayoutPlan(shop_id=shop_id, cycle=Cycle.NONE), actor=Actor(person=stage.town.people["shop owner"]))
    body = {"cycle": "daily", "after_days": 7, "weekday": 1}
    return stage.made(name, "shop owner", {}, body, body | {"after_days": 8})


def _awaited(stage: Stage, name: str) -> Scene:
    return stage.made(name, "operator finance", {"payout_id": stage.town.awaited(stage.market.buyer(6_000_000))})


def _charged_back(stage: Stage, name: str) -> Scene:
    ids = {"chargeback_id": stage.town.charged_back(stage.market.buyer(), stage.market.offer())}
    if "operator" in name:
        return stage.made(name, "operator finance", ids)
    body = {"text": "签收人是买家本人", "references": ["SF1234567890"]}
    return stage.made(name, "shop service", ids, body, body | {"text": "买家已确认收货"})


def _decided_otherwise(stage: Stage, name: str) -> Scene:
    ids = {"chargeback_id": stage.town.decided_otherwise(stage.market.buyer(), stage.market.offer())}
    body = {"reason": "银行来函更正了金额"} | ({"won": False} if "closure" in name else {})
    return stage.made(name, "operator finance", ids, body, body | {"reason": "银行来函作废"})


def _alert(stage: Stage, name: str) -> Scene:
    stage.town._phones += 1  # what the alert's amount and event are made of
    return stage.made(name, "operator admin", {"alert_id": stage.town._alert()})


def _beyond(stage: Stage, name: str) -> Scene:
    ids = {"alert_id": stage.town.beyond(stage.market.buyer(), stage.market.offer())}
    body = {"reason": "银行来函，以其为准"}
    return stage.made(name, "operator finance", ids, body, {"reason": "银行来电"})


def _booked(stage: Stage, name: str) -> Scene:
    """Each by a name of its own, as a provider's lines have."""
    body: dict[str, Any] = {"name": f"line-{stage._made}", "reason": "机构自行处理"}
    if "splits" not in name:
        body |= {"amount": {"amount": 5_000, "currency": "CNY"}, "is_paid_in": True}
        return stage.made(name, "operator finance", {"channel": "custodian"}, body, body | {"name": f"another-{stage._made}"})
    id = stage.town.kept(stage.newcomer()[0], ShopId(stage.town.ours["shop_id"]))
    parts = {"to_shop": {"amount": 2_799, "currency": "CNY"}, "to_marketplace": {"amount": 0, "currency": "CNY"}}
    return stage.made(name, "operator finance", {"split_id": id}, body | parts, body | parts | {"reason": "机构来函"})


def _cart(stage: Stage, name: str) -> Scene:
    buyer, token = stage.newcomer()
    variant = stage.market.offer()
    if name.startswith("POST"):
        return stage.made(name, token, {}, {"variant_id": variant, "quantity": 2}, {"variant_id": variant, "quantity": 3})
    buyer.want(variant)
    if name.startswith("DELETE"):
        return stage.made(name, token, {"variant_id": variant})
    return stage.made(name, token, {"variant_id": variant}, {"quantity": 2}, {"quantity": 3})


def _location(stage: Stage, name: str) -> Scene:
    shop_id = stage.town.ours["shop_id"]
    before = stage.world.ask(SettingsOf(shop_id=shop_id)).shop.location_ids
    if len(before) > LOCATIONS_MAX // 2:  # those of the scenes before this one
        for id in before[1 : LOCATIONS_MAX // 4]:
            if not stage.world.rows("SELECT 1 FROM stock WHERE location_id = ? AND on_hand > 0", id):
                stage.world.send(RemoveLocation(shop_id=shop_id, location_id=id))
    made = stage.world.send(CreateLocation(shop_id=shop_id, name="旧仓", country="CN"))
    ids = {"shop_id": shop_id, "location_id": made.id}
    return stage.made(name, "shop owner", ids, *([{"name": "新仓"}, {"name": "北仓"}] if name.startswith("PUT") else []))


def _wait(stage: Stage, name: str) -> Scene:
    _, token = stage.newcomer()
    variant = stage.market.offer(0)
    ((goods,),) = stage.world.rows("SELECT goods_id FROM variant WHERE id = ?", variant)
    return stage.made(name, token, {"goods_id": goods, "variant_id": variant})


def _checkout(stage: Stage, name: str) -> Scene:
    buyer, token = stage.newcomer(100_000)
    variant = stage.market.offer()
    buyer.want(variant, 2)
    total = {"amount": buyer.total(), "currency": "CNY"}
    body = {
        "variant_ids": [variant],
        "address_id": buyer.address,
        "total": total,
        "tenders": [{"kind": "wallet", "amount": total, "channel": ""}],
        "note": "",
        "line_notes": [{"variant_id": variant, "text": "谢谢"}],
    }
    return stage.made(name, token, {}, body, body | {"note": "谢谢"})


def _of_paid(stage: Stage, name: str) -> Scene:
    _, token, placed = stage.placed()
    caller = "shop owner" if "/shops/" in name else token
    body = {"carrier": "SF Express", "tracking": "SF1"} if name.endswith("shipment") else None
    other = body and body | {"tracking": "SF2"}
    return stage.made(name, caller, {"order_id": placed.orders[0].id}, body, other)


def _redirected(stage: Stage, name: str) -> Scene:
    buyer, token, placed = stage.placed()
    there, elsewhere = buyer.move_to("江苏"), buyer.move_to("广东")
    return stage.made(name, token, {"order_id": placed.orders[0].id}, {"address_id": there}, {"address_id": elsewhere})


def _unpaid(stage: Stage) -> tuple[Buyer, str, OrderId]:
    buyer, token = stage.newcomer(100_000)
    buyer.want(stage.market.offer())
    return buyer, token, buyer.buy(channel(buyer.total())).orders[0].id


def _offered(stage: Stage, name: str) -> Scene:
    _, token, order_id = _unpaid(stage)
    off = {"discount": {"amount": 100, "currency": "CNY"}, "shipping": {"amount": 800, "currency": "CNY"}}
    if name.startswith("PUT"):
        return stage.made(name, "shop owner", {"order_id": order_id}, off, off | {"discount": {"amount": 200, "currency": "CNY"}})
    shop_id = stage.market.shop.id
    ask = OfferPrice(shop_id=shop_id, order_id=order_id, discount=yuan(0), shipping=yuan(0))
    total = stage.world.send(ask, actor=stage.market.staff("owner")).checkout_total
    money = {"amount": total.amount, "currency": "CNY"}
    body = {"total": money, "tenders": [{"kind": "wallet", "amount": money, "channel": ""}]}
    by_channel = body | {"tenders": [{"kind": "channel", "amount": money, "channel": "sandbox"}]}
    return stage.made(name, token, {"order_id": order_id}, body, by_channel)


def _memo(stage: Stage, name: str) -> Scene:
    _, _, placed = stage.placed()
    return stage.made(name, "shop owner", {"order_id": placed.orders[0].id}, {"memo": "先发茶"}, {"memo": "客人催过"})


def _packed(stage: Stage, name: str) -> Scene:
    _, _, placed = stage.placed()
    order_id = placed.orders[0].id
    lines = [{"variant_id": variant, "quantity": 1} for variant in stage.market.variants(order_id)]
    body = {"carrier": "SF Express", "tracking": "SF1", "lines": lines}
    return stage.made(name, "shop owner", {"order_id": order_id}, body, body | {"tracking": "SF2"})


def _sender(stage: Stage, name: str) -> Scene:
    """The shop has said something before."""
    before = KeepSender(shop_id=stage.market.shop.id, address=msgspec.convert(HOME, Postal))
    stage.world.send(before, actor=stage.market.staff("owner"))
    body = None if name.startswith("DELETE") else {"address": HOME}
    return stage.made(name, "shop owner", {}, body, body and {"address": HOME | {"city": "宁波"}})


def _came_back(stage: Stage, name: str) -> Scene:
    """By a carrier that nobody can ask, so that its shop's word is enough."""
    _, _, placed = stage.shipped()
    ids = {"order_id": placed.orders[0].id, "parcel": 1}
    if name.endswith("again"):
        body = {"carrier": "SF Express", "tracking": "SF2"}
        return stage.made(name, "shop owner", ids, body, body | {"tracking": "SF3"})
    body = {"restock": True, "location_id": None}
    return stage.made(name, "shop owner", ids, body, body | {"restock": False})


def _of_shipped(stage: Stage, name: str) -> Scene:
    _, token, placed = stage.shipped()
    return stage.made(name, token, {"order_id": placed.orders[0].id})


def _reviewed(stage: Stage, name: str) -> Scene:
    buyer, token, placed = stage.shipped()
    order_id = placed.orders[0].id
    stage.world.send(ConfirmReceipt(order_id=order_id), actor=buyer.actor)
    stage.world.settle()
    (variant,) = stage.market.variants(order_id)
    body = {"variant_id": variant, "stars": 5, "text": "好茶"}
    return stage.made(name, token, {"order_id": order_id}, body, body | {"stars": 4})


def _said_later(stage: Stage, name: str) -> Scene:
    buyer, token, placed = stage.shipped()
    order_id = placed.orders[0].id
    stage.world.send(ConfirmReceipt(order_id=order_id), actor=buyer.actor)
    (variant,) = stage.market.variants(order_id)
    review = stage.world.send(ReviewOrder(order_id=order_id, variant_id=variant, stars=5), actor=buyer.actor).id
    caller = "shop owner" if "/shops/" in name else token
    return stage.made(name, caller, {"order_id": order_id, "variant_id": variant, "review_id": review}, {"text": "谢谢"}, {"text": "好"})


def _reported(stage: Stage, name: str) -> Scene:
    """A review that somebody reports, or has reported."""
    said = _said_later(stage, "POST /shops/{shop_id}/reviews/{review_id}/answer")
    review, (buyer, token) = said.path.split("/")[-2], stage.newcomer()
    if "/operator/" not in name:
        body = {"reason": "advertising", "text": "广告"}
        return stage.made(name, token, {"review_id": review}, body, body | {"reason": "insulting"})
    stage.world.send(ReportReview(review_id=review, reason=ReportReason.ADVERTISING), actor=buyer.actor)
    body = {"hide": True, "text": "是广告"}
    return stage.made(name, "operator service", {"review_id": review}, body, body | {"text": "广告"})


def _refunded(stage: Stage, name: str) -> Scene:
    _, _, placed = stage.placed()
    caller = "operator finance" if "/operator/" in name else "shop owner"
    body = {"amount": {"amount": 100, "currency": "CNY"}}
    return stage.made(name, caller, {"order_id": placed.orders[0].id}, body, {"amount": {"amount": 200, "currency": "CNY"}})


_CASE_IN = {
    "/cases": None,
    "/acceptance": CaseState.OFFERED,
    "/withdrawal": CaseState.ASKED,
    "/shipment": CaseState.TO_SEND,
    "/dispute": CaseState.REFUSED,
    "/evidence": CaseState.DISPUTED,
    "/pictures": CaseState.ASKED,
    "/agreement": CaseState.ASKED,
    "/refusal": CaseState.ASKED,
    "/offer": CaseState.ASKED,
    "/arrival": CaseState.SENT,
    "/replacement": CaseState.REPLACING,
    "/again": CaseState.RESENDING,
    "/refund": CaseState.REPLACING,
    "/receipt": CaseState.REPLACED,
    "/ruling": CaseState.HEARD,
}
"""In which state a case is for each step, by the end of its path."""
_CASE_SAYS: dict[str, dict[str, Any]] = {
    "/shipment": {"carrier": "SF Express", "tracking": "SF1", "postage": None, "receipt_id": None},
    "/dispute": {"text": "请评理"},
    "/replacement": {"carrier": "SF Express", "tracking": "SF3"},
    "/again": {"carrier": "SF Express", "tracking": "SF5"},
    "/evidence": {"text": "见照片"},
    "/pictures": {"content": b64encode(picture()).decode(), "text": "碎片"},
    "/refusal": {"text": "没有问题"},
    "/offer": {"amount": {"amount": 1000, "currency": "CNY"}, "returns": False, "text": ""},
    "/arrival": {"restock": True},
    "/ruling": {"to_buyer": {"amount": 1000, "currency": "CNY"}, "text": "各担一半", "postage": False, "goods": None, "way_again": None},
}
_CASE_SAYS_OTHERWISE: dict[str, dict[str, Any]] = {
    "/shipment": {"tracking": "SF2"},
    "/replacement": {"tracking": "SF4"},
    "/again": {"tracking": "SF6"},
    "/offer": {"returns": True},
    "/arrival": {"restock": False},
}


def _case(stage: Stage, name: str) -> Scene:
    """A step of a case about goods that have left, or its opening."""
    buyer, token = stage.newcomer(100_000)
    end = name[name.rindex("/") :]
    state = CaseState.SENT if name == "POST /shops/{shop_id}/cases/{case_id}/dispute" else _CASE_IN[end]
    kind = CaseKind.RETURN if state in (CaseState.TO_SEND, CaseState.SENT, CaseState.RESENDING) else CaseKind.REFUND
    if state in (CaseState.REPLACING, CaseState.REPLACED):
        kind = CaseKind.EXCHANGE
    made = Claim(stage.market, buyer, kind=kind)
    stage.world.settle()
    if state is None:
        made.take(CaseEvent.WITHDRAW, Who.BUYER)
        line = {"variant_id": made.variant, "quantity": 1}
        body = {"kind": "refund", "reason": "damaged", "lines": [line], "text": "碎了", "amount": None, "instead_id": None}
        return stage.made(name, token, {"order_id": made.order}, body, body | {"reason": "wrong_goods"})
    for event, who in PATHS[state]:
        if who is Who.CLOUD:  # without letting days pass for everybody else
            stage.world.send(PassDeadline(case_id=made.case, due=made.due))
        else:
            made.take(event, who)
    said = _CASE_SAYS.get(end)
    caller = "shop owner" if "/shops/" in name else "operator service" if "/operator/" in name else token
    return stage.made(name, caller, {"case_id": made.case}, said, said and said | _CASE_SAYS_OTHERWISE.get(end, {"text": "另有原因"}))


_ORGANIC = {"key": "organic", "name": "有机", "name_en": "Organic", "kind": "flag", "unit": "", "values": []}
_PRICE = {"amount": 2099, "currency": "CNY"}
_WEIGHTS = {"text": 1_000, "sales": 200, "rating": 100, "shop": 50, "freshness": 50, "stock": 300}
SCENES: dict[str, Make] = {
    "POST /sessions/codes": _asking_for_a_code,
    "POST /sessions": _signing_in,
    "PATCH /me": lambda stage, name: stage.made(
        name, stage.newcomer()[1], {}, {"nickname": "云", "language": "zh"}, {"nickname": "雨", "language": "zh"}
    ),
    "DELETE /me": _signed_out,
    "POST /me/sign-out": _signed_out,
    "DELETE /me/sessions": _other_sessions,
    "DELETE /me/sessions/{session_id}": _other_sessions,
    "POST /me/contacts/codes": _asking_for_a_code,
    "POST /me/contacts": _new_contact,
    "POST /me/addresses": _address,
    "PUT /me/addresses/{address_id}": _address,
    "DELETE /me/addresses/{address_id}": _address,
    "POST /me/notices/read": _told,
    "PUT /me/notices/preferences/{kind}": lambda stage, name: stage.made(
        name, stage.newcomer()[1], {"kind": "order_shipped"}, {"ways": ["in_app"]}, {"ways": ["in_app", "sms"]}
    ),
    "PUT /me/recent-queries": _searched,
    "DELETE /me/recent-queries": _searched,
    "POST /me/recent-queries/removals": _searched,
    "PUT /me/notices/quiet-hours": lambda stage, name: stage.made(
        name, stage.newcomer()[1], {}, {"begins": "22:00", "ends": "07:00"}, {"begins": "23:00", "ends": "07:00"}
    ),
    "PUT /goods/{goods_id}/variants/{variant_id}/wait": _wait,
    "DELETE /goods/{goods_id}/variants/{variant_id}/wait": _wait,
    "POST /shops/{shop_id}/staff": _a_role_given,
    "DELETE /shops/{shop_id}/staff/{person_id}/{role}": _a_role_taken,
    "POST /operators": _a_role_given,
    "DELETE /operators/{person_id}/{role}": _a_role_taken,
    "POST /owners": _a_role_given,
    "DELETE /people/{person_id}": _forgotten,
    "PUT /shops/{shop_id}": _shop_said_anew,
    "PUT /shops/{shop_id}/sender": _sender,
    "DELETE /shops/{shop_id}/sender": _sender,
    "PUT /shops/{shop_id}/holiday": _of_shop(_nothing, {"back_at": 0}, {"back_at": 1}),
    "POST /shops/{shop_id}/goods": _new_goods,
    "PUT /shops/{shop_id}/goods/{goods_id}": _changed_goods,
    "POST /shops/{shop_id}/goods/{goods_id}/publish": _published,
    "PUT /shops/{shop_id}/goods/{goods_id}/schedule": _scheduled,
    "POST /operator/shops/{shop_id}/goods/{goods_id}/approve": _ruled,
    "POST /operator/shops/{shop_id}/goods/{goods_id}/reject": _ruled,
    "POST /operator/shops/{shop_id}/goods/{goods_id}/ban": _ruled,
    "POST /operator/shops/{shop_id}/goods/{goods_id}/lift": _ruled,
    "POST /shops/{shop_id}/goods/{goods_id}/withdraw": _of_shop(_fresh_goods),
    "PUT /shops/{shop_id}/goods/{goods_id}/variants/{variant_id}/price": _of_shop(
        _fresh_goods, {"price": _PRICE, "compare_at": None}, {"price": _PRICE, "compare_at": {"amount": 3000, "currency": "CNY"}}
    ),
    "PUT /shops/{shop_id}/variants/{variant_id}/stock/{location_id}": _of_shop(
        _fresh_goods, {"on_hand": 7, "reason": "counted"}, {"on_hand": 8, "reason": "counted"}
    ),
    "POST /shops/{shop_id}/variants/{variant_id}/stock/{location_id}/adjust": _of_shop(
        _fresh_goods, {"by": 7, "reason": "counted"}, {"by": 8, "reason": "counted"}
    ),
    "POST /shops/{shop_id}/locations": _of_shop(
        lambda stage: {"shop_id": stage.town.ours["shop_id"]},
        {"name": "仓库", "country": "CN", "region": ""},
        {"name": "二号仓库", "country": "CN", "region": ""},
    ),
    "PUT /shops/{shop_id}/locations/{location_id}": _location,
    "DELETE /shops/{shop_id}/locations/{location_id}": _location,
    "PUT /shops/{shop_id}/sources": _sources,
    "POST /shops/{shop_id}/stock-moves": _moved_stock,
    "POST /shops/{shop_id}/shipping-templates": _template,
    "POST /shops": _new_shop,
    "PUT /shops/{shop_id}/commission": _of_shop(
        lambda stage: {"shop_id": stage.market.found("佣金").id},
        {"commission_ppm": 40_000},
        {"commission_ppm": 30_000},
        caller="operator admin",
    ),
    "POST /shops/{shop_id}/suspend": _closed_or_open,
    "POST /shops/{shop_id}/reopen": _closed_or_open,
    "POST /me/licence-pictures": _licence_picture,
    "POST /shop-applications": _application,
    "POST /shop-applications/{application_id}/withdraw": _application,
    "POST /operator/shop-applications/{application_id}/approve": _application,
    "POST /operator/shop-applications/{application_id}/reject": _application,
    "POST /categories": _new_category,
    "PUT /categories/{category_id}/attributes": _of_shop(
        lambda stage: {"category_id": stage.world.send(CreateCategory(name="茗")).id},
        {"attributes": [_ORGANIC]},
        {"attributes": []},
        caller="operator admin",
    ),
    "PUT /categories/{category_id}": _of_shop(
        lambda stage: {"category_id": stage.world.send(CreateCategory(name="旧")).id},
        {"name": "绿茶", "name_en": ""},
        {"name": "红茶", "name_en": ""},
        caller="operator admin",
    ),
    "PUT /operator/search": _of_shop(
        lambda _: {},
        {"form": {"weights": _WEIGHTS, "stops": ["包邮"]}, "reason": "因为"},
        {"form": {"weights": _WEIGHTS}, "reason": "because"},
        caller="operator admin",
    ),
    "PUT /operator/taxes/{country}": _of_shop(
        lambda _: {"country": "SE"},
        {"region": "", "included": True, "rounding": "half_up", "taxes": [{"tax_class": "standard", "rate_ppm": 250_000}]},
        {"region": "", "included": True, "rounding": "half_up", "taxes": []},
        caller="operator finance",
    ),
    "POST /payments/top-ups": _top_up,
    "PUT /wallet/payee": _payee,
    "PUT /shops/{shop_id}/payee": _payee,
    "PUT /shops/{shop_id}/payout-plan": _plan,
    "POST /wallet/withdrawals": _withdrawal,
    "POST /wallet/unclaimed/{unclaimed_id}": _unclaimed,
    "POST /shops/{shop_id}/payouts": _withdrawal,
    "POST /operator/payouts/{payout_id}/approvals": _awaited,
    "POST /operator/payouts/{payout_id}/decline": _awaited,
    "POST /shops/{shop_id}/deposit": _deposit,
    "POST /operator/shops/{shop_id}/deposit/releases": _deposit,
    "POST /operator/payment-alerts/{alert_id}/resolution": _alert,
    "POST /operator/payment-alerts/{alert_id}/chargeback": _beyond,
    "POST /operator/channels/{channel}/own-money": _booked,
    "POST /operator/splits/{split_id}/booking": _booked,
    "POST /operator/splits/{split_id}/request": _kept,
    "POST /shops/{shop_id}/chargebacks/{chargeback_id}/evidence": _charged_back,
    "POST /operator/chargebacks/{chargeback_id}/concession": _charged_back,
    "POST /operator/chargebacks/{chargeback_id}/acceptance": _decided_otherwise,
    "POST /operator/chargebacks/{chargeback_id}/closure": _decided_otherwise,
    "POST /cart/lines": _cart,
    "PUT /cart/lines/{variant_id}": _cart,
    "DELETE /cart/lines/{variant_id}": _cart,
    "POST /checkouts": _checkout,
    "PUT /shops/{shop_id}/orders/{order_id}/price": _offered,
    "POST /orders/{order_id}/price": _offered,
    "PUT /orders/{order_id}/destination": _redirected,
    "PUT /shops/{shop_id}/orders/{order_id}/memo": _memo,
    "POST /orders/{order_id}/cancel": _of_paid,
    "POST /orders/{order_id}/receipt": _of_shipped,
    "POST /orders/{order_id}/receipt/extension": _of_shipped,
    "POST /orders/{order_id}/dispatch/extension": _of_paid,
    "POST /orders/{order_id}/reviews": _reviewed,
    "POST /orders/{order_id}/reviews/{variant_id}/follow-up": _said_later,
    "POST /shops/{shop_id}/reviews/{review_id}/answer": _said_later,
    "POST /reviews/{review_id}/reports": _reported,
    "POST /operator/reviews/{review_id}/verdict": _reported,
    "POST /shops/{shop_id}/orders/{order_id}/shipment": _of_paid,
    "POST /shops/{shop_id}/orders/{order_id}/parcels": _packed,
    "POST /shops/{shop_id}/orders/{order_id}/parcels/{parcel}/again": _came_back,
    "POST /shops/{shop_id}/orders/{order_id}/parcels/{parcel}/return": _came_back,
    "POST /shops/{shop_id}/orders/{order_id}/decline": _of_paid,
    "POST /shops/{shop_id}/orders/{order_id}/refunds": _refunded,
    "POST /operator/shops/{shop_id}/orders/{order_id}/refunds": _refunded,
    "POST /orders/{order_id}/cases": _case,
    "POST /cases/{case_id}/acceptance": _case,
    "POST /cases/{case_id}/withdrawal": _case,
    "POST /cases/{case_id}/shipment": _case,
    "POST /cases/{case_id}/receipt": _case,
    "POST /cases/{case_id}/pictures": _case,
    "POST /shops/{shop_id}/cases/{case_id}/pictures": _case,
    "POST /cases/{case_id}/refund": _case,
    "POST /shops/{shop_id}/cases/{case_id}/replacement": _case,
    "POST /shops/{shop_id}/cases/{case_id}/again": _case,
    "POST /cases/{case_id}/dispute": _case,
    "POST /cases/{case_id}/evidence": _case,
    "POST /shops/{shop_id}/cases/{case_id}/agreement": _case,
    "POST /shops/{shop_id}/cases/{case_id}/refusal": _case,
    "POST /shops/{shop_id}/cases/{case_id}/offer": _case,
    "POST /shops/{shop_id}/cases/{case_id}/arrival": _case,
    "POST /shops/{shop_id}/cases/{case_id}/dispute": _case,
    "POST /shops/{shop_id}/cases/{case_id}/evidence": _case,
    "POST /operator/disputes/{case_id}/ruling": _case,
}


def encoded(body: Any) -> bytes:
    """A body as it is sent."""
    return b"" if body is None else msgspec.json.encode(body)
