"""What the catalog tells the others.

Of stock only that it runs low, and that it is back where somebody waits for it: it moves with every order, and nobody needs each move.
"""

from yunduan.kernel.ids import ApplicationId, CategoryId, GoodsId, PersonId, ShopId, VariantId
from yunduan.kernel.messages import Fact


class ShopApplied(Fact):
    """Somebody would like to have a shop."""

    application_id: ApplicationId
    applicant: PersonId


class ShopApplicationDecided(Fact):
    """An application was approved (then there is the shop), rejected or withdrawn."""

    application_id: ApplicationId
    applicant: PersonId
    state: str
    shop_id: ShopId | None


class ShopCreated(Fact):
    """A shop has opened."""

    shop_id: ShopId


class ShopChanged(Fact):
    """A shop has another name, sends from elsewhere, or asks something else for shipping: all of its goods are shown differently."""

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
    """A category has other names, or asks something else of its goods."""

    category_id: CategoryId


class GoodsChanged(Fact):
    """Goods were made, or what is said of them, their price or their state changed."""

    goods_id: GoodsId
    shop_id: ShopId
    category_id: CategoryId
    state: str
    version: int


class GoodsToReview(Fact):
    """Goods wait for an operator before they are sold."""

    goods_id: GoodsId
    shop_id: ShopId


class GoodsRuled(Fact):
    """An operator has decided about goods: `ruled` is the step that was taken, such as `approve`."""

    goods_id: GoodsId
    shop_id: ShopId
    ruled: str


class StockRanLow(Fact):
    """An order has left few pieces of a variant to be sold over all locations of its shop, or, with 0, none."""

    variant_id: VariantId
    goods_id: GoodsId
    shop_id: ShopId
    available: int


class StockCameBack(Fact):
    """There are pieces to buy again of a variant of which there were none."""

    variant_id: VariantId
    goods_id: GoodsId
    shop_id: ShopId


class WaitEnded(Fact):
    """What somebody asked to be told of is there again; they wait no longer."""

    person_id: PersonId
    variant_id: VariantId
    goods_id: GoodsId
    shop_id: ShopId


class StandingsShown(Fact):
    """Lists show now how these goods have sold and are liked: told within a minute of it, of many goods at once."""

    goods_ids: tuple[GoodsId, ...]
