"""Structured logs: lines for people or for machines, without anybody's phone, e-mail or token in them."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from yunduan.runtime.settings import LogSettings

HIDDEN = "[hidden]"
_PERSONAL = re.compile(
    r"[^\s@\"'=<>(),:;\[\]{}\\]+@[^\s@\"'=<>(),:;\[\]{}\\]+\.\w+"  # e-mail
    r"|(?<![\w.])\+\d[\d ()-]{5,20}\d(?!\w)"  # E.164, however it is spaced
    r"|(?<![\w.+])1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\w|\.\d)"  # a Chinese mobile number without its country
    r"|(?<=Bearer )\S+"
)


def without_personal_data(text: str) -> str:
    """The text, with what looks like a phone number, an e-mail address or a token hidden: the last line of defence."""
    return _PERSONAL.sub(HIDDEN, text)


def _hide(value: Any) -> Any:
    if isinstance(value, str):
        return without_personal_data(value)
    if isinstance(value, dict):
        return {_hide(key): _hide(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_hide(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return without_personal_data(str(value))


def _hide_all(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    kept = {name: value for name, value in event.items() if name.startswith("_")}
    return {name: _hide(value) for name, value in event.items() if not name.startswith("_")} | kept


def configure_logs(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Send every log line of the process, libraries' included, to standard error in the form that the settings ask for."""
    stream = stream or sys.stderr
    level = getattr(logging, settings.level.upper())
    plain = structlog.dev.plain_traceback
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _hide_all,
    ]
    wrap = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            wrap,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "litestar"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = name != "uvicorn.access"
