"""Applications for a shop: what somebody hands in, and where that stands; pure, no input or output."""

from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.catalog.model import CatalogRefusal, Country, Description, MaybeName, Name, Picture, Region
from yunduan.domains.catalog.rulings import Reason
from yunduan.kernel.ids import ApplicationId, PersonId, ShopId
from yunduan.kernel.images import PictureId
from yunduan.kernel.money import Currency
from yunduan.kernel.refusals import Refused

DOCUMENTS_MAX = 10
LOOSE_PICTURES_MAX = 20
"""So many pictures somebody has that no application names which waits or was approved."""
PICTURE_KEPT_MS = 30 * 86_400_000
"""How long such a picture is kept."""
APPLICATIONS_MAX = 20
"""How often somebody may apply in all; one application of theirs waits at a time."""


class DocumentKind(StrEnum):
    """What a document shows."""

    BUSINESS_LICENCE = "business_licence"
    IDENTITY = "identity"
    PERMIT = "permit"
    TRADEMARK = "trademark"
    OTHER = "other"


class LicenceDocument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document that shows who sells and what they may sell: what it says, and its picture, sent beforehand, if there is one."""

    kind: DocumentKind
    text: Annotated[Reason, Meta(description="Its number, who has issued it, until when it holds.", examples=["91330106MA2CFXXX0X"])]
    picture_id: PictureId | None = None


class ApplicationForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shop that is applied for, and the documents that go with it. It is kept sealed under the applicant's key."""

    name: Name
    name_en: MaybeName = ""
    about: Description = ""
    about_en: Description = ""
    picture: Picture | None = None
    country: Country
    region: Region = ""
    currency: Currency
    documents: Annotated[tuple[LicenceDocument, ...], Meta(min_length=1, max_length=DOCUMENTS_MAX)]

    def pictures(self) -> frozenset[PictureId]:
        """Those that its documents name."""
        return frozenset([picture for document in self.documents if (picture := document.picture_id)])


class ApplicationState(StrEnum):
    """Where an application stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class ApplicationStep(StrEnum):
    """What can happen to an application."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"


class Decider(StrEnum):
    """Who takes a step."""

    APPLICANT = "applicant"
    OPERATOR = "operator"
    CLOUD = "cloud"


class ApplicationMove(Struct, frozen=True):
    """One row of the table of steps."""

    state: ApplicationState
    step: ApplicationStep
    who: Decider
    next: ApplicationState


APPLICATION_MOVES: tuple[ApplicationMove, ...] = (
    ApplicationMove(ApplicationState.WAITING, ApplicationStep.APPROVE, Decider.OPERATOR, ApplicationState.APPROVED),
    ApplicationMove(ApplicationState.WAITING, ApplicationStep.REJECT, Decider.OPERATOR, ApplicationState.REJECTED),
    ApplicationMove(ApplicationState.WAITING, ApplicationStep.WITHDRAW, Decider.APPLICANT, ApplicationState.WITHDRAWN),
    ApplicationMove(ApplicationState.WAITING, ApplicationStep.WITHDRAW, Decider.CLOUD, ApplicationState.WITHDRAWN),
)
"""Every step that there is. The cloud withdraws the application of somebody who has been erased: nobody can read it any more."""
_NEXT = MappingProxyType({(move.state, move.step, move.who): move.next for move in APPLICATION_MOVES})


class Application(Struct, frozen=True, gc=False):
    """Somebody's wish for a shop. `sealed` is the form and `reason` why it was rejected, both under the applicant's key."""

    id: ApplicationId
    applicant: PersonId
    state: ApplicationState
    sealed: bytes
    at: int
    decided_at: int = 0
    decided_by: PersonId = PersonId("")
    reason: bytes = b""
    shop_id: ShopId = ShopId("")


def decided(state: ApplicationState, step: ApplicationStep, who: Decider) -> ApplicationState:
    """The state that a step leads to; refuses a step that the table does not have."""
    found = _NEXT.get((state, step, who))
    if found is None:
        raise Refused(CatalogRefusal.APPLICATION_STATE, f"the application is {state.value}")
    return found
