"""What operators see of splits: those that providers have refused."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.payments import store
from yunduan.domains.payments.model import SplitId, SplitState
from yunduan.kernel.ids import OrderId, ShopId
from yunduan.kernel.messages import Query
from yunduan.kernel.money import Money
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

SPLITS_MAX = 100


class SplitNow(Struct, frozen=True, kw_only=True):
    """What a provider was asked to divide of an order; `serial` counts how often it was asked anew since."""

    id: SplitId
    order_id: OrderId
    shop_id: ShopId
    channel: str
    reference: str
    to_shop: Money
    to_marketplace: Money
    state: SplitState
    at: int
    serial: int


class SplitPage(Struct, frozen=True, kw_only=True):
    """A page of it; `after` asks for the next."""

    items: tuple[SplitNow, ...]
    after: SplitId | None


class RefusedSplits(Query[SplitPage]):
    """What providers would not divide, and keep: somebody has to see why, and have them asked again."""

    after: SplitId | None = None
    limit: Annotated[int, Meta(ge=1, le=SPLITS_MAX)] = 50


@answers(RefusedSplits)
def refused_splits(at: Asking, ask: RefusedSplits) -> SplitPage:
    """By their ids, which are in the order of their orders."""
    found = store.refused_splits(at, ask.after or "", ask.limit + 1)
    items = tuple(
        [
            SplitNow(
                id=one.id,
                order_id=one.order_id,
                shop_id=one.shop_id,
                channel=one.channel,
                reference=one.reference,
                to_shop=one.to_shop,
                to_marketplace=one.to_marketplace,
                state=one.state,
                at=one.at,
                serial=one.serial,
            )
            for one in found[: ask.limit]
        ]
    )
    return SplitPage(items=items, after=items[-1].id if len(found) > ask.limit else None)
