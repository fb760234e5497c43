"""How notices are given: each to one person, once, in the transaction in which their cause was heard."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from yunduan.domains.identity.queries import Reach, ReachOf
from yunduan.domains.notices import model, store
from yunduan.domains.notices.model import LETTER_WAYS, Due, NoticeSettings, Preferences, Way
from yunduan.kernel.ids import NoticeLetterId, PersonId
from yunduan.runtime.transaction import Tx


def give(tx: Tx, dues: Sequence[Due]) -> None:
    """Tell everybody what is due to them, by the ways that they have chosen; whoever has been erased is told nothing."""
    people = list(dict.fromkeys(due.person for due in dues))
    reached = tx.ask(ReachOf(person_ids=tuple(people))) if people else {}
    chosen = {person: it.preferences for person, it in tx.get_many(store.PREFERENCE, people).items()}
    tx.advance(store.BOX, people)
    shown = []
    for due in dues:
        reach = reached.get(due.person)
        if reach is None:
            continue
        preferences = chosen.get(due.person, _USUAL)
        ways = preferences.ways(due.kind)
        if Way.IN_APP in ways:
            shown.append(due)
        for way in LETTER_WAYS:
            if way in ways and _has(reach, way):
                _write(tx, due, way, preferences)
    _show(tx, shown)


_USUAL = Preferences()


def _has(reach: Reach, way: Way) -> bool:
    return reach.has_email if way is Way.EMAIL else reach.has_phone


def _show(tx: Tx, dues: Sequence[Due]) -> None:
    """Number the notices of each person, and all of them together."""
    if not dues:
        return
    boxes: dict[PersonId, store.Box] = {}
    for seq, due in enumerate(dues, store.next_seq(tx, len(dues))):
        before = boxes.get(due.person) or store.box_of(tx, due.person)
        box = boxes[due.person] = store.Box(before.person, before.last + 1, before.seen)
        store.keep(tx, store.Notice(seq, due.person, box.last, due.kind, due.about, tx.now))
    for box in boxes.values():
        store.keep_box(tx, box)


def _write(tx: Tx, due: Due, way: Way, preferences: Preferences) -> None:
    """Have a letter carried, after the quiet hours if it falls into them."""
    id = NoticeLetterId(tx.id("ntl"))
    next_at = leaves_at(tx, tx.now, preferences)
    letter = store.Letter(id=id, person=due.person, way=way, kind=due.kind, about=due.about, at=tx.now, next_at=next_at)
    tx.add(store.LETTER, id, letter)


def leaves_at(tx: Tx, at: int, preferences: Preferences) -> int:
    """When a letter may leave that would leave then."""
    return model.after_quiet(at, preferences.quiet, ZoneInfo(tx.port(NoticeSettings).time_zone))
