"""Commands ask, queries read, facts tell: frozen keyword-only structs that also decode, validate and describe the request."""

from collections.abc import Iterable
from typing import Any, ClassVar, Generic, TypeVar, dataclass_transform

import msgspec
from msgspec import Struct, StructMeta

from yunduan.kernel.refusals import RefusalCode

Answer_co = TypeVar("Answer_co", covariant=True)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class MessageMeta(StructMeta):
    """Gives every message the same form, and the codes that it may be refused with."""

    refuses: frozenset[RefusalCode]
    spends_key: bool
    slow: bool

    def __new__(  # noqa: PYI034 - a metaclass cannot say Self
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        refuses: Iterable[RefusalCode] = (),
        spends_key: bool = False,
        slow: bool = False,
        **config: Any,
    ) -> "MessageMeta":
        """Make a message type; see `Command` and `Query` for what the settings mean."""
        made = super().__new__(mcs, name, bases, namespace, **({"kw_only": True} | config))
        made.refuses = frozenset(refuses)
        made.spends_key = spends_key
        made.slow = slow
        return made


class Message(Struct, metaclass=MessageMeta, frozen=True, gc=False, forbid_unknown_fields=True):
    """What a command, a query and a fact have in common."""


class Command(Message, Generic[Answer_co]):
    """Asks for a change; answered once per key.

    `refuses` lists every code it may be refused with. `spends_key=True` says that it moves money: its key is never
    forgotten, so that a phone that comes back after a month cannot buy twice.
    """

    refuses: ClassVar[frozenset[RefusalCode]]
    spends_key: ClassVar[bool]


class Query(Message, Generic[Answer_co]):
    """Reads, and changes nothing. `slow=True` says that it may take longer than a millisecond: it is answered off the loop."""

    refuses: ClassVar[frozenset[RefusalCode]]
    slow: ClassVar[bool]


class Fact(Message, forbid_unknown_fields=False):
    """Says what happened; written in the same transaction, never changed. Fields are only ever added, with a default."""
