"""Letters: sealed under the key of their day, carried beside the transactions, forgotten within the hour."""

import msgspec

from yunduan.domains.identity import model, store
from yunduan.domains.identity.commands import people
from yunduan.domains.identity.model import IdentityRefusal, Language
from yunduan.domains.identity.store import LETTER_DAYS, LETTERS, Letter, LetterBody, LetterDay, LetterState
from yunduan.kernel.ids import LetterId, PersonId
from yunduan.kernel.messages import Command
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx

RETRY_MS = (5_000, 10_000, 20_000, 40_000, 80_000)
"""How long a letter waits after each failure before it is tried again; after the last it is given up."""
_DAYS_KEPT = 2
"""The key of a day's letters is destroyed so many days after the day has begun: by then every one of them is gone."""


class NoteDelivery(Command[None], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """A letter was taken by its carrier, or not; harmless when the letter is gone."""

    letter_id: LetterId
    is_sent: bool


class ForgetLetter(Command[None], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Forget a letter that belongs to no challenge."""

    letter_id: LetterId


class ForgetLetterDay(Command[None], refuses=(IdentityRefusal.NOT_ALLOWED,)):
    """Destroy the key of a day's letters."""

    day: int


def letter_key(at: int) -> PersonId:
    """Under whose key the letters of a day are sealed: nobody's, only the day's, so that they go with it."""
    return PersonId(f"day_{at // model.DAY_MS}")


def seal(tx: Tx, text: str) -> bytes:
    """Close a text for as long as today's letters can be opened."""
    day = tx.now // model.DAY_MS
    if tx.get(LETTER_DAYS, day) is None:
        tx.add(LETTER_DAYS, day, LetterDay(day, tx.now))
        tx.at((day + _DAYS_KEPT) * model.DAY_MS, ForgetLetterDay(day=day))
    return store.vault(tx).seal(letter_key(tx.now), text)


def tell(tx: Tx, contact: str, text: str, language: Language) -> None:
    """Write to a contact something that wants no answer; forgotten within the hour, as a code is."""
    id = LetterId(tx.id("ltr"))
    post(tx, id, LetterBody(contact=contact, text=text), language)
    tx.at(tx.now + model.LETTER_MS, ForgetLetter(letter_id=id))


def post(tx: Tx, id: LetterId, body: LetterBody, language: Language) -> None:
    """Have a letter carried; whoever posts it sees that it is forgotten."""
    sealed = seal(tx, store.written(body))
    tx.add(LETTERS, id, Letter(id=id, sealed=sealed, language=language, at=tx.now, state=LetterState.WAITING, tries=0, next_at=tx.now))


@handles(NoteDelivery)
def note_delivery(tx: Tx, ask: NoteDelivery) -> None:
    """Sent, or tried again later, or given up."""
    people.refuse_others(tx)
    letter = tx.get(LETTERS, ask.letter_id)
    if letter is None or letter.state is not LetterState.WAITING:
        return
    if ask.is_sent:
        letter = msgspec.structs.replace(letter, state=LetterState.SENT)
    elif letter.tries >= len(RETRY_MS):
        letter = msgspec.structs.replace(letter, state=LetterState.GIVEN_UP)
    else:
        letter = msgspec.structs.replace(letter, tries=letter.tries + 1, next_at=tx.now + RETRY_MS[letter.tries])
    tx.put(LETTERS, letter.id, letter)


@handles(ForgetLetter)
def forget_letter(tx: Tx, ask: ForgetLetter) -> None:
    """Whether or not it was taken by then."""
    people.refuse_others(tx)
    tx.remove(LETTERS, ask.letter_id, store.FORGET_LETTER)


@handles(ForgetLetterDay)
def forget_letter_day(tx: Tx, ask: ForgetLetterDay) -> None:
    """Safe even if this transaction is undone: nothing under that key is left, and destroying twice is destroying."""
    people.refuse_others(tx)
    store.vault(tx).destroy(letter_key(ask.day * model.DAY_MS))
    if tx.get(LETTER_DAYS, ask.day) is not None:
        tx.remove(LETTER_DAYS, ask.day, store.FORGET_DAY)
