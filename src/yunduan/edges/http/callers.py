"""Finds out who calls, from the token that they show."""

import asyncio
import hashlib
from collections.abc import Sequence

import structlog

from yunduan.domains.identity.commands import TouchSession
from yunduan.domains.identity.model import TOUCH_MS
from yunduan.domains.identity.queries import CallerOf, CallersExpected
from yunduan.edges.access import Access
from yunduan.kernel.actors import SYSTEM, Actor
from yunduan.kernel.ids import SessionId
from yunduan.runtime.answers import Answered

log = structlog.get_logger(__name__)


class Sessions:
    """Asks identity whose token it is: one look-up by its hash, anew for every request, so that a revoked session ends at once."""

    def __init__(self, cloud: Access) -> None:
        """Ask in this cloud."""
        self._cloud = cloud
        self._touching: set[SessionId] = set()

    def __call__(self, token: bytes, origin: str) -> Actor | None:
        """The caller whose token this is, if it is anybody's and has not expired."""
        caller, now = self._cloud.ask(CallerOf(token_hash=hashlib.sha256(token).digest(), origin=origin)), self._cloud.now()
        if caller is None or caller.expires_at <= now:
            return None
        if now - caller.seen_at >= TOUCH_MS:
            self._touch(caller.actor.session)
        return caller.actor

    def expect(self, tokens: Sequence[bytes]) -> None:
        """Whoever shows one of these tokens is about to be asked for: they are looked up at once, and remembered until a commit."""
        self._cloud.ask(CallersExpected(token_hashes=tuple([hashlib.sha256(token).digest() for token in tokens])))

    def _touch(self, session: SessionId) -> None:
        """Have it noted, behind the scenes, that a session is still in use; once, however many requests come meanwhile."""
        if session in self._touching:
            return
        self._touching.add(session)
        touched = self._cloud.submit(TouchSession(session_id=session), actor=SYSTEM, background=True)
        touched.add_done_callback(lambda done: self._touched(session, done))

    def _touched(self, session: SessionId, done: "asyncio.Future[Answered]") -> None:
        self._touching.discard(session)
        if not done.cancelled() and (error := done.exception()):
            log.warning("session_not_touched", error=str(error))
