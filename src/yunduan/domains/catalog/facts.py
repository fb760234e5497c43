"""What the catalog tells the others. Stock tells nothing: it moves with every order, and nobody needs each move."""

from yunduan.kernel.ids import CategoryId, GoodsId, ShopId
from yunduan.kernel.messages import Fact


class ShopCreated(Fact):
    """A shop has opened."""

    shop_id: ShopId


class ShopStateChanged(Fact):
    """A shop was suspended or opened again."""

    shop_id: ShopId
    is_open: bool


class ShopHolidaySet(Fact):
    """A shop is on holiday until then (milliseconds since 1970), or, with 0, back before its time."""

    shop_id: ShopId
    back_at: int


class CategoryCreated(Fact):
    """The tree has a new category."""

    category_id: CategoryId


class CategoryChanged(Fact):
    """A category has other names."""

    category_id: CategoryId


class GoodsChanged(Fact):
    """Goods were made, or what is said of them, their price or their state changed."""

    goods_id: GoodsId
    shop_id: ShopId
    category_id: CategoryId
    state: str
    version: int
