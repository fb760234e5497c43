"""The three ways to fail: refused (an expected no), faulted (the machine), broken (the program)."""

from enum import StrEnum


class Refused(Exception):  # noqa: N818 - the house's word for an expected no: it is not an error
    """An expected no: the command changes nothing, and the refusal is the stored answer of its key."""

    def __init__(self, code: StrEnum, detail: str = "", *, figures: object = None) -> None:
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


class KeyRefusal(StrEnum):
    """What is refused because of the key alone, whatever the command."""

    REUSED = "idempotency_key_reused"
    SPENT = "idempotency_key_spent"


def invariant(claim: bool, says: str) -> None:
    """Stop the command when a claim that must always hold does not; stays on in production."""
    if not claim:
        raise BrokenError(says)
