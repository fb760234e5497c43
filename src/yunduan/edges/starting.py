"""What a start looks to before it serves: who may come, that it may hold as many connections as it shall, that it knows its address."""

import resource

import structlog
from msgspec.structs import replace

from yunduan.runtime.settings import HttpSettings, Settings, SettingsError

log = structlog.get_logger(__name__)
OTHER_FILES = 128
"""What is open beside the connections of callers: stores, keys, logs, the operator's way in; about forty, and room for more."""


def started(settings: Settings, *, port: int) -> Settings:
    """The settings as they are once a port is bound; lets the process open as many files as it may, and warns of what will not do."""
    allowed, wanted = let_open_files(), files_wanted(settings.http)
    if allowed < wanted:
        log.warning("too_few_open_files", allowed=allowed, wanted=wanted, why="callers are turned away before http.connections_max")
    settings = replace(settings, http=replace(settings.http, port=port))
    if is_unreachable(settings.http):
        log.warning("public_url_not_set", url=settings.public_url(), why="nobody on another machine can follow it: set http.public_url")
    return settings


def warn_of_strangers(settings: Settings) -> None:
    """Raise `SettingsError` where money would be given away by nobody's decision; say aloud what somebody has decided."""
    found = settings.open_to_strangers()
    if settings.sandbox.enabled is None and "sandbox.enabled" in found:
        raise SettingsError(
            f"sandbox.enabled must be said, true or false: others than this machine may come, and {found['sandbox.enabled']}"
        )
    for setting, what in found.items():
        log.critical("open_to_strangers", setting=setting, why=f"others than this machine may come, and {what}")


def let_open_files() -> int:
    """Raise this process's limit of open files, which is low for the sake of old programs, as far as it may; answers the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def files_wanted(http: HttpSettings) -> int:
    """How many files are open when as many callers are connected as may be."""
    return http.connections_max + OTHER_FILES


def is_unreachable(http: HttpSettings) -> bool:
    """Whether others can connect, and the addresses that they are given lead nowhere but to this machine."""
    return http.listens_everywhere() and not http.public_url
