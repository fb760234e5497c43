"""What a connection is kept to, on a real socket: its heads, its bodies, what follows them, and whether anybody reads."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.serving import Server, parsed, read_all, request, served

BUYER = "Bearer buyer"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shelf, with short deadlines."""
    limits = {"HEAD_MS_MAX": "700", "BODY_MS_MAX": "700", "KEEP_ALIVE_S": "1", "STALL_MS_MAX": "1000", "HEAD_BYTES_MAX": "8192"}
    with served("shelf", tmp_path_factory.mktemp("shelf"), **{f"YUNDUAN_HTTP__{name}": value for name, value in limits.items()}) as server:
        yield server


def answers(server: Server, raw: bytes) -> list[tuple[int, bytes]]:
    """Everything that comes back until the other side hangs up."""
    with server.connect() as connection:
        connection.sendall(raw)
        return parsed(read_all(connection))


def code(answer: tuple[int, bytes]) -> tuple[int, str]:
    """The status and the code of a problem."""
    return answer[0], json.loads(answer[1])["code"]


def chunked(body: bytes, trailers: bytes = b"", **headers: str) -> bytes:
    """A change whose body comes in one piece of a length that the head does not say."""
    head = request("POST", "/v1/books", close=True, transfer_encoding="chunked", **headers).replace(b"content-length: 0\r\n", b"")
    return head + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailers)


def test_a_body_may_come_in_chunks(server: Server) -> None:
    """Its length is what came."""
    ((status, body),) = answers(server, chunked(b'{"title":"chunked"}', authorization=BUYER, idempotency_key="chunked"))
    assert (status, json.loads(body)["title"]) == (200, "chunked")


def test_what_follows_a_body_is_no_header(server: Server) -> None:
    """Whoever could put a line behind a body would otherwise be whoever the line says."""
    trailers = b"Authorization: Bearer buyer\r\nIdempotency-Key: trailing\r\n"
    (answer,) = answers(server, chunked(b'{"title":"trailing"}', trailers))
    assert code(answer) == (401, "sign_in_first")


@pytest.mark.parametrize("path", ["/v1/books", "/docs"])
def test_what_follows_a_body_has_an_end(server: Server, path: str) -> None:
    """Lines without end are cut off after a few thousand bytes, and fill no memory."""
    head = chunked(b"{}").replace(b"/v1/books", path.encode())[:-2]
    before = psutil.Process(server.process.pid).memory_info().rss
    with server.connect() as connection:
        sent = 0
        try:
            connection.sendall(head)
            while sent < 4_000_000:
                sent += connection.send(b"x-a: " + b"y" * 1000 + b"\r\n")
        except OSError:
            pass
    assert sent < 4_000_000
    assert psutil.Process(server.process.pid).memory_info().rss - before < 20_000_000


def test_garbage_behind_a_change_does_not_hide_its_answer(server: Server) -> None:
    """What was understood is answered; only then is the rest."""
    good = request("POST", "/v1/books", b'{"title":"before"}', authorization=BUYER, idempotency_key="before-garbage")
    first, second = answers(server, good + b"GARBAGE\r\n\r\n")
    assert (first[0], json.loads(first[1])["title"]) == (200, "before")
    assert code(second) == (400, "invalid_request")


def test_garbage_within_a_body_refuses_its_request(server: Server) -> None:
    """Nothing of it was understood, so nothing has begun."""
    raw = chunked(b'{"title":"spoilt"}', authorization=BUYER, idempotency_key="spoilt").replace(b"\r\n0\r\n", b"\r\nnonsense\r\n")
    (answer,) = answers(server, raw)
    assert code(answer) == (400, "invalid_request")
    assert json.loads(server.ask("GET", "/v1/books?limit=50&starts=spoilt")[1]) == []


@pytest.mark.parametrize("path", ["/v1/books", "/docs"])
@pytest.mark.parametrize(
    "headers", [b"", b"host: a\r\nhost: b\r\n", b"host: a\r\ntransfer-encoding: gzip, chunked\r\n"], ids=["none", "two", "coding"]
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(server: Server, path: str, headers: bytes) -> None:
    """RFC 9112, 3.2 and 6.1: one host, and no transfer coding that is not understood."""
    method = b"POST" if b"transfer" in headers else b"GET"
    first = answers(server, method + b" " + path.encode() + b" HTTP/1.1\r\n" + headers + b"\r\n")[0]
    assert code(first) == (400, "invalid_request")


def test_an_early_answer_is_the_only_one(server: Server) -> None:
    """Whatever else of the request is still coming."""
    body = b"x" * 60_000
    raw = request("DELETE", "/v1/books", body, authorization=BUYER)
    with server.connect() as connection:
        connection.sendall(raw[:-50_000])
        time.sleep(0.1)
        connection.sendall(raw[-50_000:])
        connection.sendall(request("GET", "/v1/books?limit=1", close=True))
        found = parsed(read_all(connection))
    assert [status for status, _ in found] == [405, 200]


def test_whoever_does_not_read_is_hung_up_on(server: Server) -> None:
    """A connection is not held by not reading; whoever reads slowly, but reads, gets everything."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", server.port))
    one = request("GET", "/openapi.json")
    deaf.sendall(one * 40)
    process = psutil.Process(server.process.pid)
    until = time.monotonic() + 10
    while time.monotonic() < until and any(it.raddr and it.raddr.port == deaf.getsockname()[1] for it in process.net_connections()):
        time.sleep(0.1)
    assert time.monotonic() < until, "the connection is still there"
    deaf.close()


def test_answers_wait_for_whoever_reads_slowly(server: Server) -> None:
    """Five hundred requests in one piece, read in small pieces: all of them answered in order, and not all kept in memory at once."""
    for n in range(50):
        book = b'{"title":"%s%02d"}' % (b"s" * 60, n)
        assert server.ask("POST", "/v1/books", book, authorization=BUYER, idempotency_key=f"slow-{n}")[0] == 200
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.settimeout(20)
        pieces = [request("GET", "/v1/books?limit=50&starts=sss", close=n == 499) for n in range(500)]
        before = psutil.Process(server.process.pid).memory_info().rss
        slow.sendall(b"".join(pieces))
        time.sleep(0.3)
        assert psutil.Process(server.process.pid).memory_info().rss - before < 20 * resource.getpagesize() * 256
        found = parsed(read_all(slow))
    assert [status for status, _ in found] == [200] * 500
    assert {len(json.loads(body)) for _, body in found} == {len(json.loads(server.ask("GET", "/v1/books?limit=50&starts=sss")[1]))}


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/health/live", "/metrics"])
def test_head_is_get_without_the_body_for_pages_too(server: Server, path: str) -> None:
    """Whoever checks the health of many asks by HEAD."""
    with server.connect() as connection:
        connection.sendall(request("HEAD", path, close=True))
        raw = read_all(connection)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) > 0
    assert body == b""


def test_what_no_route_has_is_counted(server: Server) -> None:
    """A flood of what is not there is seen."""
    for _ in range(3):
        assert server.ask("GET", "/v1/nowhere")[0] == 404
    lines = server.ask("GET", "/metrics")[1].decode().splitlines()
    (line,) = [
        line for line in lines if line.startswith("yunduan_requests_total{") and 'route="elsewhere"' in line and 'status="404"' in line
    ]
    assert float(line.rpartition(" ")[2]) >= 3


def test_a_proxy_that_is_trusted_says_who_asks(tmp_path: Path) -> None:
    """By the last address that no trusted proxy has added; without trust the header is nothing."""
    believed = {"YUNDUAN_HTTP__TRUSTED_PROXIES": "127.0.0.1", "YUNDUAN_SANDBOX__ENABLED": "true"}
    for trusted, origin in (({}, "127.0.0.1"), (believed, "198.51.100.7")):
        with served("shelf", tmp_path / origin, **trusted) as server:
            found = server.ask("GET", "/v1/whence", x_forwarded_for="203.0.113.9, 198.51.100.7")
            assert found == (200, json.dumps(origin).encode())
