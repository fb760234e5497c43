"""What the catalog hears of others."""

from yunduan.domains.catalog import store_rulings
from yunduan.domains.catalog.applications import ApplicationState
from yunduan.domains.catalog.commands import WithdrawApplication
from yunduan.domains.identity.facts import PersonErased
from yunduan.runtime.registry import Follower, hears
from yunduan.runtime.transaction import Tx


@hears(PersonErased)
def on_person_erased(tx: Tx, facts: list[PersonErased]) -> None:
    """Withdraw the applications of people who have been erased: nobody can read them any more."""
    for fact in facts:
        for application in store_rulings.applications_of(tx, fact.person_id):
            if application.state is ApplicationState.WAITING:
                tx.send(WithdrawApplication(application_id=application.id))


FOLLOWERS = (Follower("applications_withdrawn", (on_person_erased,)),)
