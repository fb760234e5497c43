"""What the catalog hears of others."""

from yunduan.domains.catalog import store_licences, store_rulings, store_waits
from yunduan.domains.catalog.applications import ApplicationState
from yunduan.domains.catalog.commands import EndWaits, SeeWaits, WithdrawApplication
from yunduan.domains.catalog.facts import ShopHolidaySet, ShopStateChanged, StockCameBack
from yunduan.domains.catalog.model import WAITS_MAX
from yunduan.domains.identity.facts import PersonErased
from yunduan.runtime.registry import Follower, hears
from yunduan.runtime.transaction import Tx


@hears(PersonErased)
def on_person_erased(tx: Tx, facts: list[PersonErased]) -> None:
    """Withdraw the applications of people who have been erased, and forget their pictures: nobody can read them any more."""
    for fact in facts:
        for application in store_rulings.applications_of(tx, fact.person_id):
            if application.state is ApplicationState.WAITING:
                tx.send(WithdrawApplication(application_id=application.id))
        store_licences.forget_person(tx, fact.person_id)


@hears(PersonErased)
def on_waiting_person_erased(tx: Tx, facts: list[PersonErased]) -> None:
    """Forget what they waited for."""
    for fact in facts:
        for variant_id, _ in store_waits.waits_of(tx, fact.person_id, WAITS_MAX):
            store_waits.end(tx, fact.person_id, variant_id)


@hears(StockCameBack)
def on_stock_came_back(tx: Tx, facts: list[StockCameBack]) -> None:
    """Have whoever waits told, if it is there still."""
    for variant_id in dict.fromkeys([fact.variant_id for fact in facts]):
        tx.send(EndWaits(variant_id=variant_id))


@hears(ShopStateChanged)
def on_shop_state_changed(tx: Tx, facts: list[ShopStateChanged]) -> None:
    """What came while the shop was closed is back when it opens."""
    for shop_id in dict.fromkeys([fact.shop_id for fact in facts if fact.is_open]):
        tx.send(SeeWaits(shop_id=shop_id))


@hears(ShopHolidaySet)
def on_shop_holiday_set(tx: Tx, facts: list[ShopHolidaySet]) -> None:
    """What came while the shop was away is back when it is, which may be at another time than it has said before."""
    for shop_id in dict.fromkeys([fact.shop_id for fact in facts]):
        tx.send(SeeWaits(shop_id=shop_id))


FOLLOWERS = (
    Follower("applications_withdrawn", (on_person_erased,)),
    Follower("stock_waits", (on_stock_came_back, on_shop_state_changed, on_shop_holiday_set, on_waiting_person_erased)),
)
