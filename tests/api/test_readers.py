"""Callers served by processes beside the one that writes: whoever asks cannot tell, and none of them outlives the others."""

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil
import pytest

from support import serving
from support.postgresql import Cluster
from support.serving import Server, parsed, request, served
from support.stores import STORES
from support.timing import eventually
from yunduan.backends.vault import FileVault
from yunduan.domains.identity.commands import GrantRole, OpenSession, RegisterPerson, RequestCode
from yunduan.domains.identity.model import OperatorRole, Vault
from yunduan.domains.identity.queries import Mailbox
from yunduan.edges.linked.link import FROM_READER, Caller, Errand, Link, Question, error_of, failure
from yunduan.kernel.actors import ANONYMOUS, SYSTEM, Actor
from yunduan.kernel.ids import PersonId, SessionId, ShopId
from yunduan.kernel.refusals import BusyError, FaultError, KeyRefusal, Refused, UnknownOutcomeError
from yunduan.testing import World

BUYER = "Bearer buyer"


Environ = dict[str, str]


@pytest.fixture(scope="module", params=STORES)
def stores(request: pytest.FixtureRequest) -> Iterator[Callable[[], Environ]]:
    """What makes an empty store and answers its settings: embedded in the folder of data, or a database of a server's."""
    if request.param == "sqlite":
        yield dict
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    names: list[str] = []

    def make() -> Environ:
        names.append(f"readers_{len(names)}")
        cluster.run(f"CREATE DATABASE {names[-1]}")
        return {"YUNDUAN_STORE__URL": f"postgresql://yunduan@/{names[-1]}?host={cluster.folder}"}

    yield make
    for name in names:
        cluster.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store(stores: Callable[[], Environ]) -> Environ:
    """The settings of an empty store."""
    return stores()


@pytest.fixture(scope="module")
def server(stores: Callable[[], Environ], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shelf, with two readers."""
    folder = tmp_path_factory.mktemp("readers")
    with served("shelf", folder, YUNDUAN_HTTP__READERS="2", YUNDUAN_HTTP__KEEP_ALIVE_S="300", **stores()) as server:
        yield server


def ask(connection: socket.socket, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """One request on a connection that stays open."""
    connection.sendall(request(method, path, body, **headers))
    connection.settimeout(30)
    raw = b""
    while b"\r\n\r\n" not in raw or len(raw) < raw.index(b"\r\n\r\n") + 4 + int(re.search(rb"content-length: (\d+)", raw)[1]):  # type: ignore[index]
        piece = connection.recv(65536)
        assert piece, "hung up on"
        raw += piece
    return parsed(raw)[0]


def children(server: Server) -> list[psutil.Process]:
    """The reader processes."""
    return psutil.Process(server.process.pid).children()


def connected_to_each(server: Server, stack: ExitStack) -> list[socket.socket]:
    """Connections such that every reader has one at least, in no order."""
    found: list[socket.socket] = []

    def both_have_one() -> bool:
        found.append(stack.enter_context(server.connect()))
        assert ask(found[-1], "GET", "/v1/books?limit=1")[0] == 200
        return all([link for link in child.net_connections("tcp") if link.status == "ESTABLISHED"] for child in children(server))

    eventually(both_have_one)
    random.Random(1).shuffle(found)
    return found


def test_whoever_has_an_answer_sees_what_it_did_through_any_reader(server: Server) -> None:
    """A book is added or renamed through one, and each of them shows it at once, with what it remembers or without."""
    with ExitStack() as stack:
        ways = connected_to_each(server, stack)
        for number in range(40):
            body = json.dumps({"title": f"seen {number:02d}"}).encode()
            status, added = ask(ways[number % len(ways)], "POST", "/v1/books", body, authorization=BUYER, idempotency_key=f"seen-{number}")
            assert status == 200
            id = json.loads(added)["id"]
            for title in (f"seen {number:02d}", f"anew {number:02d}"):
                for way in ways:
                    assert json.loads(ask(way, "GET", f"/v1/books/{id}", authorization=BUYER)[1])["title"] == title
                rename = json.dumps({"title": f"anew {number:02d}"}).encode()
                key = "-".join(("rename", *title.split()))
                assert (
                    ask(ways[-1 - number % len(ways)], "PATCH", f"/v1/books/{id}", rename, authorization=BUYER, idempotency_key=key)[0]
                    == 200
                )


def test_one_key_through_two_readers_is_carried_out_once(server: Server) -> None:
    """At the same moment, and afterwards with other content."""
    with ExitStack() as stack:
        ways = connected_to_each(server, stack)
        answers: list[tuple[int, bytes]] = []
        headers = {"authorization": BUYER, "idempotency_key": "together"}

        def buy(way: socket.socket) -> None:
            answers.append(ask(way, "POST", "/v1/books", b'{"title":"once"}', **headers))

        threads = [threading.Thread(target=buy, args=(way,)) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {status for status, _ in answers} == {200}
        assert len({body for _, body in answers}) == 1
        assert len(json.loads(server.ask("GET", "/v1/books?limit=50&starts=once")[1])) == 1
        for way in ways:
            status, body = ask(way, "POST", "/v1/books", b'{"title":"another"}', **headers)
            assert (status, json.loads(body)["code"]) == (409, "idempotency_key_reused")


def test_figures_are_those_of_all_readers_together(server: Server) -> None:
    """Whichever is scraped."""

    def counted(way: socket.socket) -> int:
        text = ask(way, "GET", "/metrics")[1].decode()
        found = re.search(r'yunduan_requests_total\{method="GET",route="/v1/slowly",status="200"\} (\d+)', text)
        return int(found[1]) if found else 0

    with ExitStack() as stack:
        ways = connected_to_each(server, stack)
        before = counted(ways[0])
        for number in range(30):
            assert ask(ways[number % len(ways)], "GET", "/v1/slowly")[0] == 200
        assert {counted(way) for way in ways} == {before + 30}
        assert json.loads(ask(ways[0], "GET", "/health/ready")[1])["ready"] is True


def test_a_reader_that_falls_ends_all(tmp_path: Path, store: Environ) -> None:
    """So that whoever supervises the server starts all of it again; what was answered is there."""
    with served("shelf", tmp_path, YUNDUAN_HTTP__READERS="2", **store) as server:
        assert server.ask("POST", "/v1/books", b'{"title":"kept"}', authorization=BUYER, idempotency_key="kept")[0] == 200
        fallen, other = children(server)
        fallen.kill()
        assert server.process.wait(20) == 74
        eventually(lambda: not other.is_running() or other.status() == psutil.STATUS_ZOMBIE)
        eventually(lambda: "reader_fell" in "".join(server.lines))
    with served("shelf", tmp_path, YUNDUAN_HTTP__READERS="1", **store) as server:
        assert [book["title"] for book in json.loads(server.ask("GET", "/v1/books")[1])] == ["kept"]


def test_readers_end_with_a_writer_that_is_killed(tmp_path: Path, store: Environ) -> None:
    """Whatever they are asked meanwhile is answered as unknown or not at all, and the address is free again."""
    with served("shelf", tmp_path, YUNDUAN_HTTP__READERS="2", **store) as server, server.connect() as connection:
        readers = children(server)
        server.process.send_signal(signal.SIGSTOP)  # a command is in hand when it dies
        connection.sendall(request("POST", "/v1/books", b'{"title":"never"}', authorization=BUYER, idempotency_key="never"))
        time.sleep(0.3)
        server.process.send_signal(signal.SIGKILL)
        connection.settimeout(20)
        said = connection.recv(65536)
        assert said == b"" or json.loads(parsed(said)[0][1])["code"] == "outcome_unknown"
        eventually(lambda: all(not reader.is_running() or reader.status() == psutil.STATUS_ZOMBIE for reader in readers))
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", server.port))


def test_a_store_that_cannot_be_opened_leaves_no_reader_behind(tmp_path: Path, store: Environ) -> None:
    """The second server on one store says why, and is gone with all of its processes."""
    with served("shelf", tmp_path, YUNDUAN_HTTP__READERS="1", **store) as server:
        assert server.ask("GET", "/v1/books")[0] == 200
        arguments = [sys.executable, serving.__file__, "shelf", str(tmp_path)]
        environ = {**os.environ, "YUNDUAN_HTTP__READERS": "1", "YUNDUAN_HTTP__PORT": "0", "YUNDUAN_DATA": str(tmp_path), **store}
        second = subprocess.run(arguments, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode != 0
        assert "another process writes" in second.stderr
        folder = str(tmp_path).encode()
        ours = {server.process.pid, *(child.pid for child in children(server))}
        found = {process.pid for process in psutil.process_iter() if folder in " ".join(_line(process)).encode()}
        assert found - {os.getpid()} == ours


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


# What it is made of


def test_a_key_that_is_destroyed_is_gone_for_every_process(tmp_path: Path) -> None:
    """A reader's vault remembers no key."""
    writers = FileVault(tmp_path / "keys.sqlite")
    person = PersonId("per_1")
    sealed = writers.seal(person, "secret")
    writers.make_durable()
    readers = FileVault(tmp_path / "keys.sqlite", keys_remembered=0)
    assert readers.unseal(person, sealed) == "secret"
    writers.destroy(person)
    assert readers.unseal(person, sealed) is None
    readers.close()
    writers.close()


@pytest.mark.parametrize(
    "actor",
    [
        ANONYMOUS,
        SYSTEM,
        Actor(origin="192.0.2.1"),
        Actor(
            person=PersonId("per_1"),
            session=SessionId("ses_1"),
            scopes=frozenset({"a", "b"}),
            operator_roles=frozenset({"admin"}),
            shop_roles={ShopId("shp_1"): frozenset({"owner", "packer"}), ShopId("shp_2"): frozenset()},
            origin="2001:db8::1",
        ),
    ],
)
def test_callers_arrive_as_they_were(actor: Actor) -> None:
    """Nobody becomes somebody on the way."""
    errand = Errand(7, "Do", b"\x80", Caller.of(actor), "key", b"content", background=True)
    (said,) = FROM_READER.decode(msgspec.msgpack.encode([errand]))
    assert said == errand
    assert said.caller.actor() == actor  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "error",
    [
        BusyError("much"),
        UnknownOutcomeError("perhaps"),
        FaultError("disk"),
        Refused(KeyRefusal.REUSED, "used"),
        Refused(KeyRefusal.SPENT, "old"),
    ],
)
def test_errors_arrive_as_they_were(error: Exception) -> None:
    """By their kind, which decides what a caller is told."""
    back = error_of(failure(3, error))
    assert (type(back), str(back)) == (type(error), str(error))
    assert type(error_of(failure(3, ZeroDivisionError("x")))).__name__ == "BrokenThereError"


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 1000])
def test_frames_arrive_whole_and_in_order_however_they_are_cut(pieces: int) -> None:
    """A link hears each message once; what follows something that is none ends it."""

    async def run() -> None:
        heard: list[object] = []
        lost: list[bool] = []
        link = Link(FROM_READER, heard.append, lambda: lost.append(True))
        said = [Question(number, "x" * number) for number in range(300)]
        raw = b""
        for message in said:
            body = msgspec.msgpack.encode([message])
            raw += len(body).to_bytes(4, "little") + body
        step = max(1, len(raw) // pieces)
        for at in range(0, len(raw), step):
            link.data_received(raw[at : at + step])
        assert heard == said
        link.data_received(b"\x03\x00\x00\x00\xc1\xc1\xc1")
        link.connection_lost(None)
        assert (heard, lost) == (said, [True])

    asyncio.run(run())


@pytest.mark.slow
def test_what_is_searched_through_a_reader_is_counted_and_remembered(tmp_path: Path) -> None:
    """It is handed to the process that writes, some seconds later, like what that process hears itself."""
    phones = {"buyer": "+8613800000001", "operator": "+8613800000002"}
    tokens: dict[str, str] = {}
    with World.at(tmp_path, is_searched=True, at_ms=int(time.time() * 1_000)) as world:
        people = {name: world.send(RegisterPerson(phone=phone)).person_id for name, phone in phones.items()}
        world.send(GrantRole(person_id=people["operator"], role=OperatorRole.ADMIN))
        for name, phone in phones.items():
            challenge = world.send(RequestCode(contact=phone)).id
            code = next(letter.code for letter in world.ask(Mailbox()).items if letter.id == challenge)
            session = world.send(OpenSession(challenge_id=challenge, code=code)).session_id
            assert session is not None
            tokens[name] = f"Bearer {world.cloud.port(Vault).token(session)}"
        world.settle()
    with served("cloud", tmp_path, YUNDUAN_HTTP__READERS="1") as server:

        def said(name: str, path: str) -> list[str]:
            status, body = server.ask("GET", path, authorization=tokens[name])
            assert status == 200, body
            return [one["text"] for one in json.loads(body)["items"]]

        wants = {"authorization": tokens["buyer"], "idempotency_key": "wants"}
        assert server.ask("PUT", "/v1/me/recent-queries", b'{"remembers":true}', **wants)[0] == 200
        assert server.ask("GET", "/v1/me/search?q=longjing", authorization=tokens["buyer"])[0] == 200
        assert server.ask("GET", "/v1/search?q=puer")[0] == 200
        assert said("buyer", "/v1/me/search/suggestions") == ["longjing"]  # where it was asked, at once
        eventually(lambda: said("buyer", "/v1/me/recent-queries") == ["longjing"], within_s=40)
        eventually(lambda: sorted(said("operator", "/v1/operator/search/queries")) == ["longjing", "puer"], within_s=40)
        assert said("operator", "/v1/me/recent-queries") == []
