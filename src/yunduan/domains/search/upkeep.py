"""How the index is kept: how far it is behind the store, and how it was made. For operators, who look at it now and then."""

from msgspec import Struct

from yunduan.domains.search.making import can_be_kept
from yunduan.domains.search.store import FORM, Index, State
from yunduan.runtime.hearing import stands_at, waits_since
from yunduan.runtime.ports import Reader, SideStores


class Upkeep(Struct, frozen=True, kw_only=True):
    """How the index is kept, looked at from beside."""

    generation: int
    """0 where there is none that can be read."""
    why_not: str
    """Why what lies there is not read, or is made anew; empty when it is as it should be."""
    documents: int
    behind_facts: int
    behind_ms: int
    """How long the first of these facts has waited; 0 when none does."""
    made_ms: int
    """How long the making of this generation took."""
    is_kept: bool
    """Whether any process is at it."""
    is_making: bool
    """Whether the next generation has been begun."""
    documents_next: int
    """How many goods that one has."""


def upkeep(sides: SideStores, reader: Reader, *, now_ms: int) -> Upkeep:
    """Look at the index through connections of its own, which are closed again; raises `FaultError` when it is spoilt."""
    generation = sides.generation()
    epoch, head = stands_at(reader)
    state, why_not = _state_of(sides, generation) if generation else (State(), "there is none")
    if not why_not and not can_be_kept(state, epoch, head):
        why_not = "it was made of another store, or of this one before it was restored"
    if why_not:
        state = State(documents=state.documents)
    since = waits_since(reader, state.seq) if head > state.seq else None
    begun = _state_of(sides, generation + 1)[0] if sides.is_there(generation + 1) else None
    return Upkeep(
        generation=0 if why_not else generation,
        why_not=why_not,
        documents=state.documents,
        behind_facts=head - state.seq,
        behind_ms=max(0, now_ms - since) if since is not None else 0,
        made_ms=max(0, state.whole_at - state.began_at),
        is_kept=sides.is_written(),
        is_making=begun is not None,
        documents_next=begun.documents if begun is not None else 0,
    )


def _state_of(sides: SideStores, generation: int) -> tuple[State, str]:
    index = Index(sides.read(generation))
    try:
        form = index.form()
        return (index.state(), "") if form == FORM else (State(), "it was made by another version")
    finally:
        index.close()
