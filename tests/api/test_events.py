"""Notices reach open clients as they are given, without a gap and without a double, and nobody else's."""

import asyncio
import random
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import psutil
import pytest

from support.asgi import Client, call
from support.serving import read_all, request, served
from support.town import Town
from unit.orders.market import MINUTE_MS, yuan
from yunduan.domains.identity.commands import OpenSession, RegisterPerson, RequestCode, SignOut
from yunduan.domains.identity.model import Vault
from yunduan.domains.identity.queries import Mailbox
from yunduan.domains.notices.queries import NoticesAfter
from yunduan.domains.payments.commands import TopUpWallet
from yunduan.domains.payments.facts import WalletToppedUp
from yunduan.edges.http import events
from yunduan.kernel.actors import Actor
from yunduan.kernel.ids import PaymentId, SessionId
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.following import DeliverFacts, Heard
from yunduan.testing import World

SOON_S = 0.01


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A market that is looked at a hundred times a second."""
    monkeypatch.setattr(events, "LOOK_S", SOON_S)
    monkeypatch.setattr(events, "SESSIONS_S", 5 * SOON_S)
    town = Town(tmp_path)
    yield town
    assert town.application.streams.open == 0
    town.close()


class Listener:
    """An open client in process: what it was sent, until it hangs up or is hung up on."""

    def __init__(self, town: Town, who: str = "buyer", *, last: str | None = None, query: str = "", **headers: str) -> None:
        """Ask for events."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_over = False
        self.reads = asyncio.Event()
        self.reads.set()
        self._gone = asyncio.Event()
        self._asked = False
        given = {"accept": "text/event-stream", "authorization": f"Bearer {town.tokens[who]}"} | headers
        if last is not None:
            given["last-event-id"] = last
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/v1/events",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("198.51.100.7", 1),
        }
        self.task = asyncio.create_task(town.application(scope, self._receive, self._send))

    async def _receive(self) -> Any:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        await self.reads.wait()
        if not self._gone.is_set():
            self.body += message["body"]
        self.is_over = not message.get("more_body")

    async def hang_up(self) -> None:
        """Go away, and see that it is noticed."""
        self._gone.set()
        self.reads.set()
        await asyncio.wait_for(self.task, 5)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What has come, each with its id."""
        found = []
        for block in self.body.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in fields:
                said = msgspec.json.decode(fields["data"])
                assert fields["event"] == "notice"
                assert fields["id"] == str(said["number"])
                found.append(said)
        return found

    @property
    def numbers(self) -> list[int]:
        """Of what has come."""
        return [event["number"] for event in self.events]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for it, five seconds at most."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for is what a client sees, which sets no event
            await asyncio.sleep(SOON_S / 2)


async def told(town: Town, who: str = "buyer", times: int = 1) -> None:
    """Somebody is told something: their top-ups come to nothing."""
    for _ in range(times):
        started = await town.world.cloud.send(TopUpWallet(amount=yuan(100), channel="sandbox"), actor=Actor(person=town.people[who]))
        _decline(town, started.redirects[0].url)
    await town.world.cloud.settle()


def _decline(town: Town, url: str) -> None:
    assert town.market.sandbox.decide(dict(parse_qsl(urlsplit(url).query)), approve=False) is not None


def last(town: Town, who: str = "buyer") -> int:
    """The number of what somebody was told last."""
    return town.world.ask(NoticesAfter(), actor=Actor(person=town.people[who])).after


def story(town: Town, told: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it on the loop of the town."""
    town.world.run(told())


def test_what_is_told_comes_to_whoever_listens(town: Town) -> None:
    """To every device of the person it is told to and to nobody else, in words, once, and nothing from before."""

    async def heard() -> None:
        begin = last(town)
        phone, tablet, other = Listener(town), Listener(town), Listener(town, "other")
        await until(lambda: town.application.streams.open == 3)
        await told(town, times=2)
        await until(lambda: len(phone.events) == len(tablet.events) == 2)
        assert (phone.status, phone.headers) == (
            200,
            {"content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no"},
        )
        assert phone.body == tablet.body
        assert phone.body.startswith(b"retry: 2000\n\nid: ")
        assert phone.numbers == [begin + 1, begin + 2]
        assert (phone.events[0]["title"], phone.events[0]["text"]) == ("充值未成功", "充值 1.00 CNY 未完成，没有扣款。")
        assert other.events == []
        metrics = await call(town.application, "GET", "/metrics")
        assert b"\nyunduan_streams 3.0\n" in metrics.body
        for listener in (phone, tablet, other):
            await listener.hang_up()

    story(town, heard)


@pytest.mark.parametrize(
    ("query", "named", "missed"),
    [("", 0, 60), ("after=58", None, 2), ("after=0", 59, 1), ("", -60, 60), ("", 1000, 0), ("", None, 0)],
    ids=["all", "by the query", "the header wins", "from the first", "from what is not there yet", "from now on"],
)
def test_whoever_comes_back_goes_on_where_they_were(town: Town, query: str, named: int | None, missed: int) -> None:
    """By the header as browsers send it, or by the query; more than one page of it, and then what is told next."""

    async def heard() -> None:
        begin = last(town)
        await told(town, times=60)
        asked = query.replace("58", str(begin + 58))
        listener = Listener(town, query=asked, last=None if named is None else str(max(0, begin + named)))
        expected = list(range(1 if named == -60 else begin + 61 - missed, begin + 61))
        await until(lambda: listener.body != b"" and listener.numbers == expected)
        await told(town)
        await until(lambda: listener.numbers == [*expected, begin + 61])
        await listener.hang_up()

    story(town, heard)


@pytest.mark.parametrize("seed", range(3))
def test_no_break_of_the_line_makes_a_gap_or_a_double(town: Town, seed: int) -> None:
    """Whenever it breaks, before, while or after something is told, and whatever was under way then."""
    chance = random.Random(seed)

    async def heard() -> None:
        begin = last(town)
        seen: list[int] = []
        listener = Listener(town, last=str(begin))
        for _ in range(40):
            telling = asyncio.create_task(told(town, times=chance.randrange(3)))
            await asyncio.sleep(chance.random() * 2 * SOON_S)
            if chance.random() < 0.5:
                await listener.hang_up()
                seen += listener.numbers
                listener = Listener(town, last=str(seen[-1] if seen else begin))
            await telling
        end = last(town)
        await until(lambda: (listener.numbers or seen)[-1] == end)
        await listener.hang_up()
        assert [*seen, *listener.numbers] == list(range(begin + 1, end + 1))
        assert end > begin + 20

    story(town, heard)


def test_one_stream_too_many_ends_the_oldest(town: Town) -> None:
    """Of that person alone."""

    async def heard() -> None:
        other = Listener(town, "other")
        listeners = [Listener(town) for _ in range(events.STREAMS_A_PERSON)]
        await until(lambda: town.application.streams.open == events.STREAMS_A_PERSON + 1)
        assert not any(listener.is_over for listener in listeners)
        listeners.append(Listener(town))
        await until(lambda: listeners[0].is_over)
        await asyncio.wait_for(listeners[0].task, 5)
        assert [listener.is_over for listener in listeners[1:]] == [False] * events.STREAMS_A_PERSON
        for listener in (*listeners[1:], other):
            assert not listener.is_over
            await listener.hang_up()

    story(town, heard)


def test_a_revoked_session_ends_its_stream(town: Town) -> None:
    """At once when something is told, and soon when nothing is; the other device of the person listens on."""

    async def heard() -> None:
        listener, stays = Listener(town, "later"), Listener(town)
        await until(lambda: town.application.streams.open == 2)
        await town.world.cloud.send(SignOut(), actor=Actor(person=town.people["buyer"], session=session))
        await told(town)
        await until(lambda: listener.is_over and len(stays.events) == 1)
        assert listener.events == []
        await asyncio.wait_for(listener.task, 5)
        await stays.hang_up()

    town.world.pass_time(MINUTE_MS)  # codes are counted
    session = SessionId(town.sign_in("later", "+8613800000001"))
    town.world.settle()  # the new device is told of before anybody listens
    story(town, heard)


def test_a_session_that_ends_in_silence_ends_its_stream_too(town: Town) -> None:
    """Within two seconds."""

    async def heard() -> None:
        listener = Listener(town, "later")
        await until(lambda: town.application.streams.open == 1)
        await town.world.cloud.send(SignOut(), actor=Actor(person=town.people["buyer"], session=session))
        await until(lambda: listener.is_over)
        await asyncio.wait_for(listener.task, 5)

    town.world.pass_time(MINUTE_MS)  # codes are counted
    session = SessionId(town.sign_in("later", "+8613800000001"))
    story(town, heard)


def test_nothing_is_kept_for_whoever_does_not_read(town: Town) -> None:
    """It is told when it reads again, in order; or, when it never does, nothing has been kept."""

    async def heard() -> None:
        begin = last(town)
        listener = Listener(town)
        await until(lambda: listener.status == 200 and listener.body != b"")
        listener.reads.clear()
        for _ in range(5):
            await told(town, times=20)
        assert listener.events == []
        listener.reads.set()
        await until(lambda: len(listener.numbers) == 100)
        assert listener.numbers == list(range(begin + 1, begin + 101))
        listener.reads.clear()
        await told(town)
        await listener.hang_up()

    story(town, heard)


def test_a_heartbeat_shows_that_the_line_is_alive(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment, which clients ignore."""
    monkeypatch.setattr(events, "HEARTBEAT_S", 2 * SOON_S)

    async def heard() -> None:
        listener = Listener(town)
        await until(lambda: listener.body.endswith(b":\n\n:\n\n"))
        assert listener.events == []
        await listener.hang_up()

    story(town, heard)


def test_a_store_that_fails_ends_the_stream(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client comes back and goes on where it was; whoever comes meanwhile is told so."""

    async def heard() -> None:
        listener = Listener(town)
        await until(lambda: listener.body != b"")
        with monkeypatch.context() as patch:

            def fails(*_: Any, **__: Any) -> None:
                raise FaultError("no disk")

            patch.setattr(town.world.cloud, "ask", fails)
            town.application.streams._open[town.people["buyer"]][0].woken.set()
            await until(lambda: listener.is_over)
            late = Listener(town)
            await asyncio.wait_for(late.task, 5)
            assert (late.status, msgspec.json.decode(late.body)["code"]) == (503, "outcome_unknown")
        await asyncio.wait_for(listener.task, 5)

    story(town, heard)


def test_the_end_of_the_process_ends_every_stream(town: Town) -> None:
    """Those that are open, and those that still come."""

    async def heard() -> None:
        listeners = [Listener(town), Listener(town, "other")]
        await until(lambda: town.application.streams.open == 2)
        town.application.streams.close()
        for listener in (*listeners, Listener(town)):
            await asyncio.wait_for(listener.task, 5)
            assert listener.is_over
            assert listener.status == 200

    story(town, heard)


def test_whoever_may_not_is_refused_before_a_word(town: Town) -> None:
    """As any request is."""

    async def heard() -> None:
        for listener, status, code in (
            (Listener(town, authorization="Bearer nobody"), 401, "sign_in_first"),
            (Listener(town, authorization=""), 401, "sign_in_first"),
            (Listener(town, last="-1"), 400, "invalid_request"),
            (Listener(town, last="1" * 16), 400, "invalid_request"),
            (Listener(town, query="after=x"), 400, "invalid_request"),
            (Listener(town, query="who=other"), 400, "invalid_request"),
        ):
            await asyncio.wait_for(listener.task, 5)
            assert (listener.status, msgspec.json.decode(listener.body)["code"]) == (status, code)

    story(town, heard)


def test_whoever_does_not_ask_for_a_stream_has_a_list(town: Town) -> None:
    """The same, once."""
    town.world.run(told(town))
    client = Client(town.application, town.world.run, town.tokens["buyer"])
    end = last(town)
    heard = client("GET", f"/v1/events?after={end - 1}", headers={"accept": "application/json"})
    assert ([it["number"] for it in heard.json["items"]], heard.json["after"]) == ([end], end)
    assert client("HEAD", "/v1/events", headers={"accept": "text/event-stream"}).status == 200
    assert client("POST", "/v1/events", headers={"accept": "text/event-stream"}).code == "method_not_allowed"


def test_whoever_never_reads_is_hung_up_on(tmp_path: Path) -> None:
    """However much there is for them, little of it is held, and that not for long."""
    with World.at(tmp_path, at_ms=time.time_ns() // 1_000_000) as world:
        person = world.send(RegisterPerson(phone="+8613800000001")).person_id
        challenge = world.send(RequestCode(contact="+8613800000001")).id
        session = world.send(OpenSession(challenge_id=challenge, code=world.ask(Mailbox()).items[0].code)).session_id
        assert session is not None
        token = world.cloud.port(Vault).token(session)
        world.settle()
        ((cursor,),) = world.rows("SELECT seq FROM cursor WHERE follower = 'notices'")
        fact = WalletToppedUp(payment_id=PaymentId("pay_1"), person=person, amount=yuan(100), channel="sandbox")
        for _ in range(20):
            world.send(DeliverFacts(follower="notices", after=cursor, through=cursor, facts=(Heard(cursor, fact),) * 1000))
    with served("cloud", tmp_path, YUNDUAN_HTTP__STALL_MS_MAX="500") as server, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", server.port))
        process = psutil.Process(server.process.pid)
        before = process.memory_info().rss
        deaf.sendall(request("GET", "/v1/events?after=0", accept="text/event-stream", authorization=f"Bearer {token}"))
        until = time.monotonic() + 20
        while b"yunduan_streams 1.0" not in server.ask("GET", "/metrics")[1]:
            assert time.monotonic() < until
        while b"yunduan_streams 0.0" not in server.ask("GET", "/metrics")[1]:
            assert time.monotonic() < until, "the stream is still there"
            time.sleep(0.1)
        assert process.memory_info().rss - before < 20 * 2**20


def test_over_a_real_connection(tmp_path: Path) -> None:
    """Through the server's own protocol: what is told comes within a second or so; SIGTERM ends streams at once."""
    with served("cloud", tmp_path, YUNDUAN_MAILBOX__SHOWN="true") as server:

        def sent(method: str, path: str, body: Any, **more: str) -> Any:
            status, answer = server.ask(method, path, msgspec.json.encode(body), **more)
            assert status == 200, answer
            return msgspec.json.decode(answer)

        challenge = sent("POST", "/v1/sessions/codes", {"contact": "+8613800000001"})["id"]
        code = msgspec.json.decode(server.ask("GET", "/v1/development/mailbox")[1])["items"][0]["code"]
        token = sent("POST", "/v1/sessions", {"challenge_id": challenge, "code": code}, idempotency_key="s")["token"]
        own = {"authorization": f"Bearer {token}"}
        with server.connect() as line:
            line.sendall(request("GET", "/v1/events", accept="text/event-stream", **own))
            heard = line.recv(65536)
            started = sent(
                "POST",
                "/v1/payments/top-ups",
                {"amount": {"amount": 100, "currency": "CNY"}, "channel": "sandbox"},
                idempotency_key="t",
                **own,
            )
            url = urlsplit(started["redirects"][0]["url"])
            assert server.ask("POST", f"{url.path}?{url.query}", b"decision=decline")[0] == 200
            began = time.monotonic()
            while b"id: 1\n" not in heard:
                heard += line.recv(65536)
            assert time.monotonic() - began < 5  # a second on a machine that has nothing else to do
            assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"event: notice\ndata: {" in heard
            with server.connect() as again:
                again.sendall(request("GET", "/v1/events?after=0", accept="text/event-stream", **own))
                repeated = again.recv(65536)
                while b"id: 1\n" not in repeated:
                    repeated += again.recv(65536)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 10
            assert read_all(line).endswith(b"0\r\n\r\n")
