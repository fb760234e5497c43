"""What operators set for search, whole each time, with a reason."""

from msgspec.structs import asdict

from yunduan.domains.catalog.model import Title
from yunduan.domains.search import store_settings
from yunduan.domains.search.facts import SearchSettingsChanged
from yunduan.domains.search.model import SearchSettings, SearchSettingsForm, Weights
from yunduan.domains.search.words import runs
from yunduan.kernel.messages import Command
from yunduan.runtime.registry import handles
from yunduan.runtime.transaction import Tx


class SetSearch(Command[None]):
    """Say anew how much each part of a score weighs, which words are looked for besides others, and which are left out."""

    form: SearchSettingsForm
    reason: Title


@handles(SetSearch)
def set_search(tx: Tx, ask: SetSearch) -> None:
    """Words are kept in the form in which they are searched; those that have none go."""
    form = ask.form
    synonyms: dict[str, tuple[str, ...]] = {}
    for one in form.synonyms:
        word = " ".join(runs(one.word))
        if word:
            synonyms[word] = tuple(dict.fromkeys((*synonyms.get(word, ()), *(" ".join(runs(other)) for other in one.others))))
    said = SearchSettings(
        weights=Weights(**asdict(form.weights)),
        synonyms=synonyms,
        stops=tuple(dict.fromkeys(run for word in form.stops for run in runs(word))),
    )
    store_settings.keep(tx, said, person=tx.actor.person, reason=ask.reason)
    tx.tell(SearchSettingsChanged(person_id=tx.actor.person))
