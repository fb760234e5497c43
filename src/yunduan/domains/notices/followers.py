"""Notices are given as facts are heard: what is written and the cursor commit together, so that each cause is told once."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from yunduan.domains.identity.facts import PersonErased
from yunduan.domains.notices import store
from yunduan.domains.notices.audience import Roll
from yunduan.domains.notices.causes import CAUSES, By, Cause
from yunduan.domains.notices.giving import give
from yunduan.domains.notices.model import Due
from yunduan.runtime.registry import Follower, hears
from yunduan.runtime.transaction import Tx


def _hearing(cause: Cause) -> Callable[..., None]:
    """The function that tells what one line of the table says."""
    tells = [(tell.to.of, tell.kind, tell.only.holds if tell.only else None) for tell in cause.tells]
    about_of = _about(cause)

    @hears(cause.fact)
    def tell(tx: Tx, facts: list[Any]) -> None:
        roll, dues = Roll(tx), []
        for fact in facts:
            about = None
            for of, kind, holds in tells:
                if holds is not None and not holds(fact):
                    continue
                told = kind.kinds.get(getattr(fact, kind.field)) if isinstance(kind, By) else kind
                if told is None:
                    continue
                if about is None:
                    about = about_of(roll, fact)
                dues += [Due(person, told, about) for person in of(roll, fact)]
        give(tx, dues)

    return tell


def _about(cause: Cause) -> Callable[[Roll, Any], bytes]:
    """How what a notice is about is kept: as `About`, which is read from it, and nothing where a fact has None."""
    kept = msgspec.defstruct("Kept", [(name, Any, None) for name in cause.about], omit_defaults=True, frozen=True, gc=False)
    sources = tuple(cause.about.values())
    names = [source for source in sources if isinstance(source, str)]
    if len(names) == len(sources) > 1:
        values = attrgetter(*names)
        return lambda _, fact: store.encode(kept(*values(fact)))
    return lambda roll, fact: store.encode(kept(*[getattr(fact, it) if isinstance(it, str) else it(roll, fact) for it in sources]))


@hears(PersonErased)
def on_person_erased(tx: Tx, facts: list[PersonErased]) -> None:
    """What somebody was told goes with them."""
    for fact in facts:
        store.forget_person(tx, fact.person_id)


FOLLOWERS = (Follower("notices", (*map(_hearing, CAUSES), on_person_erased)),)
"""One cursor for all."""
