"""Goods: described, priced, put on sale and taken off, each change the next version of the whole."""

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog import store, store_attributes, store_prices, store_rulings, store_waits
from yunduan.domains.catalog.attributes import check_values
from yunduan.domains.catalog.commands import comparing, showing
from yunduan.domains.catalog.commands.waiting import EndWaits
from yunduan.domains.catalog.facts import GoodsChanged, GoodsToReview
from yunduan.domains.catalog.life import GoodsStep, GoodsWho, after
from yunduan.domains.catalog.model import CatalogRefusal, CatalogSettings, Goods, GoodsForm, GoodsState, Shop, check_form, check_price
from yunduan.kernel.ids import GoodsId, ShopId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

_OF_FORM = {
    CatalogRefusal.CATEGORY_NOT_FOUND,
    CatalogRefusal.TEMPLATE_NOT_FOUND,
    CatalogRefusal.OPTIONS,
    CatalogRefusal.ATTRIBUTE_VALUE,
    CatalogRefusal.PRICE,
    CatalogRefusal.NOT_CHARGED,
    CatalogRefusal.SKU_TAKEN,
    CatalogRefusal.VARIANT_NOT_FOUND,
}
_OF_CHANGE = {CatalogRefusal.GOODS_NOT_FOUND, CatalogRefusal.GOODS_CHANGED, CatalogRefusal.GOODS_STATE}
Version = Annotated[int, Meta(ge=1, le=2**53, description="The version that was read; a newer one refuses.")]


class GoodsKept(Struct, frozen=True, kw_only=True):
    """Goods as they were kept: their version, and the ids of their variants in the order in which they were described."""

    id: GoodsId
    version: int
    state: GoodsState
    variant_ids: tuple[VariantId, ...]


class CreateGoods(Command[GoodsKept], refuses={CatalogRefusal.SHOP_NOT_FOUND, *_OF_FORM}):
    """Make goods, as a draft or on sale at once; where the marketplace reviews goods, they wait for that first."""

    shop_id: ShopId
    form: GoodsForm
    publish: bool = False


class ChangeGoods(Command[GoodsKept], refuses={CatalogRefusal.SHOP_NOT_FOUND, *_OF_FORM, *_OF_CHANGE}):
    """Describe goods anew, whole; variants that are no longer named are retired.

    Where the marketplace reviews goods, those that are described otherwise than by their prices are reviewed before they are sold again.
    """

    shop_id: ShopId
    goods_id: GoodsId
    version: Version
    form: GoodsForm


class SetPrice(
    Command[GoodsKept],
    refuses={
        CatalogRefusal.SHOP_NOT_FOUND,
        CatalogRefusal.VARIANT_NOT_FOUND,
        CatalogRefusal.PRICE,
        CatalogRefusal.NOT_CHARGED,
        *_OF_CHANGE,
        CatalogRefusal.CATEGORY_NOT_FOUND,
    },
):
    """Price one variant anew, for orders from now on; compared, if at all, with what it was charged itself within the last thirty days."""

    shop_id: ShopId
    goods_id: GoodsId
    variant_id: VariantId
    price: Money
    compare_at: Money | None = None


class PublishGoods(
    Command[GoodsKept],
    refuses={
        CatalogRefusal.SHOP_NOT_FOUND,
        CatalogRefusal.GOODS_NOT_FOUND,
        CatalogRefusal.GOODS_STATE,
        CatalogRefusal.CATEGORY_NOT_FOUND,
    },
):
    """Put goods on sale at once, or have them reviewed first where the marketplace does that; harmless when they are."""

    shop_id: ShopId
    goods_id: GoodsId


class WithdrawGoods(
    Command[GoodsKept],
    refuses={
        CatalogRefusal.SHOP_NOT_FOUND,
        CatalogRefusal.GOODS_NOT_FOUND,
        CatalogRefusal.GOODS_STATE,
        CatalogRefusal.CATEGORY_NOT_FOUND,
    },
):
    """Take goods off sale; harmless when they are."""

    shop_id: ShopId
    goods_id: GoodsId


@handles(CreateGoods)
def create_goods(tx: Tx, ask: CreateGoods) -> GoodsKept:
    """Decide about the form, then keep goods, variants, SKUs, and the card if everybody may see it."""
    shop = store.shop(tx, ask.shop_id)
    _check(tx, shop, ask.form)
    if any(variant.id for variant in ask.form.variants):
        raise Refused(CatalogRefusal.VARIANT_NOT_FOUND, "new goods have new variants")
    comparing.refuse_never_charged(tx, ask.form.variants)
    if store.sku_holders(tx, shop.id, [variant.sku for variant in ask.form.variants]):
        raise Refused(CatalogRefusal.SKU_TAKEN)
    goods = Goods(id=GoodsId(tx.id("gds")), shop_id=shop.id, form=_with_ids(tx, ask.form), created_at=tx.now)
    if ask.publish:
        goods = replace(stepped(tx, goods, GoodsStep.PUBLISH, GoodsWho.SHOP), version=1)
    store.add_goods(tx, goods)
    for variant in showing.variants_of(shop, goods):
        tx.add(store.VARIANT, variant.id, variant)
        store_prices.note(tx, None, variant)
        store.claim_sku(tx, variant)
    if goods.state is GoodsState.IN_REVIEW:
        _begin_review(tx, goods)
    if goods.state is GoodsState.ON_SALE:
        store.show_page(tx, showing.page_of(tx, goods))
        showing.show(tx, shop, goods)
    return _told(tx, goods)


@handles(ChangeGoods)
def change_goods(tx: Tx, ask: ChangeGoods) -> GoodsKept:
    """Decide about the form and the SKUs, then write the goods, what became of each variant, and the card."""
    shop = store.shop(tx, ask.shop_id)
    goods = store.goods(tx, ask.goods_id, shop_id=shop.id)
    refuse_other_version(goods, ask.version)
    _check(tx, shop, ask.form)
    old = {variant.id: variant for variant in goods.form.variants if variant.id}
    if any(variant.id and variant.id not in old for variant in ask.form.variants):
        raise Refused(CatalogRefusal.VARIANT_NOT_FOUND)
    holders = store.sku_holders(tx, shop.id, [variant.sku for variant in ask.form.variants])
    if any(holder not in old for holder in holders.values()):
        raise Refused(CatalogRefusal.SKU_TAKEN)
    comparing.refuse_never_charged(tx, ask.form.variants)
    form = _with_ids(tx, ask.form)
    said = replace(goods, reviewed=goods.reviewed and without_prices(form) == without_prices(goods.form))
    changed = replace(stepped(tx, said, GoodsStep.CHANGE, GoodsWho.SHOP, form=form), version=goods.version + 1)
    _move_skus(tx, shop, goods, changed)
    return keep(tx, shop, goods, changed)


@handles(SetPrice)
def set_price(tx: Tx, ask: SetPrice) -> GoodsKept:
    """Keep the goods with this variant's new price."""
    shop = store.shop(tx, ask.shop_id)
    goods = store.goods(tx, ask.goods_id, shop_id=shop.id)
    if ask.variant_id not in {variant.id for variant in goods.form.variants}:
        raise Refused(CatalogRefusal.VARIANT_NOT_FOUND)
    check_price(ask.price, ask.compare_at, shop.currency)
    variants = tuple(
        replace(variant, price=ask.price, compare_at=ask.compare_at) if variant.id == ask.variant_id else variant
        for variant in goods.form.variants
    )
    comparing.refuse_never_charged(tx, [variant for variant in variants if variant.id == ask.variant_id])
    priced = stepped(tx, goods, GoodsStep.PRICE, GoodsWho.SHOP, form=replace(goods.form, variants=variants))
    return kept(goods) if priced is goods else keep(tx, shop, goods, priced)


@handles(PublishGoods)
def publish_goods(tx: Tx, ask: PublishGoods) -> GoodsKept:
    """A time that was set is not waited for."""
    return _moved(tx, ask.shop_id, ask.goods_id, GoodsStep.PUBLISH)


@handles(WithdrawGoods)
def withdraw_goods(tx: Tx, ask: WithdrawGoods) -> GoodsKept:
    """Nor do they go on sale by themselves any more."""
    return _moved(tx, ask.shop_id, ask.goods_id, GoodsStep.WITHDRAW)


def _check(tx: Tx, shop: Shop, form: GoodsForm) -> None:
    category = store.category(tx, form.category_id)
    if form.attributes:
        check_values(form.attributes, store_attributes.attributes_of(tx, category))
    if form.template_id:
        store.template(tx, form.template_id, shop_id=shop.id)
    check_form(form, shop.currency)


def _with_ids(tx: Tx, form: GoodsForm) -> GoodsForm:
    """The form with an id for each variant."""
    variants = tuple(variant if variant.id else replace(variant, id=VariantId(tx.id("var"))) for variant in form.variants)
    return replace(form, variants=variants)


def refuse_other_version(goods: Goods, version: int) -> None:
    """Refuse who has read another version than the latest."""
    if goods.version != version:
        raise Refused(CatalogRefusal.GOODS_CHANGED, f"version {goods.version} is the latest")


def without_prices(form: GoodsForm) -> GoodsForm:
    """What a review is about: everything but what things cost."""
    nothing = Money(amount=0, currency=form.variants[0].price.currency)
    return replace(form, variants=tuple(replace(variant, price=nothing, compare_at=None) for variant in form.variants))


def stepped(tx: Tx, goods: Goods, step: GoodsStep, who: GoodsWho, **changes: Any) -> Goods:
    """Goods after a step that the table of steps has: the very same when it changes nothing, else their next version."""
    unreviewed = tx.port(CatalogSettings).reviews_goods and not goods.reviewed
    state = after(goods.state, step, who, unreviewed=unreviewed, scheduled=goods.on_sale_at > tx.now)
    listed_at = goods.listed_at or (tx.now if state is GoodsState.ON_SALE else 0)
    moved = replace(goods, **({"state": state, "listed_at": listed_at} | changes))
    return goods if moved == goods else replace(moved, version=goods.version + 1)


def _moved(tx: Tx, shop_id: ShopId, goods_id: GoodsId, step: GoodsStep) -> GoodsKept:
    shop = store.shop(tx, shop_id)
    goods = store.goods(tx, goods_id, shop_id=shop.id)
    moved = stepped(tx, goods, step, GoodsWho.SHOP, on_sale_at=0)
    return kept(goods) if moved is goods else keep(tx, shop, goods, moved)


def keep(tx: Tx, shop: Shop, before: Goods, goods: Goods) -> GoodsKept:
    """Write the next version of goods and everything that shows it."""
    store.change_goods(tx, goods)
    if goods.state is not before.state and GoodsState.IN_REVIEW in (goods.state, before.state):
        (_begin_review if goods.state is GoodsState.IN_REVIEW else store_rulings.end_review)(tx, goods)
    if goods.state is GoodsState.ON_SALE:
        store.show_page(tx, showing.page_of(tx, goods))
    else:
        store.hide_page(tx, goods.id)
    showing.keep_variants(tx, shop, goods)
    showing.show(tx, shop, goods)
    comparing.mind(tx, before, goods)
    return _told(tx, goods)


def _begin_review(tx: Tx, goods: Goods) -> None:
    store_rulings.begin_review(tx, goods)
    tx.tell(GoodsToReview(goods_id=goods.id, shop_id=goods.shop_id))


def _told(tx: Tx, goods: Goods) -> GoodsKept:
    tx.tell(
        GoodsChanged(
            goods_id=goods.id,
            shop_id=goods.shop_id,
            category_id=goods.form.category_id,
            state=goods.state.value,
            version=goods.version,
        )
    )
    return kept(goods)


def kept(goods: Goods) -> GoodsKept:
    """What whoever keeps goods is answered."""
    return GoodsKept(
        id=goods.id,
        version=goods.version,
        state=goods.state,
        variant_ids=tuple(showing.id_of(variant) for variant in goods.form.variants),
    )


def _move_skus(tx: Tx, shop: Shop, old: Goods, new: Goods) -> None:
    """Free the SKUs that are given up, retire the variants that are gone, then claim the new ones: two variants may so exchange theirs."""
    before = {showing.id_of(variant): variant.sku for variant in old.form.variants}
    after = {showing.id_of(variant): variant.sku for variant in new.form.variants}
    for id, sku in before.items():
        if after.get(id) != sku:
            store.free_sku(tx, shop.id, sku)
        if id not in after:
            last = store.variant(tx, id, shop_id=shop.id)
            gone = replace(last, on_sale=False, retired=True)
            tx.put(store.VARIANT, id, gone)
            store_prices.note(tx, last, gone)
            if store_waits.is_waited_for(tx, shop.id, id):
                tx.send(EndWaits(variant_id=id))
    for variant in showing.variants_of(shop, new):
        if variant.id not in before:
            tx.add(store.VARIANT, variant.id, variant)
            store_prices.note(tx, None, variant)
        if before.get(variant.id) != variant.sku:
            store.claim_sku(tx, variant)
