"""A total as people see it: line by line, what it is made of."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from yunduan.domains.orders.model import Discount, Funder, SoldItem
from yunduan.domains.orders.sources import ParcelToCome
from yunduan.domains.orders.taxes import Tax
from yunduan.kernel.ids import GoodsId, ShopId, VariantId
from yunduan.kernel.money import Currency, Money


class GoodsCharge(Struct, frozen=True, kw_only=True, tag_field="kind", tag="goods"):
    """A line of a total: so many pieces at a price."""

    variant_id: VariantId
    goods_id: GoodsId
    title: str
    title_en: str
    option_text: str
    option_text_en: str
    sku: str
    picture: str
    quantity: int
    price: Money
    amount: Money


class ShippingCharge(Struct, frozen=True, kw_only=True, tag_field="kind", tag="shipping"):
    """A line of a total: what it costs to bring the goods."""

    amount: Money


class DiscountCharge(Struct, frozen=True, kw_only=True, tag_field="kind", tag="discount"):
    """A line of a total: what is taken off, and who pays for it."""

    title: str
    funder: Funder
    amount: Money


class TaxCharge(Struct, frozen=True, kw_only=True, tag_field="kind", tag="tax"):
    """A line of a total: a tax on one of the others; an included one is already in that line and adds nothing."""

    of: str
    rate_ppm: int
    included: bool
    base: Money
    amount: Money
    name: str = ""


Charge = GoodsCharge | ShippingCharge | DiscountCharge | TaxCharge


def charges(
    items: Sequence[SoldItem], shipping: int | None, discounts: Sequence[Discount], taxes: Sequence[Tax], currency: Currency
) -> tuple[Charge, ...]:
    """The lines of a total; without shipping when it is not known yet."""

    def money(amount: int) -> Money:
        return Money(amount=amount, currency=currency)

    lines: list[Charge] = [
        GoodsCharge(
            variant_id=item.variant_id,
            goods_id=item.goods_id,
            title=item.title,
            title_en=item.title_en,
            option_text=item.option_text,
            option_text_en=item.option_text_en,
            sku=item.sku,
            picture=item.picture,
            quantity=item.quantity,
            price=money(item.price),
            amount=money(item.amount),
        )
        for item in items
    ]
    lines += [DiscountCharge(title=discount.title, funder=discount.funder, amount=money(discount.amount)) for discount in discounts]
    if shipping is not None:
        lines.append(ShippingCharge(amount=money(shipping)))
    lines += [
        TaxCharge(of=tax.of, rate_ppm=tax.rate_ppm, included=tax.included, base=money(tax.base), amount=money(tax.amount), name=tax.name)
        for tax in taxes
    ]
    return tuple(lines)


def sum_of(lines: Iterable[Charge]) -> int:
    """What a list of lines adds up to: goods and shipping and added taxes, less discounts."""
    total = 0
    for line in lines:
        if isinstance(line, DiscountCharge):
            total -= line.amount.amount
        elif not isinstance(line, TaxCharge) or not line.included:
            total += line.amount.amount
    return total


class ShopPreview(Struct, frozen=True, kw_only=True):
    """What one shop's part would cost, and in which parcels it would come: nothing of that before it is known where to."""

    id: ShopId
    name: str
    name_en: str
    lines: tuple[Charge, ...]
    total: Money
    parcels: tuple[ParcelToCome, ...] = ()


class CheckoutPreview(Struct, frozen=True, kw_only=True):
    """What a checkout would cost now. Without an address shipping is not known, and the total is not complete."""

    shops: tuple[ShopPreview, ...]
    total: Money
    complete: bool
