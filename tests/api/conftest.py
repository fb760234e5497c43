"""The toy domain's shelf behind the real web edge, in process."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from support import shelf
from support.asgi import Client
from yunduan.edges.http.app import application
from yunduan.edges.http.watching import Here
from yunduan.runtime import domain as runtime
from yunduan.runtime.settings import Settings
from yunduan.testing import World


@pytest.fixture
def books(tmp_path: Path) -> Iterator[World]:
    """A cloud that knows books alone."""
    with World.at(tmp_path, domains=(runtime.DOMAIN, shelf.DOMAIN)) as world:
        yield world


@pytest.fixture
def client(books: World) -> Client:
    """Nobody's client of it."""
    return Client(application(books.cloud, Settings(), admits=shelf.admits, watch=Here(books.cloud)), books.run)


@pytest.fixture
def loud() -> Iterator[None]:
    """Every log line is made, so that a test can look at it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    yield
    structlog.configure(**before)
