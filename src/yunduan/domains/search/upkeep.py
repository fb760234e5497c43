"""How an index is kept: how far it is behind the store, and how it was made. For operators, who look at it now and then."""

from msgspec import Struct

from yunduan.domains.search.making import can_be_kept
from yunduan.domains.search.store import Index
from yunduan.domains.search.store_orders import OrderIndex
from yunduan.domains.search.store_words import Made
from yunduan.runtime.hearing import stands_at, waits_since
from yunduan.runtime.ports import Reader, SideStores


class Upkeep(Struct, frozen=True, kw_only=True):
    """How an index is kept, looked at from beside."""

    generation: int
    """0 where there is none that can be read."""
    why_not: str
    """Why what lies there is not read, or is made anew; empty when it is as it should be."""
    entries: int
    """How many goods, or orders, it has."""
    behind_facts: int
    behind_ms: int
    """How long the first of these facts has waited; 0 when none does."""
    made_ms: int
    """How long the making of this generation took; 0 where that is not known."""
    is_kept: bool
    """Whether any process is at it."""
    is_making: bool
    """Whether the next generation has been begun."""
    entries_next: int
    """How many that one has."""


def upkeep(sides: SideStores, reader: Reader, *, now_ms: int, kind: type[Index] | type[OrderIndex] = Index) -> Upkeep:
    """Look at an index of a kind through connections of its own, which are closed again; raises `FaultError` when it is spoilt."""
    generation = sides.generation()
    epoch, head = stands_at(reader)
    state, why_not = _state_of(sides, generation, kind) if generation else (Made(), "there is none")
    if not why_not and not can_be_kept(state, epoch, head):
        why_not = "it was made of another store, or of this one before it was restored"
    heard = 0 if why_not else state.seq
    since = waits_since(reader, heard) if head > heard else None
    begun = _state_of(sides, generation + 1, kind)[0] if sides.is_there(generation + 1) else None
    return Upkeep(
        generation=0 if why_not else generation,
        why_not=why_not,
        entries=state.entries,
        behind_facts=head - heard,
        behind_ms=max(0, now_ms - since) if since is not None else 0,
        made_ms=0 if why_not else state.made_ms,
        is_kept=sides.is_written(),
        is_making=begun is not None,
        entries_next=begun.entries if begun is not None else 0,
    )


def _state_of(sides: SideStores, generation: int, kind: type[Index] | type[OrderIndex]) -> tuple[Made, str]:
    index = kind(sides.read(generation))
    try:
        return (index.state(), "") if index.form() == kind.FORM else (Made(), "it was made by another version")
    finally:
        index.close()
