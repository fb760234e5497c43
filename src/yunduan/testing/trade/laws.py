"""What must be true of the facts, one after the other as they are told: what may not follow on what, and what may come once only."""

# ruff: noqa: SLF001 - the table of facts stands beside the class that hears them

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from yunduan.domains.orders.facts import (
    CaseMoved,
    CaseOpened,
    OrderCancelled,
    OrderChargebackEnded,
    OrderChargedBack,
    OrderPartlyShipped,
    OrderPlaced,
    OrderReceived,
    OrderRefunded,
    OrderRestCancelled,
    OrderShipped,
)
from yunduan.domains.payments.cycles import Cycle, Plan
from yunduan.domains.payments.facts import (
    ChargebackOpened,
    EscrowRefunded,
    EscrowSettled,
    MoneyUnclaimed,
    NotificationMismatched,
    PayeeChecked,
    PayeeNamed,
    PaymentPutOff,
    PayoutBegun,
    PayoutEnded,
    PostagePaid,
    SettledRefunded,
    SplitAsked,
)
from yunduan.domains.payments.model import Mismatch, payment_of_reference, step_id
from yunduan.domains.payments.payees import PayoutState
from yunduan.domains.payments.store import PLANS
from yunduan.kernel.ids import CaseId, OrderId, PaymentId, PersonId, ShopId
from yunduan.kernel.messages import Fact
from yunduan.runtime.ports import Reader
from yunduan.testing.checkers import Told, claim
from yunduan.testing.trade.founding import APPROVED_ABOVE, PAYEE_WAITS_MS, is_asked_by_people

DAY_MS = 86_400_000
ZONE_MS = 8 * 3_600_000
"""By how much the market's clocks (Asia/Shanghai, which has no summer time) are ahead."""
_STANDS_STILL = (
    OrderCancelled,
    OrderPartlyShipped,
    OrderReceived,
    OrderRefunded,
    OrderRestCancelled,
    OrderShipped,
    EscrowRefunded,
    EscrowSettled,
    SettledRefunded,
)
"""What cannot be told of an order of which a bank has taken money back, until that is decided."""
_PAID_OUT_BY_PLAN = "SELECT debit_balance_after FROM transfer WHERE id >= ?1 AND id < ?1 || '~'"


def business_day(at: int) -> int:
    """The number of the day that it is in the market."""
    return (at + ZONE_MS) // DAY_MS


class Settled(Struct, frozen=True):
    """How an order's money was divided."""

    shop_id: ShopId
    to_shop: int
    commission: int
    at: int


class Laws:
    """The facts so far, as far as what may follow hangs on them."""

    def __init__(self) -> None:
        """Nothing was told."""
        self.heard = 0
        self.placed: set[OrderId] = set()
        self.cases: dict[CaseId, str] = {}
        """Where each stands."""
        self.settled: dict[OrderId, Settled] = {}
        self.postage: dict[str, int] = {}
        """What shops have paid for ways back, and people have had for them."""
        self.lapsed: dict[OrderId, int] = {}
        """When orders were called off that nobody had paid."""
        self.ended: dict[str, PayoutState] = {}
        self.begun: dict[str, PayoutBegun] = {}
        self.charged_back: set[str] = set()
        self._otherwise: set[PaymentId | None] = set()
        """Payments of which their payers may have something back otherwise than over the channel."""
        self._contested: dict[OrderId, int] = {}
        self._split: dict[OrderId, int] = {}
        """What providers were asked to give shops there, by order: a bank may come before they have answered."""
        self._usable_at: dict[str, int] = {}
        self._is_theirs: dict[str, bool] = {}
        self._put_off: set[str] = set()
        self._planned: set[tuple[str, int]] = set()
        self._to_see: list[tuple[PayoutBegun, int]] = []
        self._plans: dict[str, Plan] = {}

    def hear(self, told: Told, fact: Fact) -> None:
        """One more."""
        self.heard += 1
        if isinstance(fact, _STANDS_STILL) and not (isinstance(fact, EscrowSettled) and fact.order_id in self._split):
            contested = self._contested.get(fact.order_id, 0)
            claim(not contested, f"{told.kind} of {fact.order_id}, of which a bank has taken {contested} back")
        if (heard := _HEARD.get(type(fact))) is not None:
            heard(self, told, fact)

    def _placed(self, _: Told, fact: OrderPlaced) -> None:
        self.placed.add(fact.order_id)

    def _case_opened(self, _: Told, fact: CaseOpened) -> None:
        self.cases[fact.case_id] = "asked"

    def _case_moved(self, _: Told, fact: CaseMoved) -> None:
        self.cases[fact.case_id] = fact.state

    def _taken(self, _: Told, fact: OrderChargedBack) -> None:
        self._contested[fact.order_id] = self._contested.get(fact.order_id, 0) + fact.amount.amount

    def _decided(self, _: Told, fact: OrderChargebackEnded) -> None:
        left = self._contested.get(fact.order_id, 0) - fact.amount.amount
        claim(left >= 0, f"more of {fact.order_id} was decided than was taken back")
        self._contested[fact.order_id] = left

    def _opened(self, _: Told, fact: ChargebackOpened) -> None:
        claim(fact.chargeback_id not in self.charged_back, f"{fact.chargeback_id} was opened twice")
        self.charged_back.add(fact.chargeback_id)
        self._otherwise.add(fact.payment_id)

    def _is_owed(self, _: Told, fact: MoneyUnclaimed) -> None:
        self._otherwise.add(fact.payment_id)

    def _did_not_fit(self, _: Told, fact: NotificationMismatched) -> None:
        is_had = fact.reason is Mismatch.CONTRADICTS and payment_of_reference(fact.reference) in self._otherwise
        claim(is_had or fact.reason is Mismatch.EXCEEDS_CAPTURED, f"what the channel said of {fact.reference} {fact.reason}")

    def _is_split(self, _: Told, fact: SplitAsked) -> None:
        self._split[fact.order_id] = self._split.get(fact.order_id, 0) + fact.to_shop.amount

    def _was_settled(self, told: Told, fact: EscrowSettled) -> None:
        claim(fact.order_id not in self.settled, f"{fact.order_id} was settled twice")
        self.settled[fact.order_id] = Settled(fact.shop_id, fact.to_shop.amount, fact.commission.amount, told.at)

    def _posted(self, _: Told, fact: PostagePaid) -> None:
        self._add_postage(fact.shop_id, -fact.amount.amount)
        self._add_postage(fact.person, fact.amount.amount)

    def _add_postage(self, whose: PersonId | ShopId, amount: int) -> None:
        self.postage[whose] = self.postage.get(whose, 0) + amount

    def _cancelled(self, told: Told, fact: OrderCancelled) -> None:
        if fact.by == "cloud" and not fact.was_paid:
            self.lapsed[fact.order_id] = told.at

    def _waits(self, _: Told, fact: PaymentPutOff) -> None:
        claim(fact.payment_id not in self._put_off, f"{fact.payment_id} was put off twice")
        self._put_off.add(fact.payment_id)

    # Money that leaves

    def _named(self, told: Told, fact: PayeeNamed) -> None:
        self._usable_at[fact.owner] = told.at + PAYEE_WAITS_MS
        self._is_theirs[fact.owner] = False

    def _checked(self, _: Told, fact: PayeeChecked) -> None:
        self._is_theirs[fact.owner] = fact.is_theirs

    def _begun(self, told: Told, fact: PayoutBegun) -> None:
        id, owner = fact.payout_id, fact.owner
        claim(id not in self.begun, f"{id} was begun twice")
        claim(self._is_theirs.get(owner, False), f"{id} goes to an account of {owner} that nobody has confirmed")
        claim(told.at >= self._usable_at[owner], f"{id} goes to an account of {owner} that was named a moment ago")
        claim(fact.is_awaited == (fact.amount.amount > APPROVED_ABOVE), f"{id} of {fact.amount.amount} is awaited: {fact.is_awaited}")
        self.begun[id] = fact
        if owner.startswith("shp_") and not is_asked_by_people(told.cause):
            night = owner, business_day(told.at)
            claim(night not in self._planned, f"{owner} was paid out by plan twice in one night")
            self._planned.add(night)
            self._to_see.append((fact, told.at))

    def _ended(self, _: Told, fact: PayoutEnded) -> None:
        begun = self.begun.get(fact.payout_id)
        claim(begun is not None and begun.amount == fact.amount, f"{fact.payout_id} ended as another than it began")
        claim(fact.payout_id not in self.ended, f"{fact.payout_id} ended twice")
        self.ended[fact.payout_id] = fact.state

    def see_plans(self, reader: Reader) -> None:
        """What a daily plan has paid out has left in the balance whatever was earned since: looked at in the commit that did it."""
        for begun, at in self._to_see:
            plan = self._plans.get(begun.owner)
            ((left,),) = reader.rows(_PAID_OUT_BY_PLAN, (step_id(begun.payout_id, "pot"),))
            (row,) = reader.load(PLANS, (ShopId(begun.owner),))
            if plan is not None and plan.cycle is Cycle.DAILY and plan.serial == PLANS.value(row).serial:
                first = business_day(at) + 2 - plan.after_days
                here = {id: max(one.to_shop - self._split.get(id, 0), 0) for id, one in self.settled.items()}
                since = sum(here[id] for id, one in self.settled.items() if business_day(one.at) >= first and one.at <= at)
                claim(left >= since, f"{begun.payout_id} takes of what was earned since: {left} is left of {since}")
        self._to_see.clear()

    def note_plan(self, reader: Reader, shop: ShopId) -> None:
        """By which plan a shop is paid out from now on."""
        for row in reader.load(PLANS, (shop,)):
            self._plans[shop] = PLANS.value(row)


_HEARD: Mapping[type[Fact], Callable[[Laws, Told, Any], None]] = {
    OrderPlaced: Laws._placed,
    CaseOpened: Laws._case_opened,
    CaseMoved: Laws._case_moved,
    OrderChargedBack: Laws._taken,
    OrderChargebackEnded: Laws._decided,
    ChargebackOpened: Laws._opened,
    MoneyUnclaimed: Laws._is_owed,
    NotificationMismatched: Laws._did_not_fit,
    EscrowSettled: Laws._was_settled,
    SplitAsked: Laws._is_split,
    PostagePaid: Laws._posted,
    OrderCancelled: Laws._cancelled,
    PaymentPutOff: Laws._waits,
    PayeeNamed: Laws._named,
    PayeeChecked: Laws._checked,
    PayoutBegun: Laws._begun,
    PayoutEnded: Laws._ended,
}
