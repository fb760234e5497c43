"""What a checkout, the product page and the lists read of goods, written anew from what their shop says."""

from yunduan.domains.catalog import restocking, store, store_attributes, store_prices
from yunduan.domains.catalog.lists import Card, Page, PageVariant
from yunduan.domains.catalog.model import (
    BuyerLimit,
    Goods,
    GoodsForm,
    GoodsState,
    Shop,
    Standing,
    Variant,
    VariantForm,
    option_pictures,
    option_texts,
    picture_of,
)
from yunduan.kernel.ids import VariantId
from yunduan.kernel.refusals import invariant
from yunduan.runtime.transaction import Tx


def id_of(variant: VariantForm) -> VariantId:
    """The id of a variant that was kept."""
    invariant(variant.id is not None, "a kept variant has an id")
    return variant.id or VariantId("")


def limit_of(form: GoodsForm) -> BuyerLimit | None:
    """How many one buyer may have; nothing where the shop has said no number."""
    return form.limit if form.limit and (form.limit.per_order or form.limit.pieces) else None


def keep_variants(tx: Tx, shop: Shop, goods: Goods) -> None:
    """Write those rows of goods that say something else than before."""
    again: list[Variant] = []
    for variant in variants_of(shop, goods):
        before = tx.get(store.VARIANT, variant.id)
        if before != variant:
            tx.put(store.VARIANT, variant.id, variant)
            store_prices.note(tx, before, variant)
            if variant.on_sale and before is not None and not before.on_sale:
                again.append(variant)
    restocking.tell_on_sale(tx, shop, again)


def variants_of(shop: Shop, goods: Goods) -> list[Variant]:
    """The rows that a checkout reads."""
    form, variants = goods.form, []
    for variant in form.variants:
        text, text_en = option_texts(form.options, variant.choice)
        row = Variant(
            id=id_of(variant),
            goods_id=goods.id,
            shop_id=shop.id,
            title=form.title,
            title_en=form.title_en,
            option_text=text,
            option_text_en=text_en,
            sku=variant.sku,
            price=variant.price,
            weight_g=variant.weight_g,
            template_id=form.template_id or shop.template_id,
            tax_class=form.tax_class,
            picture=picture_of(form, variant.choice),
            on_sale=goods.state is GoodsState.ON_SALE,
            limit=limit_of(form),
        )
        variants.append(row)
    return variants


def page_of(tx: Tx, goods: Goods) -> Page:
    """What the product page says."""
    form = goods.form
    variants = tuple(
        PageVariant(
            id=id_of(variant),
            sku=variant.sku,
            choice=variant.choice,
            price=variant.price,
            compare_at=variant.compare_at,
            weight_g=variant.weight_g,
        )
        for variant in form.variants
    )
    return Page(
        id=goods.id,
        shop_id=goods.shop_id,
        category_path_ids=store.category(tx, form.category_id).path_ids,
        title=form.title,
        title_en=form.title_en,
        description=form.description,
        description_en=form.description_en,
        pictures=form.pictures,
        options=form.options,
        variants=variants,
        limit=limit_of(form),
        attributes=form.attributes,
    )


def show(tx: Tx, shop: Shop, goods: Goods) -> None:
    """Write the card of goods that everybody may see; take it away from all others."""
    if goods.state is not GoodsState.ON_SALE or not shop.is_open:
        store.hide(tx, goods.id, goods.shop_id)
        store_attributes.tell(tx, goods.id, ())
        return
    path = store.category(tx, goods.form.category_id).path_ids
    store.show(tx, _card(shop, goods, store.standing(tx, goods.id)), path=path, listed_at=goods.listed_at)
    store_attributes.tell(tx, goods.id, goods.form.attributes)


def _card(shop: Shop, goods: Goods, standing: Standing) -> Card:
    form = goods.form
    cheapest = min(form.variants, key=lambda variant: variant.price.amount)
    shown = option_pictures(form.options)
    dearest = max(form.variants, key=lambda variant: variant.price.amount)
    return Card(
        id=goods.id,
        title=form.title,
        title_en=form.title_en,
        picture=next(iter((*form.pictures, *shown)), ""),
        option_pictures=shown,
        price=cheapest.price,
        price_to=dearest.price,
        compare_at=cheapest.compare_at,
        sold=standing.sold,
        reviews=standing.reviews,
        rating_hundredths=standing.rating_hundredths,
        shop_id=shop.id,
        shop_name=shop.name,
        shop_name_en=shop.name_en,
    )
