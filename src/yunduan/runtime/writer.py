"""Group commit: one transaction for everything that arrived while the last commit was on its way to the disk.

A batch goes through these steps, in this order and no other, and may be cut off between any two of them:

    taken → begun → (a command ran)* → sealed → flushed → committing → committed → (answered)*

Nothing is answered before `committed`, refusals included. Statements run on the event loop's thread; only the commit, and what
must be durable before it, runs in the helper thread, while the loop reads the next requests.
"""

import asyncio
import hashlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog
from msgspec import Raw, Struct

from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import AlarmId
from yunduan.kernel.messages import Command
from yunduan.kernel.refusals import BrokenError, BusyError, FaultError, KeyRefusal, Refused, UnknownOutcomeError, invariant
from yunduan.runtime.answers import ANSWERS, KEEP, Answered, Refusal, StoredAnswer, by_name, stored
from yunduan.runtime.clock import Clock, Entropy, SystemClock, SystemEntropy
from yunduan.runtime.look import HEAD
from yunduan.runtime.memory import Changes
from yunduan.runtime.ports import NothingKeptError, Store, Table
from yunduan.runtime.registry import Registry, Wanted
from yunduan.runtime.transaction import Head, Lacked, Tx

log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_DONE = Answered(True, b"null")
_canonical = msgspec.msgpack.Encoder().encode

_MOVE_HEAD = (
    "UPDATE head SET fact_seq = ?, transfer_seq = ?, block_hash = ?, at = ?"
    " WHERE epoch = ? AND fact_seq = ? AND transfer_seq = ? AND block_hash = ? AND at = ?"
)
_ALARM_WAITS = "SELECT 1 FROM alarm WHERE id = ?"
_POSTPONE_ALARM = (
    "UPDATE alarm SET due = ? + ? * CASE WHEN failures < 7 THEN (failures + 1) * (failures + 1) ELSE 60 END, failures = failures + 1"
    " WHERE id = ?"
)
"""One pause after the first failure, four after the second, nine after the third; sixty at most."""


FETCH_EVERY = 64
"""In how many batches something is fetched once for a kind of command that lacked nothing twice in a row: its rows are remembered."""


class Limits(Struct, frozen=True, kw_only=True):
    """How much the writer takes at once and how long anything may wait."""

    batch_commands: int = 256
    batch_ms: float = 20.0
    queue_commands: int = 8192
    queue_wait_ms: float = 1000.0
    deadline_ms: float = 10_000.0
    alarm_retry_ms: int = 60_000


class Ask(Struct, eq=False):
    """A command on its way through the writer. Its name is the key, then the caller, so that keys that sort by time land side by side."""

    command: Command[Any]
    actor: Actor
    name: str
    cause: str
    fingerprint: bytes
    since: float
    future: "asyncio.Future[Answered]"
    background: bool = False
    alarm: AlarmId | None = None
    joined: tuple["asyncio.Future[Answered]", ...] = ()
    """Later calls with the same key, which wait for this one's answer."""


Outcome = Answered | Exception
Batch = list[tuple[Ask, Outcome]]


class SupersededError(FaultError):
    """Somebody else has moved the head: this writer must stop."""


class _VoidError(Exception):
    """The batch's transaction is gone: nothing of it was kept."""


def fingerprint(command: Command[Any], *, secret: bytes = b"") -> bytes:
    """What makes two asks the same: the command and its content, hashed under a secret, so that nobody can test a guess at it."""
    return fingerprint_of(type(command).__name__, _canonical(command), secret=secret)


def fingerprint_of(name: str, fields: bytes, *, secret: bytes) -> bytes:
    """The same of a command that is written as MessagePack already."""
    return hashlib.blake2b(name.encode() + b"\0" + fields, digest_size=16, key=secret).digest()


def _nothing(_: str) -> None:
    return None


class Watcher(Protocol):
    """Somebody beside the writer who relies on what has been committed: told on the loop, around every commit."""

    def pin(self) -> None:
        """A commit is about to be made."""
        ...

    def renew(self, changes: Changes) -> None:
        """It has been made, and none of its answers has left yet."""
        ...

    def stand_aside(self, *, aside: bool) -> None:
        """Work on the store itself begins, or has ended."""
        ...


class Writer:
    """Owns the writing connection; nothing else changes state."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        *,
        ports: Mapping[type, Any] | None = None,
        secret: bytes = b"",
        before_commit: tuple[Callable[[], None], ...] = (),
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        limits: Limits | None = None,
        helper: Executor | None = None,
        probe: Callable[[str], None] = _nothing,
    ) -> None:
        """Write to a store. `secret` hides what stored answers were asked by.

        `before_commit` makes durable what a commit relies on elsewhere; `probe` is told each step.
        """
        self._store = store
        self._registry = registry
        self._clock = clock or SystemClock()
        self._limits = limits or Limits()
        self._tx = Tx(store, registry, entropy or SystemEntropy(), ports or {})
        self._secret = secret
        self._before_commit = before_commit
        self._helper = helper or ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._beside = helper or ThreadPoolExecutor(1, thread_name_prefix="upkeep")
        self._probe = probe
        self._asks: deque[Ask] = deque()
        self._background: deque[Ask] = deque()
        self._in_flight: dict[str, Ask] = {}
        self._busy = False
        self._idle: list[asyncio.Future[None]] = []
        self._watchers: list[Watcher] = []
        self._stopped: list[Callable[[BaseException], None]] = []
        self.failed: FaultError | None = None
        self.head = self._read_head()
        self.batches = self.commands = self.replays = self.refusals = self.broken = self.statements = 0
        self.batch_commands_last = 0
        self.alarms_refused = 0
        self._lacked_nothing: dict[type, int] = {}

    # What others use

    def watch(self, watcher: Watcher) -> None:
        """Have somebody told around every commit."""
        self._watchers.append(watcher)

    def on_stop(self, listener: Callable[[BaseException], None]) -> None:
        """Call a function when the writer has stopped for good, because a commit failed."""
        self._stopped.append(listener)

    def now(self) -> int:
        """The time that the next batch will have, in milliseconds since 1970: never before the last commit."""
        return max(self.head.at, self._clock.wall_ms())

    def waiting(self) -> int:
        """How many commands wait."""
        return len(self._asks) + len(self._background)

    def oldest_wait_ms(self) -> float:
        """How long the oldest of them has waited."""
        return self._clock.monotonic_ms() - self._asks[0].since if self._asks else 0.0

    def submit(
        self,
        command: Command[Any],
        *,
        actor: Actor = ANONYMOUS,
        key: str = "",
        background: bool = False,
        alarm: AlarmId | None = None,
        content: bytes = b"",
    ) -> "asyncio.Future[Answered]":
        """Queue a command; the answer comes when the commit that holds it is on disk.

        Without a key it is not remembered. A key that is in flight waits for the first call's answer. `content` is the command's
        fingerprint, where another process has made it. The future fails with `Refused` for a key used before with other content,
        `FaultError` when the machine failed (the same key may be sent again), `BrokenError` and others when the program is wrong.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answered] = loop.create_future()
        if self.failed:
            future.set_exception(self.failed)
            return future
        if not key.isprintable():  # no store could look it up, and nobody else's command may suffer for that
            future.set_exception(BrokenError("a key is printable text"))
            return future
        since = self._clock.monotonic_ms()
        asks = self._asks
        if asks and not background and (len(asks) >= self._limits.queue_commands or since - asks[0].since > self._limits.queue_wait_ms):
            future.set_exception(BusyError("too much is waiting"))
            return future
        name = f"{key} {actor.principal}" if key else ""
        content = (content or fingerprint(command, secret=self._secret)) if key else b""
        if name:
            first = self._in_flight.get(name)
            if first is not None:
                return _join(first, content, future)
        ask = Ask(command, actor, name, key or alarm or "", content, since, future, background, alarm)
        if name:
            self._in_flight[name] = ask
        (self._background if background else asks).append(ask)
        self._wake(loop)
        return future

    async def stop(self) -> None:
        """Wait until what is queued has been answered, then let go of the helper thread."""
        while self._busy:
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle
        self._helper.shutdown(wait=True)
        self._beside.shutdown(wait=True)

    # One batch

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._busy:
            self._busy = True
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        if self.failed is not None:  # upkeep beside the batches has ended everything meanwhile
            return
        upkeep = self._store.tend()
        if upkeep is not None and upkeep.alone:
            for watcher in self._watchers:
                watcher.stand_aside(aside=True)
            self._store.lend()
            self._in_helper(upkeep.run, self._after_upkeep)
            return
        if upkeep is not None:
            self._in_helper(upkeep.run, self._after_upkeep_beside, self._beside)
        taken = self._take()
        self._probe("taken")
        self._carry(taken, self._run)

    def _carry(self, taken: list[Ask], run: Callable[[list[Ask]], Batch]) -> None:
        """Carry out a batch and send its commit on its way; whoever is in it has been told when there is none."""
        try:
            batch = self._attempted(taken, run)
        except Exception as error:
            self._stop(taken, error)
            return
        if batch is None:
            return
        self._probe("committing")
        for watcher in self._watchers:
            watcher.pin()
        self._store.lend()
        self._in_helper(self._commit, lambda error: self._after_commit(batch, error))

    def _attempted(self, taken: list[Ask], run: Callable[[list[Ask]], Batch]) -> Batch | None:
        """The batch, ready to be committed; nothing when it is void and everybody has been told."""
        try:
            return run(taken)
        except _VoidError as void:
            self._store.rollback()
            self._tx.forget()
            self._void(taken, void)
            return None
        except Exception:
            self._store.rollback()
            raise

    def _commit(self) -> None:
        for make_durable in self._before_commit:
            make_durable()
        self._store.commit()

    def _in_helper(self, work: Callable[[], None], after: Callable[[BaseException | None], None], helper: Executor | None = None) -> None:
        done = asyncio.get_running_loop().run_in_executor(helper or self._helper, work)
        done.add_done_callback(lambda future: after(future.exception()))

    def _after_upkeep(self, error: BaseException | None) -> None:
        for watcher in self._watchers:
            watcher.stand_aside(aside=False)
        if error is not None:
            self._stop([], error)
        else:
            self._turn()

    def _after_upkeep_beside(self, error: BaseException | None) -> None:
        if error is not None and self.failed is None:
            self._stop([], error)

    def _after_commit(self, batch: Batch, error: BaseException | None) -> None:
        if error is not None or self.failed is not None:
            self._not_committed([ask for ask, _ in batch], error or FaultError("the writer has stopped"))
            return
        self.head = self._tx.head
        for watcher in self._watchers:
            watcher.renew(self._tx.changes)
        self._probe("committed")
        self.batches += 1
        self.commands += len(batch)
        self.batch_commands_last = len(batch)
        self.statements += self._tx.statements
        for ask, outcome in batch:
            self._probe("answered")
            self._answer(ask, outcome)
        self._next()  # after the answers, which leave first: whoever has one asks anew while the next batch is carried out

    def _not_committed(self, taken: list[Ask], error: BaseException) -> None:
        """Stop; but when it is known that nothing was kept, because what was sent did not fit, find who is to blame."""
        cause = error.__cause__ if isinstance(error, NothingKeptError) else error
        if cause is error or self.failed is not None or isinstance(cause, SupersededError):
            self._stop(taken, cause or error)
            return
        for watcher in self._watchers:
            watcher.renew(Changes())
        if isinstance(cause, FaultError):
            self._store.rollback()
            self._tx.forget()
            self._void(taken, cause)
        else:
            self._carry(taken, partial(self._replay, error=cause))

    def _next(self) -> None:
        if self._asks or self._background:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._rest()

    def _rest(self) -> None:
        self._busy = False
        for waiter in self._idle:
            if not waiter.done():
                waiter.set_result(None)
        self._idle.clear()

    def _take(self) -> list[Ask]:
        """Whoever waits, in order; what runs behind the scenes gets a quarter of a batch, and both kinds get on in every batch."""
        most = self._limits.batch_commands
        background = [self._background.popleft() for _ in range(min(len(self._background), max(1, most // 4)))]
        return background + [self._asks.popleft() for _ in range(min(len(self._asks), max(1, most - len(background))))]

    def _run(self, taken: list[Ask]) -> Batch:
        try:
            return self._attempt(taken, guarded=False)
        except SupersededError:
            raise
        except FaultError as fault:
            raise _VoidError(str(fault)) from fault
        except Exception as error:
            return self._replay(taken, error)

    def _replay(self, taken: list[Ask], error: BaseException | None) -> Batch:
        """What waited did not fit, or an error took the transaction: carry out one by one to find who is to blame."""
        log.error("batch_replayed", commands=len(taken), exc_info=error)
        self._store.rollback()
        self._tx.forget()
        self.replays += 1
        try:
            return self._attempt(taken, guarded=True)
        except SupersededError:
            raise
        except FaultError as fault:
            raise _VoidError(str(fault)) from fault

    def _attempt(self, taken: list[Ask], *, guarded: bool) -> Batch:
        tx, clock, limits = self._tx, self._clock, self._limits
        self._store.begin()
        self._probe("begun")
        hurried = any(not ask.background for ask in taken)
        head = Head(self.head.epoch, self.head.fact_seq, self.head.transfer_seq, self.head.block_hash, self.now())
        tx.begin_batch(head, now=head.at)
        known = self._advance(taken)
        started = clock.monotonic_ms()  # what was read for all of them at once is not held against the first
        batch: list[tuple[Ask, Outcome]] = []
        left: list[Ask] = []
        for ask in taken:
            now = clock.monotonic_ms()
            if batch and now - started > (limits.batch_ms / 8 if hurried and ask.background else limits.batch_ms):
                left.append(ask)
                continue
            if now - ask.since > limits.deadline_ms and ask.alarm is None:
                batch.append((ask, BusyError("it waited too long")))
                continue
            batch.append((ask, self._carry_out(ask, known.get(ask.name), guarded=guarded)))
            self._probe("ran")
        for seal in self._registry.seals:  # first: what they read back is waited for, what is sent after them is not
            seal(tx)
        self._probe("sealed")
        tx.flush()
        self._move_head()
        self._probe("flushed")
        if guarded:
            self._store.settle()  # what does not fit now is not any one command's; all are told so, and none is left for the next batch
        for ask in reversed(left):
            (self._background if ask.background else self._asks).appendleft(ask)
        return batch

    def _advance(self, taken: list[Ask]) -> dict[str, StoredAnswer]:
        """Fetch what the commands of a batch will want, round by round, and with the first round what their keys were answered with.

        A kind of command that lacks nothing is seldom asked what it wants.
        """
        rounds: dict[type, list[Iterator[Wanted]]] = {}
        for kind in dict.fromkeys([type(ask.command) for ask in taken]):
            reads = self._registry.reads.get(kind)
            rested = self._lacked_nothing.get(kind, 0)
            if reads is None or (rested >= 2 and self.batches % FETCH_EVERY):  # twice: what was left over from a batch lacks nothing
                continue
            rounds[kind] = [iter(reads(ask.command, ask.actor, self._tx)) for ask in taken if type(ask.command) is kind]
            self._lacked_nothing[kind] = rested + 1
        names = [ask.name for ask in taken if ask.name]
        known = self._fetch(rounds, names)
        while any(rounds.values()):
            self._fetch(rounds, [])
        return known

    def _fetch(self, rounds: dict[type, list[Iterator[Wanted]]], names: list[str]) -> dict[str, StoredAnswer]:
        """The next round of each, whoever has none being left out of those that follow; and the answers of these keys."""
        lacked: list[Lacked] = []
        for kind, of_kind in rounds.items():
            wanted: defaultdict[Table[Any, Any], list[Any]] = defaultdict(list)
            rounds[kind] = [each for each in of_kind if self._names(each, wanted)]
            if lacks := self._tx.lacking(wanted.items()):
                self._lacked_nothing[kind] = 0
                lacked += lacks
        try:
            brought = self._tx.bring(lacked, *([(ANSWERS, names)] if names else []))
        except FaultError:
            raise
        except Exception as error:  # the same: whose key it is shows when its handler asks for the row
            log.warning("advance_failed", tables=[table.name for table, _ in lacked], error=repr(error))
            return stored(self._store, names) if names else {}
        return by_name(brought[0]) if brought else {}

    @staticmethod
    def _names(rounds: Iterator[Wanted], wanted: defaultdict[Table[Any, Any], list[Any]]) -> bool:
        """Add what one command wants next; false when that is nothing."""
        try:
            for table, key in next(rounds):
                wanted[table].append(key)
        except StopIteration:
            return False
        except FaultError:
            raise
        except Exception as error:  # the handler will say what is wrong with this one; the others are not to suffer
            log.warning("advance_failed", error=repr(error))
            return False
        return True

    def _carry_out(self, ask: Ask, before: StoredAnswer | None, *, guarded: bool) -> Outcome:
        if before is not None:
            return _again(ask, before)
        if ask.alarm is not None and self._store.row(_ALARM_WAITS, (ask.alarm,)) is None:
            return _DONE  # it has rung
        tx = self._tx
        tx.begin_command(actor=ask.actor, cause=ask.cause, guarded=guarded)
        outcome = self._handle(ask)
        if guarded and isinstance(outcome, Answered) and outcome.accepted:
            outcome = self._flush_alone(outcome)
        if not self._store.in_transaction():
            raise _VoidError("an error ended the transaction")
        if isinstance(outcome, Answered) and outcome.accepted:
            tx.end_command()
        else:
            tx.undo_command()
        if ask.name or ask.alarm is not None or not isinstance(outcome, Answered):
            self._conclude(ask, outcome)
        return outcome

    def _handle(self, ask: Ask) -> Outcome:
        tx = self._tx
        kind = type(ask.command)
        try:
            try:
                answer = self._registry.commands[kind](tx, ask.command)
            except Refused as refused:
                return self._refusal(kind, refused)
            invariant(not tx.doomed, "a nested refusal ends the outer command")
            return _DONE if answer is None else Answered(True, _encode(answer))
        except FaultError:
            raise
        except Exception as error:
            return error

    def _refusal(self, kind: type[Command[Any]], refused: Refused) -> Answered:
        """A refusal as it is answered and kept; one that its command does not declare, or that cannot be encoded, is a broken program."""
        if refused.code not in kind.refuses:
            raise BrokenError(f"{kind.__name__} does not declare {refused.code!r}")
        figures = None if refused.figures is None else Raw(_encode(refused.figures))
        answered = Answered(False, _encode(Refusal(code=refused.code, detail=refused.detail, figures=figures)), refused.code.is_lasting)
        self.refusals += 1
        return answered

    def _flush_alone(self, outcome: Outcome) -> Outcome:
        try:
            self._tx.flush()
            self._store.settle()
            self._tx.end_command()
        except FaultError:
            raise
        except Exception as error:
            return error
        return outcome

    def _conclude(self, ask: Ask, outcome: Outcome) -> None:
        """Keep the answer under its key, or consume the alarm, in the same transaction as the effect; put off an alarm without effect."""
        tx = self._tx
        if isinstance(outcome, Answered):
            if ask.name and outcome.is_kept:
                tx.append(KEEP, (ask.name, ask.fingerprint, int(outcome.accepted), outcome.body, int(type(ask.command).spends_key), tx.now))
            if ask.alarm is None:
                return
            if outcome.accepted:
                invariant(tx.forget_alarm(ask.alarm), f"{ask.alarm} rings once")
                return
            self.alarms_refused += 1  # what the cloud asks of itself is harmless when the state has moved on: a no is not expected
            log.error("alarm_refused", command=type(ask.command).__name__, cause=ask.cause, refusal=outcome.body.decode())
            tx.write_one(_POSTPONE_ALARM, (tx.now, self._limits.alarm_retry_ms, ask.alarm))
            return
        self.broken += 1
        log.error("command_broken", command=type(ask.command).__name__, cause=ask.cause, exc_info=outcome)
        if ask.alarm is not None:
            tx.write_one(_POSTPONE_ALARM, (tx.now, self._limits.alarm_retry_ms, ask.alarm))

    def _move_head(self) -> None:
        new, old = self._tx.head, self.head
        self._store.move(
            _MOVE_HEAD,
            (new.fact_seq, new.transfer_seq, new.block_hash, new.at, old.epoch, old.fact_seq, old.transfer_seq, old.block_hash, old.at),
            SupersededError("another writer has moved the head"),
        )

    def _read_head(self) -> Head:
        row = self._store.row(HEAD)
        if row is None:
            raise BrokenError("the store has a head")
        return Head(*row)

    # Answers

    def _answer(self, ask: Ask, outcome: Outcome) -> None:
        if ask.name:
            self._in_flight.pop(ask.name, None)
        for future in (ask.future, *ask.joined):
            if future.done():  # whoever asked has gone
                continue
            if isinstance(outcome, Answered):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

    def _void(self, taken: list[Ask], error: Exception) -> None:
        """The machine failed before the commit: nothing was kept, and the same keys may come again."""
        log.error("batch_void", commands=len(taken), error=str(error))
        for ask in taken:
            self._answer(ask, FaultError(str(error)))
        self._next()

    def _stop(self, batch: list[Ask], error: BaseException) -> None:
        """A commit that failed may or may not be on disk: answer nothing more until the store has been opened anew."""
        log.critical("writer_stopped", error=str(error), commands=len(batch))
        self.failed = UnknownOutcomeError(f"the writer has stopped: {error}")
        for ask in [*batch, *self._asks, *self._background]:
            self._answer(ask, self.failed)
        self._asks.clear()
        self._background.clear()
        self._rest()
        for listener in self._stopped:
            listener(error)


def _again(ask: Ask, before: StoredAnswer) -> Outcome:
    """What a key that has been answered is answered with when it comes again."""
    if before.fingerprint != ask.fingerprint:
        return Refused(KeyRefusal.REUSED, "this key was used for something else")
    if before.body is None:
        return Refused(KeyRefusal.SPENT, "this key was used long ago")
    return Answered(bool(before.accepted), before.body)


def _join(first: Ask, content: bytes, future: "asyncio.Future[Answered]") -> "asyncio.Future[Answered]":
    """Wait for the answer of the call that has the key already."""
    if first.fingerprint != content:
        future.set_exception(Refused(KeyRefusal.REUSED, "this key is in use for something else"))
    else:
        first.joined += (future,)
    return future
