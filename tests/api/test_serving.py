"""A real server on a real socket: what only a network can do to it, and how it ends."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import serving
from support.serving import Server, parsed, read_all, request, served
from support.timing import best, eventually

BOOK = b'{"title":"a"}'
BUYER = "Bearer buyer"


@pytest.fixture(scope="module", params=["0", "1"], ids=["alone", "with a reader"])
def readers(request: pytest.FixtureRequest) -> str:
    """How many processes serve beside the one that writes: none must be able to tell."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, readers: str) -> Iterator[Server]:
    """The shelf, with short deadlines."""
    limits = {"HEAD_MS_MAX": "700", "BODY_MS_MAX": "700", "KEEP_ALIVE_S": "1", "CONNECTIONS_MAX": "200", "HEAD_BYTES_MAX": "8192"}
    limits["READERS"] = readers
    with served("shelf", tmp_path_factory.mktemp("shelf"), **{f"YUNDUAN_HTTP__{name}": value for name, value in limits.items()}) as server:
        yield server


def code(answer: tuple[int, bytes]) -> tuple[int, str]:
    """The status and the code of a problem."""
    return answer[0], json.loads(answer[1])["code"]


def probe(server: Server, times: int = 20) -> float:
    """The slowest of some requests by somebody who behaves, in milliseconds."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        assert server.ask("GET", "/v1/books")[0] == 200
        took.append((time.monotonic() - began) * 1000)
    return max(took)


def test_it_answers_within_two_seconds_of_its_start(tmp_path: Path, readers: str) -> None:
    """The best of three, since others use this machine too; a slower machine than those of the figures is given its time."""
    took = []
    for n in range(3):
        with served("shelf", tmp_path / str(n), YUNDUAN_HTTP__READERS=readers) as server:
            took.append(server.started_s)
            assert server.stop() == 0
    assert min(took) <= 2.0 * max(1.0, a_million_additions() / 0.04), took


def a_million_additions() -> float:
    """What they take in seconds, at best: 0.04 where the figures were taken."""
    took = []
    for _ in range(3):
        began, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number
        took.append(time.perf_counter() - began)
    return min(took)


def test_a_slow_body_is_ended_and_nobody_else_waits(server: Server) -> None:
    """408 at the deadline, however steadily it drips."""

    def beside_slow_bodies() -> float:
        slow = [server.connect() for _ in range(50)]
        for connection in slow:
            connection.sendall(request("POST", "/v1/books", BOOK, authorization=BUYER, idempotency_key="slow")[:-5])
        took = probe(server)
        began = time.monotonic()
        for connection in slow:
            assert code(parsed(read_all(connection))[0]) == (408, "body_too_slow")
            connection.close()
        assert time.monotonic() - began < 10
        return took

    assert best(beside_slow_bodies, 250) < 250


def test_a_head_that_never_ends_is_hung_up_on(server: Server) -> None:
    """At the deadline; one that is silent, one that drips, one that drips between two requests."""
    silent, drips, between = (server.connect() for _ in range(3))
    between.sendall(request("GET", "/v1/books"))
    assert parsed(between.recv(65536))[0][0] == 200
    began = time.monotonic()
    gone = set()
    while time.monotonic() - began < 3 and len(gone) < 3:
        for name, connection, piece in (("silent", silent, b""), ("drips", drips, b"G"), ("between", between, b"\r\n")):
            if name in gone:
                continue
            try:
                connection.sendall(piece)
                connection.settimeout(0.05)
                if connection.recv(1000) == b"":
                    gone.add(name)
            except TimeoutError:
                pass
            except OSError:
                gone.add(name)
    assert gone == {"silent", "drips", "between"}
    for connection in (silent, drips, between):
        connection.close()


def test_a_head_that_is_too_large_is_refused(server: Server) -> None:
    """One long header, many short ones, a long address, and one without end."""
    many = {f"x{n}": "y" for n in range(120)}
    assert code(server.ask("GET", "/v1/books", x="y" * 9000)) == (431, "head_too_large")
    assert code(server.ask("GET", "/v1/books", **many)) == (431, "head_too_large")
    assert code(server.ask("GET", "/v1/books?starts=" + "x" * 9000)) == (431, "head_too_large")
    with server.connect() as connection:
        connection.sendall(b"GET /v1/books HTTP/1.1\r\nhost: test\r\nx: ")
        sent = 0
        try:
            while sent < 3_000_000:
                sent += connection.send(b"y" * 10_000)
            connection.settimeout(2)
            assert b"431" in connection.recv(65536)
        except OSError:
            pass
    assert sent < 3_000_000
    assert best(lambda: probe(server), 250) < 250


def test_a_giant_body_is_refused_before_it_has_arrived(server: Server) -> None:
    """By its length, and in chunks without one."""
    with server.connect() as connection:
        connection.sendall(
            b"POST /v1/books HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 10000000000\r\n\r\n{"
        )
        assert code(parsed(read_all(connection))[0]) == (413, "body_too_large")
    with server.connect() as connection:
        connection.sendall(b"POST /v1/books HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        heard = b""
        try:
            for _ in range(1000):
                connection.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
            heard = read_all(connection)
        except OSError:
            connection.settimeout(2)
            try:
                heard = connection.recv(65536)
            except OSError:
                heard = b"HTTP/1.1 413 gone"
        assert b" 413 " in heard
    assert best(lambda: probe(server), 250) < 250


@pytest.mark.parametrize(
    "raw",
    [
        b"HELLO\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/books HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /v1/b\xffoks HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v1/books HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/books HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"POST /v1/books HTTP/1.1\r\ncontent-length: -3\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_not_http_is_told_so(server: Server, raw: bytes) -> None:
    """As a problem, and the connection ends."""
    with server.connect() as connection:
        connection.sendall(raw)
        assert code(parsed(read_all(connection))[0]) == (400, "invalid_request")


def test_requests_in_one_piece_are_answered_in_order(server: Server) -> None:
    """Fifty at once, changes among them."""
    pieces = []
    for n in range(25):
        pieces.append(request("POST", "/v1/books", b'{"title":"p%02d"}' % n, authorization=BUYER, idempotency_key=f"pipe-{n}"))
        pieces.append(request("GET", f"/v1/books?limit={n + 1}", close=n == 24))
    with server.connect() as connection:
        connection.sendall(b"".join(pieces))
        answers = parsed(read_all(connection))
    assert [status for status, _ in answers] == [200] * 50
    assert [json.loads(body)["title"] for _, body in answers[::2]] == [f"p{n:02d}" for n in range(25)]
    assert [len(json.loads(body)) for _, body in answers[1::2]] == [len(json.loads(answers[2 * n + 1][1])) for n in range(25)]


def test_a_client_that_hangs_up_has_still_asked(server: Server) -> None:
    """What was taken is carried out, and the same key tells; half a body was never asked."""
    for n in range(20):
        connection = server.connect()
        connection.sendall(request("POST", "/v1/books", b'{"title":"gone"}', authorization=BUYER, idempotency_key=f"gone-{n}"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.close()
    half = server.connect()
    half.sendall(request("POST", "/v1/books", b'{"title":"half"}', authorization=BUYER, idempotency_key="half")[:-4])
    half.close()
    time.sleep(0.5)
    books = json.loads(server.ask("GET", "/v1/books?limit=50&starts=gone")[1])
    taken = {book["id"] for book in books}
    again = [server.ask("POST", "/v1/books", b'{"title":"gone"}', authorization=BUYER, idempotency_key=f"gone-{n}") for n in range(20)]
    ids = {json.loads(body)["id"] for _, body in again}
    assert len(ids) == 20
    assert taken <= ids
    assert json.loads(server.ask("GET", "/v1/books?limit=50&starts=half")[1]) == []


def test_a_client_that_announces_its_body_is_asked_for_it(server: Server) -> None:
    """`Expect: 100-continue`."""
    with server.connect() as connection:
        head, body = request("POST", "/v1/door", b'{"code":"good"}', close=True, expect="100-continue").split(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        assert parsed(read_all(connection)) == [(200, b'"sesame"')]


def test_one_connection_too_many_is_turned_away(server: Server) -> None:
    """With 503, while those that are there go on."""
    held = [server.connect() for _ in range(200)]
    for connection in held:
        connection.sendall(b"G")
    with server.connect() as connection:
        assert code(parsed(read_all(connection))[0]) == (503, "busy")
    held[0].sendall(request("GET", "/v1/books", close=True)[1:])
    assert parsed(read_all(held[0]))[0][0] == 200
    for connection in held:
        connection.close()
    eventually(lambda: server.ask("GET", "/v1/books")[0] == 200)


def test_nothing_personal_is_in_the_log(server: Server) -> None:
    """Not even of what broke while it was in hand."""
    headers = {"authorization": "Bearer s3cret-token", "idempotency_key": "m"}
    assert server.ask("POST", "/v1/mischief", b'{"how":"13812345678"}', **headers)[0] == 500
    assert server.ask("GET", "/v1/stumbles?how=die&x=a.b@example.com")[0] == 400
    assert server.ask("GET", "/v1/stumbles?how=die")[0] == 500
    eventually(lambda: "".join(server.lines).count("ZeroDivisionError") >= 2)
    written = "".join(server.lines)
    for marker in ("13812345678", "example.com", "s3cret-token"):
        assert marker not in written


def test_a_signal_lets_open_requests_end(tmp_path: Path, readers: str) -> None:
    """Exit code 0, and everything that was answered is on disk."""
    with served("shelf", tmp_path, YUNDUAN_HTTP__READERS=readers) as server, server.connect() as connection:
        begun = request("POST", "/v1/books", BOOK, authorization=BUYER, idempotency_key="last", expect="100-continue")
        connection.sendall(begun[: -len(BOOK)])
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")  # the request is in hand
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: not listens(server))
        connection.sendall(BOOK)
        assert parsed(read_all(connection))[0][0] == 200
        assert server.process.wait(20) == 0
    with sqlite3.connect(tmp_path / "yunduan.sqlite") as reader:
        assert reader.execute("SELECT title FROM book").fetchall() == [("a",)]
    reader.close()


def listens(server: Server) -> bool:
    """Whether it still takes connections."""
    try:
        server.connect().close()
    except OSError:
        return False
    return True


def test_a_failed_commit_is_answered_unknown_and_ends_the_process(tmp_path: Path, readers: str) -> None:
    """Nothing is acknowledged; whoever starts it again finds what is on disk."""
    with served("shelf", tmp_path, YUNDUAN_HTTP__READERS=readers) as server:
        assert server.ask("POST", "/v1/books", BOOK, authorization=BUYER, idempotency_key="one")[0] == 200
        (tmp_path / "fail").touch()
        failed = server.ask("POST", "/v1/books", BOOK, authorization=BUYER, idempotency_key="two")
        assert code(failed) == (503, "outcome_unknown")
        assert server.process.wait(20) == 74
    (tmp_path / "fail").unlink()
    with served("shelf", tmp_path) as server:
        assert len(json.loads(server.ask("GET", "/v1/books")[1])) == 1
        assert server.ask("POST", "/v1/books", BOOK, authorization=BUYER, idempotency_key="two")[0] == 200


def test_a_bad_setting_or_a_taken_port_is_said_at_start(tmp_path: Path, server: Server) -> None:
    """Exit codes 2 and 69."""
    arguments = [sys.executable, serving.__file__, "shelf", str(tmp_path)]
    bad = subprocess.run(arguments, env={"YUNDUAN_HTTP__PROT": "1"}, capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False)
    assert (bad.returncode, bad.stderr) == (2, "yunduan: YUNDUAN_HTTP__PROT: there is no setting 'http.prot'; did you mean 'http.port'?\n")
    environ = {"YUNDUAN_HTTP__PORT": str(server.port), "YUNDUAN_DATA": str(tmp_path)}
    taken = subprocess.run(arguments, env=environ, capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False)
    assert taken.returncode == 69
    assert "cannot_listen" in taken.stderr


def test_the_probe_is_honest(server: Server) -> None:
    """Without abuse it takes a few milliseconds, so a bound of 250 means something."""
    assert best(lambda: probe(server, 3), 100) < 100
