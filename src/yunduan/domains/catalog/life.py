"""The life of goods as data: their states, the steps between them, who takes each and when; pure, no input or output."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from yunduan.domains.catalog.model import CatalogRefusal, GoodsState
from yunduan.kernel.refusals import Refused

SCHEDULED_MS_MAX = 90 * 86_400_000
"""How far ahead a shop may say when goods go on sale."""


class GoodsStep(StrEnum):
    """What can happen to goods."""

    PUBLISH = "publish"
    CHANGE = "change"
    PRICE = "price"
    SCHEDULE = "schedule"
    UNSCHEDULE = "unschedule"
    OPEN = "open"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REJECT = "reject"
    BAN = "ban"
    LIFT = "lift"


class GoodsWho(StrEnum):
    """In what part somebody takes a step."""

    SHOP = "shop"
    OPERATOR = "operator"
    CLOUD = "cloud"


class GoodsGiven(StrEnum):
    """What a step may depend on."""

    ALWAYS = ""
    UNREVIEWED = "to be reviewed"
    """The marketplace reviews goods, and these have not been reviewed as they are described now."""
    REVIEWED = "need no review"
    SCHEDULED = "time set"
    """The shop has named a time that has not come yet."""
    UNSCHEDULED = "no time set"


class GoodsMove(Struct, frozen=True):
    """One row of the table of steps."""

    state: GoodsState
    step: GoodsStep
    who: GoodsWho
    next: GoodsState
    given: GoodsGiven = GoodsGiven.ALWAYS


def _table() -> tuple[GoodsMove, ...]:
    draft, in_review, on_sale, off_sale, banned = GoodsState
    step, given = GoodsStep, GoodsGiven
    shop, operator, cloud = GoodsWho
    rows = []
    for state in (draft, off_sale):
        rows += [
            GoodsMove(state, step.PUBLISH, shop, on_sale, given.REVIEWED),
            GoodsMove(state, step.PUBLISH, shop, in_review, given.UNREVIEWED),
            GoodsMove(state, step.SCHEDULE, shop, state, given.REVIEWED),
            GoodsMove(state, step.SCHEDULE, shop, in_review, given.UNREVIEWED),
            GoodsMove(state, step.UNSCHEDULE, shop, state),
            GoodsMove(state, step.OPEN, cloud, on_sale, given.REVIEWED),
            GoodsMove(state, step.OPEN, cloud, in_review, given.UNREVIEWED),
            GoodsMove(state, step.CHANGE, shop, state),
        ]
    rows += [
        GoodsMove(in_review, step.PUBLISH, shop, in_review),
        GoodsMove(in_review, step.SCHEDULE, shop, in_review),
        GoodsMove(in_review, step.UNSCHEDULE, shop, draft, given.SCHEDULED),
        GoodsMove(in_review, step.UNSCHEDULE, shop, in_review, given.UNSCHEDULED),
        GoodsMove(in_review, step.OPEN, cloud, in_review),
        GoodsMove(in_review, step.CHANGE, shop, in_review),
        GoodsMove(in_review, step.APPROVE, operator, on_sale, given.UNSCHEDULED),
        GoodsMove(in_review, step.APPROVE, operator, off_sale, given.SCHEDULED),
        GoodsMove(in_review, step.REJECT, operator, draft),
        GoodsMove(on_sale, step.PUBLISH, shop, on_sale),
        GoodsMove(on_sale, step.CHANGE, shop, on_sale, given.REVIEWED),
        GoodsMove(on_sale, step.CHANGE, shop, in_review, given.UNREVIEWED),
    ]
    rows += [GoodsMove(state, step.WITHDRAW, shop, off_sale) for state in (in_review, on_sale, off_sale)]
    rows += [GoodsMove(state, step.PRICE, shop, state) for state in (draft, in_review, on_sale, off_sale)]
    rows += [GoodsMove(state, step.PRICE, cloud, state) for state in GoodsState]
    rows += [GoodsMove(state, step.BAN, operator, banned) for state in GoodsState]
    return (*rows, GoodsMove(banned, step.LIFT, operator, off_sale))


GOODS_MOVES: tuple[GoodsMove, ...] = _table()
"""Every step that there is; whatever is not here is refused. A step that leads back to its state, and changes nothing else, is harmless.

Banned goods stay as they are until the ban is lifted: they are what was decided about. Whoever takes back the time of goods in review
does not want them on sale at once: they are a draft again. `OPEN` is the time that a shop has named; the
cloud's `PRICE` takes a comparison away that has lapsed.
"""


def _next() -> Mapping[tuple[GoodsState, GoodsStep, GoodsWho, GoodsGiven], GoodsState]:
    return MappingProxyType({(move.state, move.step, move.who, move.given): move.next for move in GOODS_MOVES})


_NEXT = _next()


class GoodsNow(Struct, frozen=True, kw_only=True):
    """What a refused step is told: where the goods stand, and what its caller may do from there."""

    state: GoodsState
    steps: tuple[GoodsStep, ...]


def after(state: GoodsState, step: GoodsStep, who: GoodsWho, *, unreviewed: bool, scheduled: bool) -> GoodsState:
    """The state that a step leads to; refuses a step that the table does not have."""
    holds = (
        GoodsGiven.ALWAYS,
        GoodsGiven.UNREVIEWED if unreviewed else GoodsGiven.REVIEWED,
        GoodsGiven.SCHEDULED if scheduled else GoodsGiven.UNSCHEDULED,
    )
    for given in holds:
        found = _NEXT.get((state, step, who, given))
        if found is not None:
            return found
    may = tuple(dict.fromkeys(move.step for move in GOODS_MOVES if move.state is state and move.who is who))
    raise Refused(CatalogRefusal.GOODS_STATE, f"the goods are {state.value}", figures=GoodsNow(state=state, steps=may))
