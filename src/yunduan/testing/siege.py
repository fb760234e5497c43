"""Kills a real process over and over, or cuts the power of its disk, and checks that nobody was told what is not so."""

import asyncio
import contextlib
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
from msgspec import Raw, Struct

from yunduan.backends.sqlite import SqliteStore
from yunduan.backends.sqlite.store import SqliteReader
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.answers import Answered
from yunduan.testing.checkers import Auditor, ViolationError, claim
from yunduan.testing.disk import Disk, Entry, logged, replay
from yunduan.testing.people import Asked, People
from yunduan.testing.target import Line, Reply

FILE = "bazaar.sqlite"
TASKS = 8
LIVES_MS = (5, 400)
START_S_MAX = 60.0
STILLBORN = 0.15
"""How often a process is killed before anybody has asked it anything."""
CUTS_A_LIFE = 4
_UNREADABLE = (apsw.Error, FaultError, msgspec.MsgspecError, LookupError, ValueError)
"""How a file that lost the wrong sectors shows itself: to SQLite, to its reader, or in what the rows hold."""
_reply = msgspec.json.Decoder(Reply).decode


class Tally(Struct, kw_only=True):
    """What a siege has been."""

    kills: int = 0
    cuts: int = 0
    answers: int = 0
    facts: int = 0
    in_doubt: int = 0


class Besieged:
    """One child process and the people who talk to it."""

    def __init__(self, people: People, chance: random.Random, heard: Callable[[Asked, Reply], None]) -> None:
        """Nobody runs yet."""
        self._people = people
        self._chance = chance
        self._heard = heard
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[int, tuple[Asked, asyncio.Future[None]]] = {}
        self._n = 0

    async def start(self, *arguments: str) -> None:
        """Start the child and wait until it serves."""
        await self._spawn(*arguments)
        ready = await asyncio.wait_for(self._read(), START_S_MAX)
        claim(ready is not None and ready.name == "ready", "the process starts")

    async def kill_at_start(self, after_s: float, *arguments: str) -> None:
        """Start the child and kill it while it starts, recovers or has just begun to serve."""
        await self._spawn(*arguments)
        await asyncio.sleep(after_s)
        self._running().kill()
        await self._running().wait()

    async def _spawn(self, *arguments: str) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "yunduan.testing.target",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )

    async def ask_until_killed(self, after_s: float) -> None:
        """Many people ask at once; at a moment that nobody chose the process is killed."""
        process = self._running()
        talks = [asyncio.ensure_future(self._listen()), *(asyncio.ensure_future(self._talk()) for _ in range(TASKS))]
        await asyncio.sleep(after_s)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        done = await asyncio.gather(*talks, return_exceptions=True)
        for _, future in self._waiting.values():
            future.cancel()
        self._waiting.clear()
        broken = [end for end in done if isinstance(end, Exception) and not isinstance(end, ConnectionError)]
        if broken:
            raise broken[0]

    async def _talk(self) -> None:
        """What nobody has answered is asked again first; some ask the same twice at once."""
        for asked in list(self._people.open.values()):
            if self._chance.random() < 1 / TASKS:
                await self._say(asked)
        if not self._people.done and not self._people.open:
            for asked in self._people.opening():
                await self._say(asked)
        while True:
            wanted = self._people.next()
            if wanted is not None:
                times = 2 if self._chance.random() < 0.05 else 1
                await asyncio.gather(*(self._say(wanted) for _ in range(times)))

    async def _say(self, asked: Asked) -> None:
        self._n += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[self._n] = asked, future
        body = Raw(msgspec.json.encode(asked.command))
        line = Line(self._n, asked.key, asked.actor.person, type(asked.command).__name__, body)
        stdin = self._running().stdin
        if stdin is None or stdin.is_closing():
            raise ConnectionError
        stdin.write(msgspec.json.encode(line) + b"\n")
        try:
            await future
        except asyncio.CancelledError:
            raise ConnectionError from None

    async def _listen(self) -> None:
        while (reply := await self._read()) is not None:
            asked, future = self._waiting.pop(reply.n)
            self._heard(asked, reply)
            if not future.done():
                future.set_result(None)
        for _, future in self._waiting.values():
            future.cancel()

    async def _read(self) -> Reply | None:
        stdout = self._running().stdout
        line = await stdout.readline() if stdout is not None else b""
        return _reply(line) if line.endswith(b"\n") else None

    def _running(self) -> asyncio.subprocess.Process:
        claim(self._process is not None, "a process runs")
        return self._process  # type: ignore[return-value]


class Siege:
    """A folder, a child that serves from it, and a second bookkeeper."""

    def __init__(self, folder: Path, seed: int, *, synchronous: str = "") -> None:
        """Nothing has happened."""
        self.folder = folder
        self.tally = Tally()
        self._chance = random.Random(seed)  # noqa: S311 - so that a test can say which seed it had
        self._people = People(self._chance)
        self._auditor = Auditor()
        self._replies: list[tuple[Asked, Reply]] = []
        self._synchronous = synchronous
        folder.mkdir(parents=True, exist_ok=True)

    async def kill(self, times: int, *, answers: int = 0) -> Tally:
        """Kill the process so often, and more often if fewer than `answers` stand by then.

        After each time look at the file, and let the next process answer what is in doubt.
        """
        while self.tally.kills < times or self.tally.answers < answers:
            await self._live(str(self.folder / FILE))
            self._look(self.folder, self._replies)
            self.tally.kills += 1
        return self.tally

    async def cut_power(self, times: int, *, answers: int = 0) -> Tally:
        """Cut the power at so many moments of the child's disk, and at more if fewer than `answers` stand by then.

        What an ordinary start then finds must hold every answer that had left.
        """
        disk = Disk()
        lives = 0
        while self.tally.cuts < times or self.tally.answers < answers:
            lives += 1
            folder, log = self.folder / f"life-{lives}", self.folder / f"life-{lives}.log"
            disk.put_into(folder)
            await self._live(str(folder / FILE), "--log", str(log))
            entries = logged(log)
            asked = {asked.name: asked for asked in self._people.done} | self._people.open
            for cut in range(CUTS_A_LIFE):
                disk = self._cut(disk, entries, asked, last=cut == CUTS_A_LIFE - 1)
            shutil.rmtree(folder)
            log.unlink(missing_ok=True)
        return self.tally

    async def _live(self, *arguments: str) -> None:
        self._replies = []
        child = Besieged(self._people, self._chance, self._note)
        options = ["--synchronous", self._synchronous] if self._synchronous else []
        if self._people.done and self._chance.random() < STILLBORN:
            await child.kill_at_start(self._chance.uniform(0.1, 0.6), *arguments, *options)
            return
        await child.start(*arguments, *options)
        await child.ask_until_killed(self._chance.uniform(*LIVES_MS) / 1000)

    def _note(self, asked: Asked, reply: Reply) -> None:
        if reply.error:
            claim(asked.is_broken or reply.error == "fault", f"{asked.command} is broken: {reply.error}")
        self._replies.append((asked, reply))
        if not reply.error or asked.is_broken:
            self._people.settled(asked)

    def _look(self, folder: Path, replies: list[tuple[Asked, Reply]]) -> None:
        """Compare the file, as it is, with the books and with every answer that has left."""
        connection = apsw.Connection(str(folder / FILE), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # the next process must find what this one has left
            self._audit(SqliteReader(connection), replies)
        except _UNREADABLE as error:
            raise ViolationError(f"the file cannot be read: {error}") from error
        finally:
            connection.close()

    def _audit(self, reader: SqliteReader, replies: list[tuple[Asked, Reply]]) -> None:
        auditor = self._auditor
        auditor.begin_anew(reader)
        for asked, reply in replies:
            if not reply.error:
                auditor.answer_left(asked, Answered(reply.accepted, bytes(reply.body)))
        auditor.compare(reader)
        self.tally.answers, self.tally.facts = len(auditor.answered), auditor.books.seq
        self.tally.in_doubt += len(self._people.open)

    def _cut(self, before: Disk, entries: list[Entry], asked: dict[str, Asked], *, last: bool) -> Disk:
        """The disk after a power cut somewhere in the log; only the last of a life goes on into the next one."""
        through = self._chance.randrange(len(entries) // 2 if last else 0, len(entries) + 1)
        disk = before.copy()
        notes = [_reply(note) for note in replay(disk, entries[:through])]
        after = disk.after_power_loss(self._chance)
        folder = self.folder / f"cut-{self.tally.cuts}"
        after.put_into(folder)
        auditor = self._auditor
        if not last:
            self._auditor = auditor.copy()
        try:
            self._start_again(folder, [(asked[note.name], note) for note in notes])
        finally:
            shutil.rmtree(folder)
            if not last:
                self._auditor = auditor
        self.tally.cuts += 1
        if last:
            self._forget_what_was_cut_off(notes)
        return after if last else before

    def _start_again(self, folder: Path, replies: list[tuple[Asked, Reply]]) -> None:
        try:
            SqliteStore(folder / FILE).close()
        except _UNREADABLE as error:
            raise ViolationError(f"the store does not open after a power cut: {error}") from error
        if replies or self._auditor.answered:
            self._look(folder, replies)

    def _forget_what_was_cut_off(self, notes: list[Reply]) -> None:
        """Answers that left after the cut have never left, as far as the next life is concerned: people ask again."""
        left = {note.name for note in notes} | set(self._auditor.answered)
        for asked, _ in self._replies:
            if asked.name not in left:
                self._people.ask_again(asked)
