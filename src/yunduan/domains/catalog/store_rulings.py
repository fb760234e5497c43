"""The statements on what operators decide: applications for shops, goods in review, and rulings with their reasons."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from yunduan.domains.catalog.applications import Application, ApplicationForm, ApplicationState
from yunduan.domains.catalog.model import CatalogRefusal, Goods
from yunduan.domains.catalog.rulings import Ruled, Ruling
from yunduan.domains.identity.model import Vault
from yunduan.kernel.ids import ApplicationId, PersonId, ShopId
from yunduan.kernel.refusals import Refused
from yunduan.runtime.ports import Row, Table
from yunduan.runtime.transaction import Asking, Tx

_goods = msgspec.json.Decoder(Goods).decode

APPLICATION: Table[ApplicationId, Application] = Table(
    name="shop_application",
    columns={
        "id": str,
        "applicant": str,
        "state": str,
        "sealed": bytes,
        "at": int,
        "decided_at": int,
        "decided_by": str,
        "reason": bytes,
        "shop_id": str,
    },
    value=lambda row: Application(row[0], row[1], ApplicationState(row[2]), *row[3:]),
    row=lambda a: (a.id, a.applicant, a.state.value, a.sealed, a.at, a.decided_at, a.decided_by, a.reason, a.shop_id),
    remembered=100,
    updates=("state", "decided_at", "decided_by", "reason", "shop_id"),
)

_OF_PERSON = "SELECT id FROM shop_application WHERE applicant = ? ORDER BY id DESC"
_IN_STATE = "SELECT id FROM shop_application WHERE state = ? AND id > ? ORDER BY id LIMIT ?"
_RULE = "INSERT INTO ruling (shop_id, subject, ruled, person, reason, ruled_by, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
_RULINGS = "SELECT seq, shop_id, subject, ruled, person, reason, ruled_by, at FROM ruling WHERE shop_id = ?"
_RULINGS_LAST = _RULINGS + " ORDER BY seq DESC LIMIT ?"
_RULINGS_BEFORE = _RULINGS + " AND seq < ? ORDER BY seq DESC LIMIT ?"

_BEGIN_REVIEW = "INSERT INTO goods_review (goods_id, shop_id, at) VALUES (?, ?, ?)"
_END_REVIEW = "DELETE FROM goods_review WHERE goods_id = ?"
_IN_REVIEW = "SELECT r.seq, r.at, g.body FROM goods_review r JOIN goods g ON g.id = r.goods_id WHERE r.seq > ? ORDER BY r.seq LIMIT ?"


def vault(at: Asking) -> Vault:
    """The vault that the composition root has joined."""
    found: Vault = at.port(Vault)  # type: ignore[type-abstract] # a protocol is the name of its port
    return found


def application(at: Asking, id: ApplicationId) -> Application:
    """An application, whoever's."""
    found = at.get(APPLICATION, id)
    if found is None:
        raise Refused(CatalogRefusal.APPLICATION_NOT_FOUND)
    return found


def applications_of(at: Asking, person: PersonId) -> list[Application]:
    """A person's own, the latest first: no more than anybody may send."""
    return _found(at, at.rows(_OF_PERSON, (person,)))


def applications_in(at: Asking, state: ApplicationState, after: str, limit: int) -> list[Application]:
    """Those in a state, who has waited longest first."""
    return _found(at, at.rows(_IN_STATE, (state.value, after, limit)))


def _found(at: Asking, rows: Sequence[Row]) -> list[Application]:
    ids = [row[0] for row in rows]
    found = at.get_many(APPLICATION, ids)
    return [found[id] for id in ids]


def sealed_form(at: Asking, person: PersonId, form: ApplicationForm) -> bytes:
    """A form as it is kept."""
    return vault(at).seal(person, msgspec.json.encode(form).decode())


def form_of(at: Asking, application: Application) -> ApplicationForm | None:
    """What was applied for; nothing once the applicant has been erased."""
    opened = vault(at).unseal(application.applicant, application.sealed)
    return _form(opened) if opened is not None else None


def _form(opened: str) -> ApplicationForm:
    """As it was kept: before pictures of licences were private, a document may have named one that lies open."""
    kept = msgspec.json.decode(opened)
    pictures = [document.pop("picture", None) or document.pop("picture_id", None) for document in kept["documents"]]
    form = msgspec.convert(kept, ApplicationForm)
    return replace(form, documents=tuple([replace(one, picture_id=name) for one, name in zip(form.documents, pictures, strict=True)]))


def rule(tx: Tx, ruling: Ruling) -> None:
    """Write a decision down."""
    row = (ruling.shop_id, ruling.subject, ruling.ruled.value, ruling.person, ruling.reason, ruling.by, ruling.at)
    tx.append(_RULE, row)


def rulings(at: Asking, shop_id: ShopId, *, before: int | None, limit: int) -> list[tuple[int, Ruling]]:
    """(number, ruling) about a shop and its goods, the latest first."""
    rows = at.rows(_RULINGS_LAST, (shop_id, limit)) if before is None else at.rows(_RULINGS_BEFORE, (shop_id, before, limit))
    return [(row[0], Ruling(row[1], row[2], Ruled(row[3]), *row[4:])) for row in rows]


def begin_review(tx: Tx, goods: Goods) -> None:
    """Let goods wait for an operator."""
    tx.append(_BEGIN_REVIEW, (goods.id, goods.shop_id, tx.now))


def end_review(tx: Tx, goods: Goods) -> None:
    """They wait no more."""
    tx.write_one(_END_REVIEW, (goods.id,))


def in_review(at: Asking, after: int, limit: int) -> list[tuple[int, int, Goods]]:
    """(place, since when, goods) of those that wait, who has waited longest first."""
    return [(row[0], row[1], _goods(row[2])) for row in at.rows(_IN_REVIEW, (after, limit))]
