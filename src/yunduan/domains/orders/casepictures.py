"""Pictures that speak for one side of a case: private, sealed like its words, and frozen when evidence is closed.

A picture is named after its content, and the name opens nothing: whoever asks for it has to be the buyer, of that shop, or an operator.
"""

from base64 import b64encode

from msgspec import Struct

from yunduan.domains.identity.model import Vault
from yunduan.domains.orders import cases, casework, store
from yunduan.domains.orders.cases import PICTURES_MAX, Case, CaseEvent, CaseRefusal, Shown, Statement
from yunduan.domains.orders.casework import CASE_REFUSALS
from yunduan.domains.orders.commands import GIVES_BACK, SERVES
from yunduan.domains.orders.model import Who
from yunduan.domains.orders.queries.seeing import is_shown
from yunduan.domains.orders.steps import sealed
from yunduan.kernel import images
from yunduan.kernel.ids import CaseId, ShopId
from yunduan.kernel.images import Content, ImageRefusal, PictureId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx

_REFUSALS = {*CASE_REFUSALS, CaseRefusal.PICTURES_FULL, ImageRefusal.UNREADABLE}


class PictureShown(Struct, frozen=True, kw_only=True):
    """The picture is a part of the case."""

    case_id: CaseId
    id: PictureId


class ShowPicture(Command[PictureShown], refuses=_REFUSALS):
    """Show a picture in one's own case, with a word to it; the same picture again changes nothing."""

    case_id: CaseId
    content: Content
    text: Statement = ""


class ShowShopPicture(Command[PictureShown], refuses=_REFUSALS):
    """Show a picture for the shop, with a word to it; the same picture again changes nothing."""

    shop_id: ShopId
    case_id: CaseId
    content: Content
    text: Statement = ""


class PictureContent(Struct, frozen=True, kw_only=True):
    """A picture itself, in base64: for a `data:` address; nothing once whoever showed it has been erased."""

    id: PictureId
    media_type: str
    content: str | None


class CasePicture(Query[PictureContent], refuses={CaseRefusal.NOT_FOUND, CaseRefusal.PICTURE_NOT_FOUND}):
    """A picture of a case, for its buyer and for operators."""

    case_id: CaseId
    picture_id: PictureId


class ShopCasePicture(Query[PictureContent], refuses={CaseRefusal.NOT_FOUND, CaseRefusal.PICTURE_NOT_FOUND}):
    """A picture of a case about an order of a shop, for its staff."""

    shop_id: ShopId
    case_id: CaseId
    picture_id: PictureId


@handles(ShowPicture)
def show_picture(tx: Tx, ask: ShowPicture) -> PictureShown:
    """Keep it, and tell the other side."""
    return _shown(tx, casework.of_buyer(tx, ask.case_id), Who.BUYER, ask.content, ask.text)


@handles(ShowShopPicture)
def show_shop_picture(tx: Tx, ask: ShowShopPicture) -> PictureShown:
    """The same by the shop."""
    return _shown(tx, casework.of_shop(tx, ask.shop_id, ask.case_id, *SERVES), Who.SHOP, ask.content, ask.text)


def _shown(tx: Tx, case: Case, who: Who, content: bytes, text: str) -> PictureShown:
    cases.after(case, CaseEvent.SHOW_PICTURE, who)
    media_type, picture = images.cleaned(content)
    name, speaker = images.name_of(picture), tx.actor.person
    there = store.pictures_in(tx, case.id)
    if not any(one.picture == name for one in there):
        if sum(one.who is who for one in there) >= PICTURES_MAX:
            raise Refused(CaseRefusal.PICTURES_FULL, f"{PICTURES_MAX} of each side")
        one = Shown(case.id, len(there), name, who, media_type, speaker, sealed(tx, speaker, text), tx.now)
        store.keep_picture(tx, one, sealed(tx, speaker, b64encode(picture).decode()))
        casework.stepped(tx, case, CaseEvent.SHOW_PICTURE, who)
    return PictureShown(case_id=case.id, id=name)


@answers(CasePicture)
def case_picture(at: Asking, ask: CasePicture) -> PictureContent:
    """To whom the case is shown."""
    case = at.get(store.CASE, ask.case_id)
    if case is None or not is_shown(at, case.buyer):
        raise Refused(CaseRefusal.NOT_FOUND)
    return _content(at, case, ask.picture_id)


@answers(ShopCasePicture)
def shop_case_picture(at: Asking, ask: ShopCasePicture) -> PictureContent:
    """Of this very shop."""
    case = at.get(store.CASE, ask.case_id)
    if case is None or case.shop_id != ask.shop_id or not at.actor.serves(ask.shop_id, *GIVES_BACK):
        raise Refused(CaseRefusal.NOT_FOUND)
    return _content(at, case, ask.picture_id)


def _content(at: Asking, case: Case, picture: str) -> PictureContent:
    one = next((one for one in store.pictures_in(at, case.id) if one.picture == picture), None)
    if one is None:
        raise Refused(CaseRefusal.PICTURE_NOT_FOUND)
    vault: Vault = at.port(Vault)  # type: ignore[type-abstract] # a port is found by its protocol
    content = vault.unseal(one.speaker, store.picture_content(at, case.id, one.number))
    return PictureContent(id=one.picture, media_type=one.media_type, content=content)


def check_receipt(tx: Tx, case: Case, picture: str | None) -> None:
    """Refuse what its buyer has not shown in this case."""
    if not any(one.picture == picture and one.who is Who.BUYER for one in store.pictures_in(tx, case.id)):
        raise Refused(CaseRefusal.PICTURE_NOT_FOUND)
