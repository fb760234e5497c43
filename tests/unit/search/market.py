"""A small market with goods that are searched for, by their titles."""

from typing import Any

import msgspec

from unit.catalog.town import Town, variant
from yunduan.domains.catalog.commands import CreateCategory
from yunduan.domains.catalog.lists import Card
from yunduan.domains.search.queries import Findings, SearchGoods
from yunduan.kernel.ids import GoodsId
from yunduan.testing import World

_card = msgspec.json.Decoder(Card).decode
SHINE = "阳光玫瑰葡萄 3斤装"
GOODS = (
    ("阳光玫瑰葡萄 3斤装", "Shine Muscat grapes, 1.5 kg", "fruit", 5990),
    ("巨峰葡萄", "Kyoho grapes", "fruit", 2990),
    ("玫瑰花茶", "Rose tea", "tea", 3900),
    ("西湖龙井 明前特级", "Longjing green tea", "tea", 19900),
    ("重庆火锅底料", "Chongqing hotpot base", "food", 1990),
    ("女士连衣裙 夏季", "Summer dress for women", "clothes", 12900),
    ("苹果手机壳 iPhone15", "iPhone 15 case", "things", 2900),
    ("烟台红富士苹果", "Fuji apples from Yantai", "fruit", 3500),
    ("不锈钢保温杯 500ml", "Steel vacuum cup 500 ml", "things", 8900),
    ("Café Crème 咖啡杯", "Café crème cup", "things", 4500),
)


class Market:
    """The town, with all of `GOODS` on sale and in the index."""

    def __init__(self, world: World) -> None:
        """Put them on sale."""
        self.world = world
        self.town = Town(world)
        names = {"fruit": ("水果", "Fruit"), "food": ("食品", "Food"), "clothes": ("服装", "Clothes"), "things": ("百货", "Things")}
        self.categories = {key: world.send(CreateCategory(name=name, name_en=name_en)).id for key, (name, name_en) in names.items()} | {
            "tea": self.town.tea
        }
        self.ids: dict[str, GoodsId] = {}
        for place, (title, title_en, category, fen) in enumerate(GOODS):
            shop = self.town.shop if place % 2 == 0 else self.town.other
            world.clock.advance_to(world.clock.wall_ms() + 1_000)
            self.add(title, title_en, category=category, fen=fen, shop=shop)
        world.settle()

    def add(self, title: str, title_en: str = "", *, category: str = "things", fen: int = 1000, **more: Any) -> GoodsId:
        """Put goods on sale; the index hears of it when the world settles."""
        sku = f"SKU-{len(self.ids)}"
        kept = self.town.goods(variant(sku, fen), title=title, title_en=title_en, category_id=self.categories[category], **more)
        self.ids[title] = kept.id
        return kept.id

    def search(self, q: str, **more: Any) -> Findings:
        """Search as anybody does."""
        return self.world.ask(SearchGoods(q=q, **more))

    def titles(self, q: str, **more: Any) -> list[str]:
        """What is found, by title."""
        return [_card(item.card).title for item in self.search(q, **more).items]
