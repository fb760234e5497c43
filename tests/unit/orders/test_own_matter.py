"""Whoever works for the marketplace decides nothing that is their own, as buyer, as seller or as author."""

from collections.abc import Iterator

import msgspec

from unit.orders.casebook import TOTAL, Claim
from unit.orders.market import Buyer, Market, yuan
from yunduan.domains.orders.cases import CaseState
from yunduan.domains.orders.commands import RefundOrder, ReviewOrder
from yunduan.domains.orders.disputes import RuleCase
from yunduan.domains.orders.facts import OrderRefunded
from yunduan.domains.orders.receiving import ConfirmReceipt
from yunduan.domains.orders.reporting import JudgeReview
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PersonId


def interested(market: Market, buyer: Buyer, *roles: str) -> Iterator[Actor]:
    """Operators who have bought this, or work in the shop that has sold it."""
    yield Actor(person=buyer.person, operator_roles=frozenset(roles))
    yield Actor(
        person=PersonId("per_both"), operator_roles=frozenset(roles), shop_roles={market.shop.id: frozenset({"packer"})}
    )  # fmt: skip


def test_nobody_rules_their_own_case(market: Market) -> None:
    """Neither side of it."""
    buyer = market.buyer(100_000)
    made = Claim(market, buyer).lead_to(CaseState.HEARD)
    for to_buyer in (TOTAL, 0):
        rule = RuleCase(case_id=made.case, to_buyer=yuan(to_buyer), text="如此")
        for actor in interested(market, buyer, "service"):
            market.assert_refused("own_matter", rule, actor)
    market.world.send(rule, actor=market.operator("service"))


def test_nobody_gives_their_own_order_back(market: Market) -> None:
    """Not as an operator; whoever may give it back for the shop does that for the shop."""
    buyer = market.buyer(100_000)
    buyer.want(market.offer())
    id = buyer.buy().orders[0].id
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    ask = RefundOrder(shop_id=market.shop.id, order_id=id, amount=yuan(100))
    for actor in interested(market, buyer, "finance"):
        market.assert_refused("own_matter", ask, actor)
    both = Actor(
        person=PersonId("per_both"), operator_roles=frozenset({"finance"}), shop_roles={market.shop.id: frozenset({"manager"})}
    )  # fmt: skip
    market.world.send(ask, actor=both)
    rows = market.world.rows("SELECT body FROM fact WHERE kind = ?", OrderRefunded.__name__)
    assert [msgspec.json.decode(body, type=OrderRefunded).by for (body,) in rows] == ["shop"]


def test_nobody_judges_their_own_review(market: Market) -> None:
    """What they wrote, or what was written of their goods."""
    buyer = market.buyer(100_000)
    variant = market.offer()
    buyer.want(variant)
    id = buyer.buy().orders[0].id
    market.ship(id)
    market.world.send(ConfirmReceipt(order_id=id), actor=buyer.actor)
    review = market.world.send(ReviewOrder(order_id=id, variant_id=variant, stars=1), actor=buyer.actor).id
    for actor in interested(market, buyer, "service"):
        market.assert_refused("own_matter", JudgeReview(review_id=review, hide=True, text="不是"), actor)
