"""Waybills and packing slips say what is on a parcel and in it, to those who ship and nobody else; a document holds so many."""

import msgspec
import pytest

from unit.orders.market import Buyer, Market
from yunduan.domains.catalog.commands import CreateLocation, KeepSender, RemoveSender, SetStock
from yunduan.domains.catalog.model import StockReason
from yunduan.domains.catalog.queries import SenderOf
from yunduan.domains.identity.commands import ErasePerson, GrantShopRole, RegisterPerson
from yunduan.domains.identity.model import Language, Postal, ShopRole
from yunduan.domains.orders.commands import CancelOrder
from yunduan.domains.orders.model import LineNote
from yunduan.domains.orders.papers import LINES_MAX, PAPERS_MAX, PackingSlip, ShopPackingSlips, ShopWaybills, Waybill
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.shipping import PieceLine, ShipParcel
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import OrderId, ShopId, VariantId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused


@pytest.fixture
def buyer(market: Market) -> Buyer:
    """Somebody with money, at home in 浙江."""
    return market.buyer(100_000)


def order(market: Market, buyer: Buyer, *pieces: int, **more: object) -> tuple[OrderId, list[VariantId]]:
    """A paid order of so many pieces of this and that."""
    variants = [market.offer() for _ in pieces]
    for variant, quantity in zip(variants, pieces, strict=True):
        buyer.want(variant, quantity)
    return buyer.buy(**more).orders[0].id, variants


def parcel(market: Market, id: OrderId, tracking: str, variant: VariantId, quantity: int) -> None:
    """Let some of an order go."""
    lines = (PieceLine(variant_id=variant, quantity=quantity),)
    market.world.send(
        ShipParcel(shop_id=market.shop.id, order_id=id, carrier="SF Express", tracking=tracking, lines=lines),
        actor=market.staff("packer"),
    )


def slow(market: Market, ask: Query[object], actor: Actor) -> object:
    """Answered beside the loop."""
    return market.world.run(market.world.cloud.ask_slow(ask, actor=actor))


def bills(market: Market, parcels: str, actor: Actor | None = None, language: Language = Language.ZH) -> tuple[Waybill, ...]:
    """The waybills, for a packer unless said otherwise."""
    ask = ShopWaybills(shop_id=market.shop.id, parcels=parcels, language=language)
    return slow(market, ask, actor or market.staff("packer")).items  # type: ignore[attr-defined]


def slips(market: Market, parcels: str, actor: Actor | None = None, language: Language = Language.ZH) -> tuple[PackingSlip, ...]:
    """The packing slips likewise."""
    ask = ShopPackingSlips(shop_id=market.shop.id, parcels=parcels, language=language)
    return slow(market, ask, actor or market.staff("packer")).items  # type: ignore[attr-defined]


def refused(market: Market, kind: type, parcels: str, actor: Actor, shop_id: ShopId | None = None) -> str:
    """By which code."""
    with pytest.raises(Refused) as no:
        slow(market, kind(shop_id=shop_id or market.shop.id, parcels=parcels), actor)
    return no.value.code.value


def test_a_waybill_has_what_a_carrier_needs(market: Market, buyer: Buyer) -> None:
    """Of one parcel with all of the order; nothing about the goods but how many pieces there are."""
    id, _ = order(market, buyer, 2, 3)
    market.ship(id)
    (bill,) = bills(market, id)
    to = bill.destination
    assert (to.recipient, to.phone, to.region, to.city, to.lines) == ("林美", "+8657188157788", "浙江", "杭州", ("文一西路969号",))
    assert (bill.parcel, bill.parcels, bill.complete, bill.pieces, bill.carrier, bill.tracking) == (1, 1, True, 5, "SF Express", "SF1")
    assert (bill.order_id, len(bill.number), bill.shop, bill.country) == (id, 12, "云茶", "CN")


def test_each_parcel_has_its_own_papers(market: Market, buyer: Buyer) -> None:
    """By its number or all at once; what has not left has a slip of its own, and no waybill."""
    note = LineNote(variant_id=VariantId(""), text="刻字")
    tea, pot = market.offer(), market.offer()
    buyer.want(tea, 3)
    buyer.want(pot, 1)
    id = buyer.buy(note="放门卫", line_notes=(LineNote(variant_id=pot, text=note.text),)).orders[0].id
    (packed,) = slips(market, id)
    assert (packed.parcel, packed.tracking, packed.shipped_on, packed.pieces, packed.elsewhere) == (0, "", "", 4, 0)
    assert [(line.quantity, line.note) for line in packed.lines] == [(3, ""), (1, "刻字")]
    assert (packed.note, packed.return_days, packed.placed_on) == ("放门卫", 7, "2026-09-21")
    assert refused(market, ShopWaybills, id, market.staff("packer")) == "parcel_not_found"
    parcel(market, id, "SF1", tea, 2)
    assert [(one.parcel, one.pieces, one.elsewhere) for one in slips(market, id)] == [(1, 2, 2), (0, 2, 2)]
    assert [(bill.parcel, bill.parcels, bill.complete) for bill in bills(market, id)] == [(1, 1, False)]
    parcel(market, id, "SF2", tea, 1)
    market.ship(id)
    assert [(one.parcel, one.pieces, one.tracking) for one in slips(market, id)] == [(1, 2, "SF1"), (2, 1, "SF2"), (3, 1, "SF1")]
    assert [(bill.parcel, bill.parcels, bill.complete, bill.pieces) for bill in bills(market, f"{id}.3,{id}.1")] == [
        (3, 3, True, 1),
        (1, 3, True, 2),
    ]
    assert refused(market, ShopPackingSlips, f"{id}.4", market.staff("packer")) == "parcel_not_found"


def test_a_parcel_comes_from_where_its_shop_says(market: Market, buyer: Buyer) -> None:
    """Its own location, or the first when none was named."""
    shop = market.shop
    new = CreateLocation(shop_id=shop.id, name="二仓", country="CN", region="广东省")
    there = market.world.send(new).id
    tea = market.offer(1)
    market.world.send(
        SetStock(shop_id=shop.id, variant_id=tea, location_id=there, on_hand=1, reason=StockReason.COUNTED),
    )
    buyer.want(tea, 2)
    id = buyer.buy().orders[0].id
    lines = (PieceLine(variant_id=tea, quantity=1),)
    gone = ShipParcel(shop_id=shop.id, order_id=id, carrier="SF Express", tracking="SF1", lines=lines, location_id=there)
    market.world.send(gone, actor=market.staff("packer"))
    market.ship(id)
    assert [(bill.parcel, bill.region) for bill in bills(market, id)] == [(1, "广东省"), (2, "")]


def test_a_paper_speaks_the_language_that_it_is_asked_for(market: Market, buyer: Buyer) -> None:
    """Names of goods too, where they have one; a shop without an English name keeps its own."""
    id, _ = order(market, buyer, 1)
    market.ship(id)
    assert [one.lines[0].title for language in Language for one in slips(market, id, language=language)] == ["龙井", "Longjing"]
    assert [bill.shop for language in Language for bill in bills(market, id, language=language)] == ["云茶", "云茶"]


@pytest.mark.parametrize("kind", [ShopWaybills, ShopPackingSlips])
def test_who_ships_may_print_and_nobody_else(market: Market, buyer: Buyer, kind: type) -> None:
    """Whoever does not is told that there is no such order, as other shops are; the owner of the machine may."""
    id, _ = order(market, buyer, 1)
    market.ship(id)
    for role in ("owner", "manager", "packer"):
        slow(market, kind(shop_id=market.shop.id, parcels=id), market.staff(role))
    slow(market, kind(shop_id=market.shop.id, parcels=id), SYSTEM)
    for actor in (market.staff("service"), market.staff("finance"), buyer.actor, market.operator("admin"), Actor()):
        assert refused(market, kind, id, actor) == "order_not_found"
    other = market.other.id
    for actor in (market.staff("owner", shop=other), SYSTEM):
        assert refused(market, kind, id, actor, other) == "order_not_found"
    assert refused(market, kind, "ord_0", market.staff("packer")) == "order_not_found"


def test_what_was_called_off_or_forgotten_is_not_printed(market: Market, buyer: Buyer) -> None:
    """A cancelled order has no parcel; an erased buyer no address, and the slip has lost the note and the number."""
    gone, _ = order(market, buyer, 1, note="秘密")
    market.world.send(CancelOrder(order_id=gone), actor=buyer.actor)
    assert [refused(market, kind, gone, market.staff("packer")) for kind in (ShopWaybills, ShopPackingSlips)] == ["parcel_not_found"] * 2
    leaver = market.buyer(2799)
    id, _ = order(market, leaver, 1, note="放门卫")
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=leaver.actor)
    market.world.send(ErasePerson(person_id=leaver.person))
    market.world.settle()
    assert refused(market, ShopWaybills, id, market.staff("packer")) == "parcel_not_found"
    (slip,) = slips(market, id)
    assert (slip.note, slip.tracking, slip.pieces) == ("", "", 1)


def test_a_document_holds_so_many_papers(market: Market, buyer: Buyer) -> None:
    """Named twice, a parcel is printed twice; what is too much is refused before anything is made of it."""
    id, _ = order(market, buyer, *[1] * 21)
    first, *_, last = market.variants(id)
    parcel(market, id, "SF1", first, 1)
    parcel(market, id, "SF2", last, 1)
    assert len(bills(market, ",".join([id] * 50))) == PAPERS_MAX
    market.ship(id)
    assert refused(market, ShopWaybills, ",".join([id] * 50), market.staff("packer")) == "papers_full"
    assert len(slips(market, ",".join([id] * 15))) * 21 <= LINES_MAX
    assert refused(market, ShopPackingSlips, ",".join([id] * 16), market.staff("packer")) == "papers_full"


SENDER = Postal(
    recipient="云茶仓库", phone="0571-88157788", country="CN", region="浙江", city="杭州", lines=("文一西路969号",), postal_code="310000"
)


def test_a_shops_own_address_and_telephone_stand_on_its_papers(market: Market, buyer: Buyer) -> None:
    """Once it has said them, until it takes them back; sealed, read by who ships, and gone with the person whose shop it was."""
    id, (variant,) = order(market, buyer, 1)
    parcel(market, id, "SF1", variant, 1)
    assert (bills(market, id)[0].sender, slips(market, id)[0].sender) == (None, None)
    ask = KeepSender(shop_id=market.shop.id, address=SENDER)
    kept = msgspec.structs.replace(SENDER, phone="+8657188157788")
    assert market.world.send(ask, actor=market.staff("manager")).address == kept
    assert (bills(market, id)[0].sender, slips(market, id)[0].sender) == (kept, kept)
    assert not market.holds("文一西路969号")
    assert not market.holds("云茶仓库")
    moved = msgspec.structs.replace(SENDER, city="宁波")
    market.world.send(KeepSender(shop_id=market.shop.id, address=moved), actor=market.staff("manager"))
    assert market.world.ask(SenderOf(shop_id=market.shop.id)).address == msgspec.structs.replace(kept, city="宁波")
    assert market.world.ask(SenderOf(shop_id=market.other.id)).address is None
    for _ in range(2):
        assert market.world.send(RemoveSender(shop_id=market.shop.id), actor=market.staff("manager")).address is None
    assert bills(market, id)[0].sender is None
    market.world.send(ask, actor=market.staff("manager"))
    heir = market.world.send(RegisterPerson(phone="+8613900138009")).person_id
    for shop in (market.shop, market.other):
        market.world.send(GrantShopRole(shop_id=shop.id, person_id=heir, role=ShopRole.OWNER), actor=SYSTEM)
    market.world.send(ErasePerson(person_id=market.owner))
    market.world.settle()
    assert bills(market, id)[0].sender is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"phone": "12"}, "contact_invalid"),
        ({"country": "XX"}, "country_unknown"),
        ({"region": "火星"}, "region_unknown"),
    ],
)
def test_a_sender_is_an_address_with_a_telephone(market: Market, changes: dict[str, str], code: str) -> None:
    """Others are refused, and nothing has changed."""
    ask = KeepSender(shop_id=market.shop.id, address=msgspec.structs.replace(SENDER, **changes))
    market.assert_refused(code, ask, market.staff("manager"))
