"""How notices are given: each to one person, once, in the transaction in which their cause was heard."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from yunduan.domains.identity.queries import Reach, ReachOf
from yunduan.domains.notices import model, store
from yunduan.domains.notices.model import SAFETY, Due, NoticeKind, NoticeSettings, Preferences, Way
from yunduan.kernel.ids import NoticeLetterId
from yunduan.runtime.transaction import Tx


def give(tx: Tx, dues: Sequence[Due]) -> None:
    """Tell everybody what is due to them, by the ways that they have chosen; whoever has been erased is told nothing.

    What concerns safety comes by text message to whoever has no e-mail.
    """
    if not dues:
        return
    people = tuple(dict.fromkeys([due.person for due in dues]))
    reached = tx.ask(ReachOf(person_ids=people))
    chosen = tx.get_many(store.PREFERENCE, people)
    shown = []
    for due in dues:
        reach = reached.get(due.person)
        if reach is None:
            continue
        kept = chosen.get(due.person)
        preferences = kept.preferences if kept else _USUAL
        for way in preferences.ways(due.kind):
            if way is Way.IN_APP:
                shown.append(due)
            elif _has(reach, way):
                _write(tx, due, way, preferences)
            elif due.kind in SAFETY and reach.has_phone and Way.SMS not in preferences.ways(due.kind):
                _write(tx, due, Way.SMS, preferences)
    if shown:
        _show(tx, shown)


_USUAL = Preferences()


def _has(reach: Reach, way: Way) -> bool:
    return reach.has_email if way is Way.EMAIL else reach.has_phone


def _show(tx: Tx, dues: Sequence[Due]) -> None:
    """Number the notices of each person, and all of them together."""
    boxes = tx.get_many(store.BOX, [due.person for due in dues])
    last = {person: box.last for person, box in boxes.items()}
    for seq, due in enumerate(dues, store.next_seq(tx, len(dues))):
        number = last[due.person] = last.get(due.person, 0) + 1
        store.keep(tx, seq, number, due)
    for person, number in last.items():
        before = boxes.get(person)
        if before is None:
            tx.add(store.BOX, person, store.Box(person, number))
        else:
            tx.put(store.BOX, person, store.Box(person, number, before.seen))


def _write(tx: Tx, due: Due, way: Way, preferences: Preferences) -> None:
    """Have a letter carried, after the quiet hours if it falls into them."""
    id = NoticeLetterId(tx.id("ntl"))
    next_at = leaves_at(tx, tx.now, due.kind, preferences)
    letter = store.Letter(id=id, person=due.person, way=way, kind=due.kind, about=store.what(due.about), at=tx.now, next_at=next_at)
    tx.add(store.LETTER, id, letter)


def leaves_at(tx: Tx, at: int, kind: NoticeKind, preferences: Preferences) -> int:
    """When a letter may leave that would leave then; what concerns safety does not wait for the morning."""
    return at if kind in SAFETY else model.after_quiet(at, preferences.quiet, ZoneInfo(tx.port(NoticeSettings).time_zone))
