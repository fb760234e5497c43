"""What somebody wants, and an order that was placed."""

from msgspec import Struct

from yunduan.domains.orders.commands import PlacedOrder
from yunduan.edges.demo.fates import Fate
from yunduan.edges.demo.opening import Listed, Opened
from yunduan.edges.demo.people import Buyer
from yunduan.kernel.ids import VariantId


class Wish(Struct, frozen=True, kw_only=True):
    """So many of a variant."""

    listed: Listed
    variant_id: VariantId
    quantity: int


class Bought(Struct, frozen=True, kw_only=True):
    """An order that was placed, with its lines."""

    order: PlacedOrder
    buyer: Buyer
    shop: Opened
    lines: tuple[Wish, ...]
    fate: Fate
