"""Logs: one line each, in the form that was asked for, without anybody's phone, e-mail or token."""

import io
import json
import logging

import pytest
import structlog

from yunduan.edges.logs import HIDDEN, configure_logs, without_personal_data
from yunduan.runtime.settings import LogSettings

PERSONAL = ["+8613812345678", "+86 138 1234 5678", "13812345678", "138-1234-5678", "+14155552671", "mei.lin+shop@example.com", "a@b.cn"]
PLAIN = [
    "ord_01a10c3e5f00000a1b2c3d4e5f",
    "1790000000000",
    "1999 CNY",
    "2026-09-21T14:13:20.123456Z",
    "0.138123456789",
    "POST /v1/orders/{order_id}",
    "127.0.0.1:8000",
]


@pytest.fixture(autouse=True)
def _as_before():
    root = logging.getLogger()
    before, config = (root.handlers[:], root.level), structlog.get_config()
    yield
    root.handlers[:], root.level = before
    structlog.configure(**config)


@pytest.mark.parametrize("marker", PERSONAL)
def test_what_is_personal_is_hidden(marker: str) -> None:
    """Wherever it stands in a text."""
    for text in (marker, f"to {marker}.", f"contact={marker!r}", f'{{"contact":"{marker}"}}', f"({marker})"):
        assert marker not in without_personal_data(text)
        assert HIDDEN in without_personal_data(text)


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_not_personal_stays(text: str) -> None:
    """Ids, times, sums and addresses of machines."""
    assert without_personal_data(text) == text


def test_a_token_is_hidden() -> None:
    """Whatever it is made of."""
    assert without_personal_data("authorization: Bearer abc.DEF-123") == f"authorization: Bearer {HIDDEN}"


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_marker_reaches_a_line(form: str) -> None:
    """Not by a field, a nested one, a key, an exception's text, a library's logger or its arguments."""
    stream = io.StringIO()
    configure_logs(LogSettings(format=form), stream=stream)
    log = structlog.get_logger("yunduan.test")
    for marker in PERSONAL:
        log.info("event", one=marker, two={"in": [marker, (marker,)]}, three={marker: 1}, four=ValueError(marker), five={marker})
        log.info("said by %s", marker)
        logging.getLogger("uvicorn.error").warning("from %s", marker)
        logging.getLogger("litestar").error("it is %(who)s", {"who": marker})
        try:
            raise ValueError(f"bad contact {marker}")
        except ValueError:
            log.exception("failed")
            logging.getLogger("asyncio").exception("failed")
    written = stream.getvalue()
    for marker in PERSONAL:
        assert marker not in written
    assert written.count(f"ValueError: bad contact {HIDDEN}") == 2 * len(PERSONAL)


def test_json_is_one_object_a_line_and_the_level_holds() -> None:
    """With the time, the level and who says it."""
    stream = io.StringIO()
    configure_logs(LogSettings(format="json", level="warning"), stream=stream)
    structlog.get_logger("yunduan.test").info("unseen")
    structlog.get_logger("yunduan.test").warning("seen", order="ord_1", text="云")
    logging.getLogger("uvicorn.access").info("GET /secret")
    (line,) = stream.getvalue().splitlines()
    said = json.loads(line)
    assert (said["event"], said["order"], said["text"], said["level"], said["logger"]) == ("seen", "ord_1", "云", "warning", "yunduan.test")
    assert said["timestamp"].endswith("Z")
