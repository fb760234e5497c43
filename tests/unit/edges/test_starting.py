"""What a start looks to before it serves."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from support.serving import served
from yunduan.edges.starting import OTHER_FILES, started
from yunduan.runtime.settings import HttpSettings, Settings


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    """The limit of open files of this process, as it was before and is again afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def warned(**http: Any) -> tuple[Settings, list[str]]:
    """The settings after a start at port 81, and of what it warned."""
    with structlog.testing.capture_logs() as logs:
        settings = started(Settings(http=HttpSettings(**http)), port=81)
    return settings, [line["event"] for line in logs]


def test_as_many_files_may_be_open_as_the_machine_allows(limits: tuple[int, int]) -> None:
    """Whatever low limit the shell has handed down."""
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert warned(connections_max=hard - OTHER_FILES)[1] == []
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    assert warned(connections_max=hard - OTHER_FILES + 1)[1] == ["too_few_open_files"]


def test_the_address_is_that_of_the_port_that_was_bound() -> None:
    """Also where the system picked it; what the settings call the cloud comes first."""
    assert warned(port=0)[0].public_url() == "http://127.0.0.1:81"
    assert warned(port=0, public_url="https://market.example")[0].public_url() == "https://market.example"


def test_a_server_tells_the_port_that_it_was_given(tmp_path: Path) -> None:
    """In the addresses that it hands out, such as that of the page on which a payer decides."""
    with served("cloud", tmp_path) as server:
        status, body = server.ask("GET", "/openapi.json")
        assert server.stop() == 0
    assert status == 200
    assert json.loads(body)["servers"] == [{"url": f"http://127.0.0.1:{server.port}"}]


def test_an_address_that_others_cannot_follow_is_warned_of() -> None:
    """When they can connect, and nobody has said by what name."""
    assert warned(host="0.0.0.0")[1] == ["public_url_not_set"]
    assert warned(host="0.0.0.0", public_url="https://market.example")[1] == []
    assert warned(host="127.0.0.1")[1] == []
