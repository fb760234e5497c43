"""Standings: what was sold and reviewed, counted at once and shown on the cards soon after."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from yunduan.domains.catalog import store
from yunduan.domains.catalog.facts import StandingsShown
from yunduan.domains.catalog.model import LINES_MAX, CatalogRefusal, Quantity
from yunduan.kernel.ids import GoodsId, ShopId
from yunduan.kernel.messages import Command
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

SHOWN_EVERY_MS = 60_000
"""How long a card may show old figures: a sale then costs one narrow row, and not every index of the lists."""
SHOWN_AT_ONCE = 100


class SaleLine(Struct, frozen=True, kw_only=True, gc=False):
    """So many pieces of some goods."""

    goods_id: GoodsId
    quantity: Quantity


class CountSale(Command[None], refuses={CatalogRefusal.GOODS_NOT_FOUND}):
    """Count pieces that were sold: on the page at once, in lists within `SHOWN_EVERY_MS`.

    Sent by the follower of what orders tell; the lines of many sales in one command cost little more than those of one.
    """

    lines: Annotated[tuple[SaleLine, ...], Meta(max_length=LINES_MAX)]


class UncountSale(Command[None], refuses={CatalogRefusal.GOODS_NOT_FOUND}):
    """Take back the count of sales that came to nothing; never below none, however few were counted.

    Sent by the follower of what orders tell, once for each order that ends so.
    """

    lines: Annotated[tuple[SaleLine, ...], Meta(max_length=LINES_MAX)]


class RateGoods(Command[None], refuses={CatalogRefusal.GOODS_NOT_FOUND}):
    """Count a review, for its goods and for their shop. Sent by the follower of what orders tell, once for each review."""

    goods_id: GoodsId
    shop_id: ShopId
    stars: Annotated[int, Meta(ge=1, le=5)]


class UnrateGoods(Command[None], refuses={CatalogRefusal.GOODS_NOT_FOUND}):
    """Take back what was counted of a review that is not shown any more. Sent by the same follower."""

    goods_id: GoodsId
    shop_id: ShopId
    stars: Annotated[int, Meta(ge=1, le=5)]


class ShowStandings(Command[None]):
    """Bring the cards of goods that were sold or reviewed up to date, a step at a time."""


@handles(CountSale)
def count_sale(tx: Tx, ask: CountSale) -> None:
    """Keep each goods' standing."""
    tx.advance(store.STANDING, [line.goods_id for line in ask.lines])
    for line in ask.lines:
        standing = store.standing(tx, line.goods_id)
        store.keep_standing(tx, standing, sold=standing.sold + line.quantity)
    _show_soon(tx)


@handles(UncountSale)
def uncount_sale(tx: Tx, ask: UncountSale) -> None:
    """Keep each goods' standing."""
    for line in ask.lines:
        standing = store.standing(tx, line.goods_id)
        store.keep_standing(tx, standing, sold=max(0, standing.sold - line.quantity))
    _show_soon(tx)


@handles(RateGoods)
def rate_goods(tx: Tx, ask: RateGoods) -> None:
    """Keep the goods' standing and the shop's score."""
    _rate(tx, ask.goods_id, ask.shop_id, reviews=1, stars=ask.stars)


@handles(UnrateGoods)
def unrate_goods(tx: Tx, ask: UnrateGoods) -> None:
    """Keep them without it."""
    _rate(tx, ask.goods_id, ask.shop_id, reviews=-1, stars=-ask.stars)


def _rate(tx: Tx, goods_id: GoodsId, shop_id: ShopId, *, reviews: int, stars: int) -> None:
    standing, score = store.standing(tx, goods_id), store.score(tx, shop_id)
    store.keep_standing(tx, standing, reviews=standing.reviews + reviews, stars=standing.stars + stars)
    store.keep_score(tx, replace(score, reviews=score.reviews + reviews, stars=score.stars + stars))
    _show_soon(tx)


def _show_soon(tx: Tx) -> None:
    if store.set_round(tx, is_set=True):
        tx.at(tx.now + SHOWN_EVERY_MS, ShowStandings())


@handles(ShowStandings)
def show_standings(tx: Tx, ask: ShowStandings) -> None:  # noqa: ARG001 - every command has this form
    """Do some, and set the next step for the rest; the round is over when none is due."""
    due = store.standing_due(tx, limit=SHOWN_AT_ONCE)
    for standing in due:
        store.show_standing(tx, standing)
    if due:
        tx.tell(StandingsShown(goods_ids=tuple([standing.goods_id for standing in due])))
    if len(due) == SHOWN_AT_ONCE:
        tx.at(tx.now, ShowStandings())
    else:
        store.set_round(tx, is_set=False)
