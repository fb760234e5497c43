"""What was found a moment ago, for whoever asks the same: most people search for what many search for, and leaf on in what they found.

It is remembered for ten seconds, and only until anything changes in the index, or in what operators have set. Cards are read anew.
"""

from msgspec import Struct
from msgspec.structs import replace

from yunduan.domains.search.columns import Shelf
from yunduan.domains.search.finding import Matched
from yunduan.domains.search.matching import NO_HITS
from yunduan.domains.search.model import SearchSettings

RECALLED_MAX = 512
"""So many searches, of a thousand results at most: fourteen MiB, and hardly ever more than three."""
RECALLED_MS = 10_000


class _Search(Struct, frozen=True):
    began_ms: int
    settings: SearchSettings
    matched: Matched


class Recent:
    """The searches that a process has answered a moment ago."""

    def __init__(self) -> None:
        """None."""
        self._shelf, self._through = Shelf(), 0
        self._found: dict[bytes, _Search] = {}

    def of(self, search: bytes, shelf: Shelf, settings: SearchSettings, *, now_ms: int, began_ms: int | None) -> tuple[int, Matched] | None:
        """(when it was begun, what it found) of the same search of the same index; with `began_ms`, of that moment."""
        if shelf is not self._shelf or shelf.through != self._through:
            self._shelf, self._through = shelf, shelf.through
            self._found.clear()
        known = self._found.get(search)
        if known is None or known.settings is not settings:
            return None
        if known.began_ms != began_ms if began_ms is not None else not 0 <= now_ms - known.began_ms <= RECALLED_MS:
            return None
        self._found[search] = self._found.pop(search)  # the last to be forgotten
        return known.began_ms, known.matched

    def keep(self, search: bytes, settings: SearchSettings, began_ms: int, matched: Matched) -> None:
        """Remember a search by its first page, in place of the one that was asked for longest ago."""
        self._found.pop(search, None)
        if len(self._found) >= RECALLED_MAX:
            del self._found[next(iter(self._found))]
        self._found[search] = _Search(began_ms, settings, replace(matched, hits=NO_HITS))
