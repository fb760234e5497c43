"""What can be asked of notices: what somebody was told, what they have chosen, and which letters wait."""

from typing import Annotated

from msgspec import Meta, Struct

from yunduan.domains.identity.model import IdentityRefusal, IdentitySettings, Language
from yunduan.domains.identity.queries import ContactsOf, MyLanguage
from yunduan.domains.notices import store
from yunduan.domains.notices.model import SAFETY, USUAL_WAYS, About, NoticeKind, NoticeLetter, NoticeSettings, QuietHours, Way
from yunduan.domains.notices.telling import Names
from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Query
from yunduan.kernel.refusals import Refused
from yunduan.runtime.registry import answers
from yunduan.runtime.transaction import Asking

PAGE_MAX = 50
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
Number = Annotated[int, Meta(ge=0, le=2**53, description="The number of a notice: its place among the person's own.")]
LETTERS_SHOWN = 50
STALE_MS = 2 * 86_400_000
"""A letter that could not leave in so long does not leave any more: what it says is old."""


class NoticeView(Struct, frozen=True, kw_only=True):
    """One notice in the reader's language; `number` counts the person's own, without gaps."""

    number: int
    kind: NoticeKind
    title: str
    text: str
    about: About
    at: int
    is_read: bool


class NoticePage(Struct, frozen=True, kw_only=True):
    """One page of notices, the latest first; `after` asks for the next, nothing when there is none."""

    items: tuple[NoticeView, ...]
    after: int | None
    unread: int
    last: int
    """The number of the last notice of all: what is told from now on comes after it."""


class MyNotices(Query[NoticePage]):
    """What whoever asks was told."""

    after: Number | None = None
    limit: PageSize = 20


class NewNotices(Struct, frozen=True, kw_only=True):
    """What somebody was told since a notice, in order; `after` is what to ask after next: there is always more to come."""

    items: tuple[NoticeView, ...]
    after: int


class NoticesAfter(Query[NewNotices]):
    """What whoever asks was told after a notice, in order and without a gap; after the last one of all when none is named."""

    after: Number | None = None
    limit: PageSize = PAGE_MAX


class Told(Struct, frozen=True):
    """Who was told something, by the places of their notices among all."""

    people: frozenset[PersonId]
    through: int


class ToldAfter(Query[Told], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Who was told something after a place among all notices; nobody, and the last place, when none is named. For the cloud itself."""

    seq: int | None = None


class KindPreference(Struct, frozen=True, kw_only=True):
    """By which ways one kind of notice comes; by none of them, it is not told."""

    kind: NoticeKind
    ways: tuple[Way, ...]
    always: tuple[Way, ...] = ()
    """Those that cannot be taken away, because it concerns the safety of the account."""


class PreferencesView(Struct, frozen=True, kw_only=True):
    """How somebody is told things: every kind, and when no letter leaves."""

    items: tuple[KindPreference, ...]
    quiet: QuietHours
    time_zone: str


class MyPreferences(Query[PreferencesView]):
    """How whoever asks is told things."""


class NoticeLettersDue(Query[tuple[NoticeLetter, ...]], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Letters whose time has come, in words; for the cloud itself."""

    most: int = 20


class NextLetter(Query[int | None], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """When the next letter may leave; for the cloud itself."""


class NoticeLetters(Struct, frozen=True, kw_only=True):
    """Letters about notices, the newest first."""

    items: tuple[NoticeLetter, ...]


class NoticeMailbox(Query[NoticeLetters], refuses=(IdentityRefusal.MAILBOX_NOT_FOUND,)):
    """The last letters about notices, the newest first: for the cloud itself, and where this is a place for development."""


@answers(MyNotices)
def my_notices(at: Asking, ask: MyNotices) -> NoticePage:
    """One page by the index of people."""
    person = at.actor.person
    box = store.box_of(at, person)
    found = store.page_of(at, person, store.NEWEST if ask.after is None else ask.after, ask.limit + 1)
    items = _shown(at, found[: ask.limit], box)
    after = items[-1].number if len(found) > ask.limit else None
    return NoticePage(items=items, after=after, unread=store.unread(at, box), last=box.last)


@answers(NoticesAfter)
def notices_after(at: Asking, ask: NoticesAfter) -> NewNotices:
    """By the same index, the other way."""
    box = store.box_of(at, at.actor.person)
    after = box.last if ask.after is None else min(ask.after, box.last)
    found = _shown(at, store.after(at, at.actor.person, after, ask.limit) if after < box.last else [], box)
    return NewNotices(items=found, after=found[-1].number if found else after)


def _shown(at: Asking, notices: list[store.Notice], box: store.Box) -> tuple[NoticeView, ...]:
    if not notices:
        return ()
    language, names = at.ask(MyLanguage()), Names(at, notices)
    told = [(notice, names.told(notice, language)) for notice in notices]
    return tuple(
        NoticeView(
            number=notice.number,
            kind=notice.kind,
            title=words.title,
            text=words.text,
            about=notice.about,
            at=notice.at,
            is_read=notice.number <= box.seen,
        )
        for notice, words in told
    )


@answers(ToldAfter)
def told_after(at: Asking, ask: ToldAfter) -> Told:
    """By the order of all notices, in which none appears before another that is older."""
    _refuse_others(at)
    if ask.seq is None:
        return Told(frozenset(), store.last_seq(at))
    found = store.told_after(at, ask.seq, _TOLD_AT_ONCE)
    return Told(frozenset(person for _, person in found), found[-1][0] if found else ask.seq)


_TOLD_AT_ONCE = 10_000


@answers(MyPreferences)
def my_preferences(at: Asking, _ask: MyPreferences) -> PreferencesView:
    """What was chosen, and what is usual for the rest."""
    preferences = store.preferences_of(at, at.actor.person)
    return PreferencesView(
        items=tuple(
            KindPreference(kind=kind, ways=preferences.ways(kind), always=USUAL_WAYS[kind] if kind in SAFETY else ()) for kind in NoticeKind
        ),
        quiet=preferences.quiet,
        time_zone=at.port(NoticeSettings).time_zone,
    )


@answers(NoticeLettersDue)
def notice_letters_due(at: Asking, ask: NoticeLettersDue) -> tuple[NoticeLetter, ...]:
    """Each with the contact that its person has today."""
    _refuse_others(at)
    return _letters(at, store.letters_due(at, at.now, at.now - STALE_MS, ask.most))


@answers(NextLetter)
def next_letter(at: Asking, _ask: NextLetter) -> int | None:
    """Of those that wait and are not stale."""
    _refuse_others(at)
    return store.next_letter(at, at.now - STALE_MS)


@answers(NoticeMailbox)
def notice_mailbox(at: Asking, _ask: NoticeMailbox) -> NoticeLetters:
    """Closed, it is as if it were not there."""
    if not at.actor.is_system and not at.port(IdentitySettings).mailbox_is_open:
        raise Refused(IdentityRefusal.MAILBOX_NOT_FOUND)
    return NoticeLetters(items=_letters(at, store.newest_letters(at, LETTERS_SHOWN)))


def _letters(at: Asking, letters: list[store.Letter]) -> tuple[NoticeLetter, ...]:
    if not letters:
        return ()
    names = Names(at, letters)
    contacts = at.ask(ContactsOf(person_ids=tuple(dict.fromkeys(letter.person for letter in letters))))
    found = []
    for letter in letters:
        reached = contacts.get(letter.person)
        language = reached.language if reached else Language.ZH
        contact = (reached.email if letter.way is Way.EMAIL else reached.phone) if reached else ""
        words = names.told(letter, language)
        found.append(
            NoticeLetter(id=letter.id, way=letter.way, contact=contact, language=language, title=words.title, text=words.text, at=letter.at)
        )
    return tuple(found)


def _refuse_others(at: Asking) -> None:
    if not at.actor.is_system:
        raise Refused(IdentityRefusal.NOT_ALLOWED)
