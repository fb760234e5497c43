"""What search tells the others."""

from yunduan.kernel.ids import PersonId
from yunduan.kernel.messages import Fact


class SearchSettingsChanged(Fact):
    """An operator has set anew what decides what comes first."""

    person_id: PersonId


class QueriesNoted(Fact):
    """So often these texts were searched for in the last seconds; by nobody in particular."""

    texts: tuple[str, ...]
    times: tuple[int, ...]
