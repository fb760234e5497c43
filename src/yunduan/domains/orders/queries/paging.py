"""Lists in pages."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from msgspec import Meta

Id = TypeVar("Id", bound=str)
PAGE_MAX = 50
PageSize = Annotated[int, Meta(ge=1, le=PAGE_MAX)]


def paged(found: Sequence[Id], limit: int) -> tuple[Sequence[Id], Id | None]:
    """The ids that a page shows, and where the next one begins: one more than is shown tells whether there is one."""
    return found[:limit], found[limit - 1] if len(found) > limit else None
