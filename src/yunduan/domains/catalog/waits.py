"""What somebody waits for."""

from msgspec import Struct

from yunduan.domains.catalog import store, store_waits
from yunduan.domains.catalog.model import WAITS_MAX
from yunduan.kernel.ids import GoodsId, ShopId, VariantId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking


class WaitLine(Struct, frozen=True, kw_only=True):
    """A variant that somebody waits for, since when (milliseconds since 1970)."""

    variant_id: VariantId
    goods_id: GoodsId
    shop_id: ShopId
    title: str
    title_en: str
    option_text: str
    option_text_en: str
    picture: str
    price: Money
    on_sale: bool
    """Whether its goods are on sale; while they are not, nobody is told."""
    since: int


class WaitList(Struct, frozen=True, kw_only=True):
    """All that somebody waits for, the latest first."""

    items: tuple[WaitLine, ...]


class MyWaits(Query[WaitList]):
    """What the caller has asked to be told of when it is back."""


@answers(MyWaits)
def my_waits(at: Asking, ask: MyWaits) -> WaitList:  # noqa: ARG001 - every query has this form
    """No more than anybody may wait for."""
    waits = store_waits.waits_of(at, at.actor.person, WAITS_MAX)
    variants = at.get_many(store.VARIANT, [id for id, _ in waits])
    return WaitList(
        items=tuple(
            [
                WaitLine(
                    variant_id=id,
                    goods_id=variants[id].goods_id,
                    shop_id=variants[id].shop_id,
                    title=variants[id].title,
                    title_en=variants[id].title_en,
                    option_text=variants[id].option_text,
                    option_text_en=variants[id].option_text_en,
                    picture=variants[id].picture,
                    price=variants[id].price,
                    on_sale=variants[id].on_sale,
                    since=since,
                )
                for id, since in waits
            ]
        )
    )
