"""A throw-away PostgreSQL cluster, run as an unprivileged user in a folder of its own, with nothing switched off."""

import contextlib
import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

PACKAGE = "postgresql-15"
NEEDED = ("initdb", "postgres")
LISTS = Path("/var/lib/apt/lists")
"""What apt-get knows of packages; empty on a machine that has just been made."""
START_S_MAX = 60.0
_CONFIG = """
listen_addresses = ''
max_connections = 80
shared_buffers = 64MB
max_wal_size = 256MB
fsync = on
full_page_writes = on
synchronous_commit = on
autovacuum_naptime = 10s
logging_collector = off
"""


class PostgresqlMissingError(Exception):
    """There is no PostgreSQL 15 here, and it may not be installed."""


def binaries() -> Path:
    """The folder with the server's own programs; installs Debian's package where that is allowed."""
    found, said = _found(), ""
    if found is None and _may_install():
        with _alone():  # tests run in several processes, and apt-get fails where another one runs
            found = _found()
            if found is None:
                said = _install()
                found = _found()
    if found is None:
        raise PostgresqlMissingError(f"PostgreSQL 15 or newer is not installed (Debian: {PACKAGE}): what needs it is skipped{said}")
    return found


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / f"install-{PACKAGE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install() -> str:
    """Install the package; answers what went wrong, for whoever reads why tests were skipped."""
    if not list(LISTS.glob("*_Packages*")):
        _apt_get("update", "-q")
    done = _apt_get("install", "-y", "-q", "--no-install-recommends", PACKAGE)
    return "" if done.returncode == 0 else f"; it could not be installed: {done.stderr.strip()[-500:]}"


def _apt_get(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(["apt-get", *arguments], env=environment, check=False, capture_output=True, text=True)


def _found() -> Path | None:
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    config = shutil.which("pg_config")
    if config:
        folders.append(Path(subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip()))
    fit = [(version, folder) for folder in folders if (version := _version(folder)) >= 15]
    return max(fit)[1] if fit else None


def _version(folder: Path) -> int:
    if not all((folder / name).is_file() for name in NEEDED):
        return 0
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)", said)
    return int(found[1]) if found else 0


def _may_install() -> bool:
    allowed = os.environ.get("TESTS_INSTALL", "1") != "0"
    return allowed and os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


class Cluster:
    """One server, reached by a socket in its folder; every test makes a schema of its own."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make and start it."""
        self._binaries = binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="yd-pg-", dir=folder))
        self._user = self._unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._schemas = 0
        self.dsn = f"host={self._folder} dbname=postgres user=yunduan"
        try:
            self._own("initdb", "-D", "data", "-U", "yunduan", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
            (self._folder / "data" / "postgresql.auto.conf").write_text(_CONFIG)
            self.start()
        except BaseException:
            self.stop()
            raise

    def _unprivileged(self) -> dict[str, object]:
        if os.geteuid() != 0:
            return {}
        names = [name for name in ("postgres", "nobody") if _is_user(name)]
        user = pwd.getpwnam(names[0])
        os.chown(self._folder, user.pw_uid, user.pw_gid)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def _own(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True, **self._user)  # type: ignore[call-overload]

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [str(self._binaries / "postgres"), "-D", "data", "-k", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True, **self._user)  # type: ignore[call-overload]
        until = time.monotonic() + START_S_MAX
        while True:
            try:
                psycopg.connect(self.dsn).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self._folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)

    @property
    def pid(self) -> int:
        """The server's process, whose children serve connections."""
        assert self._process is not None
        return self._process.pid

    @property
    def folder(self) -> Path:
        """Where its socket and data are."""
        return self._folder

    def crash(self) -> None:
        """End the server at once, without a checkpoint: the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """End the server, by its own process, and throw everything away."""
        self._end(signal.SIGINT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
        self._process = None

    def schema(self) -> str:
        """A name that no other test uses."""
        self._schemas += 1
        return f"world_{self._schemas}"

    def run(self, sql: str) -> list[tuple[object, ...]]:
        """Run a statement as the operator would, beside everything else."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def drop(self, schema: str) -> None:
        """Throw a schema away; a test that has left a transaction open is told so, and does not hang."""
        self.run(f"SET client_min_messages = warning; SET lock_timeout = '20s'; DROP SCHEMA IF EXISTS {schema} CASCADE")


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
