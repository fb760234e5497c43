"""What an edge asks of a cloud, whichever process its writer is in."""

import asyncio
from typing import Any, Protocol, TypeVar

from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.messages import Command, Query
from yunduan.runtime.answers import Answered
from yunduan.runtime.registry import Registry

Answer = TypeVar("Answer")
Port = TypeVar("Port")


class Access(Protocol):
    """A `Cloud`, or the way to one."""

    @property
    def registry(self) -> Registry:
        """Everything that can be asked."""
        ...

    def now(self) -> int:
        """The time of the cloud, in milliseconds since 1970: never before the last commit."""
        ...

    def port(self, kind: type[Port]) -> Port:
        """What is joined to this protocol."""
        ...

    def submit(
        self, command: Command[Any], *, actor: Actor = ANONYMOUS, key: str = "", background: bool = False
    ) -> "asyncio.Future[Answered]":
        """Have a command carried out; what it was answered with is on disk when it comes."""
        ...

    def ask(self, query: Query[Answer], *, actor: Actor = ANONYMOUS) -> Answer:
        """Answer a quick query from the last commit."""
        ...

    async def ask_slow(self, query: Query[Answer], *, actor: Actor = ANONYMOUS) -> Answer:
        """Answer a query that takes longer, beside the loop."""
        ...
