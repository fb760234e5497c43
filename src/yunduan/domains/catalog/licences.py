"""Pictures of licences: private to whoever has sent them and to operators who decide, sealed, and gone with the person.

A picture is sent first and named by a document of the application then. Its name is that of its content and opens nothing.
"""

from base64 import b64encode

from msgspec import Struct

from yunduan.domains.catalog import store_licences, store_rulings
from yunduan.domains.catalog.applications import LOOSE_PICTURES_MAX, PICTURE_KEPT_MS, ApplicationState
from yunduan.domains.catalog.deciding import application_seen
from yunduan.domains.catalog.model import CatalogRefusal
from yunduan.kernel import images
from yunduan.kernel.ids import ApplicationId, PersonId
from yunduan.kernel.images import Content, ImageRefusal, PictureId
from yunduan.kernel.messages import Command, Query
from yunduan.kernel.refusals import Refused, invariant
from yunduan.runtime.registry import answers, handles
from yunduan.runtime.transaction import Asking, Tx


class LicenceKept(Struct, frozen=True, kw_only=True):
    """What a document of an application names the picture by."""

    id: PictureId


class KeepLicencePicture(Command[LicenceKept], refuses={CatalogRefusal.LICENCE_PICTURES_FULL, ImageRefusal.UNREADABLE}):
    """Send a picture of a licence before applying for a shop with it; the same picture again changes nothing."""

    content: Content


class ForgetLicencePicture(Command[None]):
    """Forget a picture that no application keeps; look again later while one waits with it. Sent by time."""

    person_id: PersonId
    picture_id: PictureId


class LicenceContent(Struct, frozen=True, kw_only=True):
    """A picture itself, in base64: for a `data:` address."""

    id: PictureId
    media_type: str
    content: str | None


class LicencePicture(Query[LicenceContent], refuses={CatalogRefusal.APPLICATION_NOT_FOUND, CatalogRefusal.LICENCE_PICTURE_NOT_FOUND}):
    """A picture that an application names, for whoever has sent it and for operators who decide."""

    application_id: ApplicationId
    picture_id: PictureId


@handles(KeepLicencePicture)
def keep_licence_picture(tx: Tx, ask: KeepLicencePicture) -> LicenceKept:
    """Rid of its metadata and sealed."""
    person = tx.actor.person
    invariant(bool(person), "a picture is somebody's")
    media_type, picture = images.cleaned(ask.content)
    name, there = images.name_of(picture), store_licences.of_person(tx, person)
    if name not in there:
        if sum(map(store_licences.is_loose, there.values())) >= LOOSE_PICTURES_MAX:
            raise Refused(CatalogRefusal.LICENCE_PICTURES_FULL, f"{LOOSE_PICTURES_MAX} are the most")
        content = store_rulings.vault(tx).seal(person, b64encode(picture).decode())
        store_licences.keep(tx, person, name, store_licences.Licence(media_type, content))
        tx.at(tx.now + PICTURE_KEPT_MS, ForgetLicencePicture(person_id=person, picture_id=name))
    return LicenceKept(id=name)


@handles(ForgetLicencePicture)
def forget_licence_picture(tx: Tx, ask: ForgetLicencePicture) -> None:
    """That of an approved application stays for as long as its person."""
    there = store_licences.of_person(tx, ask.person_id)
    if ask.picture_id not in there:
        return
    state = there[ask.picture_id]
    if store_licences.is_loose(state):
        store_licences.forget(tx, ask.person_id, ask.picture_id)
    elif state is ApplicationState.WAITING:
        tx.at(tx.now + PICTURE_KEPT_MS, ask)


@answers(LicencePicture)
def licence_picture(at: Asking, ask: LicencePicture) -> LicenceContent:
    """To whom the application is shown, and of this very application."""
    found = application_seen(at, ask.application_id)
    form = store_rulings.form_of(at, found)
    licence = store_licences.one(at, found.applicant, ask.picture_id) if form and ask.picture_id in form.pictures() else None
    if licence is None:
        raise Refused(CatalogRefusal.LICENCE_PICTURE_NOT_FOUND)
    content = store_rulings.vault(at).unseal(found.applicant, licence.content)
    return LicenceContent(id=ask.picture_id, media_type=licence.media_type, content=content)
