"""The three ways to fail: refused (an expected no), faulted (the machine), broken (the program)."""

from enum import StrEnum
from typing import Self

NOT_ALLOWED = "not_allowed"
TOO_OFTEN = "too_many_"
"""What the code of a no begins with that ends when somebody has waited."""


class RefusalCode(StrEnum):
    """A closed list of stable codes, each with the sentence that the documentation explains it by."""

    _value_: str
    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """`meaning` says what is so, and what helps where something does."""
        made = str.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made

    @property
    def is_lasting(self) -> bool:
        """Whether its key is answered so from now on; a no that waiting or a new role ends is decided anew when it is asked again."""
        return self != NOT_ALLOWED and not self.startswith(TOO_OFTEN)


class Refused(Exception):  # noqa: N818 - the house's word for an expected no: it is not an error
    """An expected no: the command changes nothing, and a refusal that lasts is the stored answer of its key."""

    def __init__(self, code: RefusalCode, detail: str = "", *, figures: object = None) -> None:
        """Say no by `code`; `figures` (a struct) are what the caller needs to ask again, such as the new total."""
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.figures = figures


class FaultError(Exception):
    """The machine failed; the same key may be sent again."""


class BusyError(FaultError):
    """There is too much to do right now; nothing was begun, and the same key may be sent again."""


class UnknownOutcomeError(FaultError):
    """The change may or may not be on disk; only the same key, sent again, tells."""


class BrokenError(Exception):
    """The program is wrong: a claim that it relies on does not hold."""


class KeyRefusal(RefusalCode):
    """What is refused because of the key alone, whatever the command."""

    REUSED = "idempotency_key_reused", "The key was sent before, with another request: another request takes another key."
    SPENT = "idempotency_key_spent", "The key was answered so long ago that the answer is gone; it is not carried out again."


def invariant(claim: bool, says: str) -> None:
    """Stop the command when a claim that must always hold does not; stays on in production."""
    if not claim:
        raise BrokenError(says)
