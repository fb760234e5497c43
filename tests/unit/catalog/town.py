"""A small town: one cloud with an owner, two shops, a category tree, and goods as a test wants them."""

from typing import Any

from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop, GoodsKept, SetStock, ShopCreatedAnswer
from yunduan.domains.catalog.model import GoodsForm, GoodsOption, OptionValue, StockReason, VariantForm
from yunduan.domains.identity.commands import RegisterPerson
from yunduan.kernel.actors import SYSTEM
from yunduan.kernel.ids import CategoryId, PersonId, VariantId
from yunduan.kernel.messages import Command
from yunduan.kernel.money import Money
from yunduan.runtime.answers import Answered
from yunduan.testing import World


def yuan(fen: int) -> Money:
    """An amount in the currency of the town."""
    return Money(amount=fen, currency="CNY")


def variant(sku: str, fen: int = 1999, **more: Any) -> VariantForm:
    """A variant without options."""
    return VariantForm(sku=sku, price=yuan(fen), **more)


COLOURS = GoodsOption(name="颜色", name_en="Colour", values=(OptionValue(name="红", name_en="red"), OptionValue(name="蓝")))
SIZES = GoodsOption(name="尺码", name_en="Size", values=(OptionValue(name="S"), OptionValue(name="L")))


class Town:
    """What the tests of the catalog begin with."""

    def __init__(self, world: World) -> None:
        """Found it."""
        self.world = world
        self.owner: PersonId = world.send(RegisterPerson(phone="+8613800138000")).person_id
        self.shop: ShopCreatedAnswer = self.found("云茶", "Cloud Tea")
        self.other: ShopCreatedAnswer = self.found("别家", "Elsewhere")
        self.drinks: CategoryId = world.send(CreateCategory(name="饮料", name_en="Drinks")).id
        self.tea: CategoryId = world.send(CreateCategory(name="茶", name_en="Tea", parent_id=self.drinks)).id

    def found(self, name: str, name_en: str, currency: str = "CNY") -> ShopCreatedAnswer:
        """Open a shop."""
        ask = CreateShop(owner_id=self.owner, name=name, name_en=name_en, country="CN", currency=currency, commission_ppm=50_000)
        return self.world.send(ask)

    def form(self, *variants: VariantForm, **more: Any) -> GoodsForm:
        """Goods as a shop describes them."""
        return GoodsForm(**{"title": "龙井", "title_en": "Longjing", "category_id": self.tea, "variants": variants} | more)

    def goods(self, *variants: VariantForm, publish: bool = True, shop: ShopCreatedAnswer | None = None, **more: Any) -> GoodsKept:
        """Make goods, on sale unless said otherwise."""
        return self.world.send(CreateGoods(shop_id=(shop or self.shop).id, form=self.form(*variants, **more), publish=publish))

    def stock(self, id: VariantId, on_hand: int) -> None:
        """Put pieces on the shop's first shelf."""
        place = self.shop.location_id
        ask = SetStock(shop_id=self.shop.id, variant_id=id, location_id=place, on_hand=on_hand, reason=StockReason.COUNTED)
        self.world.send(ask)

    def one(self, on_hand: int, sku: str = "ONE", **more: Any) -> VariantId:
        """A variant with so many pieces."""
        id = self.goods(variant(sku), **more).variant_ids[0]
        self.stock(id, on_hand)
        return id

    def answered(self, command: Command[Any]) -> Answered:
        """What a command is answered with, as it is kept."""

        async def submitted() -> Answered:
            return await self.world.cloud.submit(command, actor=SYSTEM)

        return self.world.run(submitted())

    def shelf(self, id: VariantId) -> tuple[int, int]:
        """(on hand, held) of a variant, over all locations."""
        rows = self.world.rows("SELECT on_hand, held FROM stock WHERE variant_id = ?", id)
        return sum(row[0] for row in rows), sum(row[1] for row in rows)

    def everything(self) -> list[Any]:
        """All that the catalog keeps, for a test that says that nothing changed."""
        tables = ("shop", "location", "category", "category_tree", "shipping_template", "goods", "goods_page", "goods_standing")
        more = (
            "variant",
            "sku",
            "stock",
            "stock_change",
            "hold",
            "card",
            "fact",
            "alarm",
            "shop_application",
            "ruling",
            "goods_review",
            "price_point",
            "stock_wait",
            "licence_picture",
        )
        return [self.world.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in (*tables, *more)]
