"""The keys that personal data is sealed under, in a file of their own, so that losing a key erases a person everywhere.

A key is made when it is first needed, waits in memory, and is on disk before the commit that uses it (`make_durable`); it is read
once and then remembered. Losing one (`destroy`) is on disk at once, and final: a mark stays in its place, and what is sealed for
that person from then on is sealed under a key that nobody keeps. Three threads come here: the one that carries out commands, the
one that commits, the one that answers long queries. `_memory` guards what is remembered and the connection that reads; `_disk`,
taken first where both are, the connection that writes.

    sealed = version (1) | mark of the key (4) | nonce (12) | AES-256-GCM of the text, bound to the person's id
"""

import base64
import os
import threading
from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yunduan.kernel.ids import PersonId, SessionId
from yunduan.kernel.refusals import BrokenError, FaultError, UnknownOutcomeError, invariant
from yunduan.runtime.clock import Entropy, SystemEntropy
from yunduan.runtime.ports import StoreRefusedError

log = structlog.get_logger(__name__)
VERSION = b"\x01"
KEY_BYTES, MARK_BYTES, NONCE_BYTES, TAG_BYTES = 32, 4, 12, 16
HASH_BYTES = 16
KEYS_REMEMBERED = 50_000
FOLD_PAGES = 1_000
"""How far the log of keys grows, in pages of 4 KiB, before it is copied into the file."""
READERS_WAIT_MS = 1_000
"""How long a destroyed key waits for those who still read an older state of the file, such as a copy that is being made."""
_HEAD_BYTES = 1 + MARK_BYTES
_BODY_AT = _HEAD_BYTES + NONCE_BYTES
_INTO_WAL = ("synchronous=EXTRA", "journal_mode=WAL")
"""With FULL the rollback journal of this one change could come back after a power loss, and undo what the log holds by then."""
_PRAGMAS = ("synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY", "mmap_size=0", "cache_size=-2048", "wal_autocheckpoint=0")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS secret (name TEXT NOT NULL PRIMARY KEY, secret BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS person_key (person TEXT NOT NULL PRIMARY KEY, secret BLOB) STRICT, WITHOUT ROWID",
)
_SECRETS = ("lookup", "token")
_KEEP = "INSERT INTO person_key (person, secret) VALUES (?, ?) ON CONFLICT (person) DO NOTHING"
_LOSE = "INSERT INTO person_key (person, secret) VALUES (?, NULL) ON CONFLICT (person) DO UPDATE SET secret = NULL"
_FIND = "SELECT secret FROM person_key WHERE person = ?"


class _Key(NamedTuple):
    """A person's key, ready for use; `head` is what begins everything sealed under it."""

    secret: bytes
    cipher: AESGCM
    head: bytes


def _key(secret: bytes) -> _Key:
    mark = blake2b(secret, digest_size=MARK_BYTES, person=b"key mark").digest()
    return _Key(secret, AESGCM(secret), VERSION + mark)


class FileVault:
    """Keeps each person's key, and the secrets of keyed hashes and tokens, in one SQLite file that only its owner may read."""

    def __init__(self, path: Path, *, entropy: Entropy | None = None, keys_remembered: int = KEYS_REMEMBERED, vfs: str = "") -> None:
        """Open the file, or begin it with new secrets; `entropy` other than the system's is for replays alone.

        When this returns, every key that can be read is on disk: one that a killed process had not synced yet must not be used.
        """
        self.path = path
        self._vfs = vfs
        self._entropy = entropy or SystemEntropy()
        self._remembered_max = keys_remembered
        self._memory = threading.Lock()
        self._disk = threading.Lock()
        self._known: OrderedDict[PersonId, _Key | None] = OrderedDict()
        self._new: dict[PersonId, _Key] = {}
        self._on_the_way: dict[PersonId, _Key] = {}
        _make_private(path)
        try:
            self._writing = _opened(path, vfs)
            self._pages = self._folded = 0
            self._writing.set_wal_hook(self._note_pages)  # replaces the automatic checkpoint, which hides its errors
            try:
                if not self._empty_log():
                    self._sync_log()
                secrets = self._secrets()
                self._reading = _opened(path, vfs)
            except BaseException:
                self._writing.close()
                raise
        except apsw.Error as error:
            raise StoreRefusedError(f"{path} cannot be opened: {error}") from error
        self._lookup_secret, self._token_secret = secrets["lookup"], secrets["token"]
        self._lookup_secrets: dict[str, bytes] = {}

    def _secrets(self) -> dict[str, bytes]:
        """The secrets of the file; they are made once, together, and never change."""
        with self._writing:
            for statement in _SCHEMA:
                self._writing.execute(statement)
            rows: Any = self._writing.execute("SELECT name, secret FROM secret").fetchall()
            found: dict[str, bytes] = dict(rows)
            if not found:
                found = {name: self._entropy.bytes(KEY_BYTES) for name in _SECRETS}
                self._writing.executemany("INSERT INTO secret (name, secret) VALUES (?, ?)", list(found.items()))
        if set(found) != set(_SECRETS):
            raise StoreRefusedError(f"{self.path} does not hold the secrets of this program")
        return found

    # What domains use

    def seal(self, person: PersonId, text: str) -> bytes:
        """Close a text so that only this person's key opens it; for an erased person, so that nothing ever does."""
        with self._memory:
            key = self._find(person, make=True) or _key(self._entropy.bytes(KEY_BYTES))
            nonce = self._entropy.bytes(NONCE_BYTES)
        return key.head + nonce + key.cipher.encrypt(nonce, text.encode(), person.encode())

    def unseal(self, person: PersonId, sealed: bytes) -> str | None:
        """The text; nothing once the key is destroyed. Raises `BrokenError` for what was tampered with or is another person's."""
        with self._memory:
            key = self._find(person, make=False)
        invariant(len(sealed) >= _BODY_AT + TAG_BYTES and sealed[:1] == VERSION, "what is unsealed was sealed")
        if key is None or not sealed.startswith(key.head):
            return None  # destroyed, or sealed under a key that was lost or never kept
        try:
            return key.cipher.decrypt(sealed[_HEAD_BYTES:_BODY_AT], sealed[_BODY_AT:], person.encode()).decode()
        except InvalidTag:
            raise BrokenError("a seal was tampered with") from None

    def lookup(self, kind: str, text: str) -> bytes:
        """A keyed hash of 16 bytes; each kind has a secret of its own, so that hashes of two kinds cannot be compared."""
        secret = self._lookup_secrets.get(kind)
        if secret is None:
            secret = blake2b(kind.encode(), key=self._lookup_secret, digest_size=KEY_BYTES).digest()
            self._lookup_secrets[kind] = secret
        return blake2b(text.encode(), key=secret, digest_size=HASH_BYTES).digest()

    def token(self, session: SessionId) -> str:
        """The bearer token of a session: 256 bits that only this file's secret makes of its id."""
        mac = blake2b(session.encode(), key=self._token_secret, digest_size=32).digest()
        return "yds_" + base64.urlsafe_b64encode(mac).decode().rstrip("=")

    def destroy(self, person: PersonId) -> None:
        """Lose a person's key for good; on disk, and nowhere else, when it returns.

        Raises `FaultError` when somebody who reads keeps a copy of it in the log: it opens nothing any more, and has to be
        destroyed again until it is gone.
        """
        with self._disk, self._memory:
            self._new.pop(person, None)
            self._on_the_way.pop(person, None)
            try:
                self._writing.execute(_LOSE, (person,))
                is_gone = self._empty_log()
            except apsw.Error as error:
                raise FaultError(f"a key could not be destroyed: {error}") from error
            finally:
                self._known.pop(person, None)
        if not is_gone:
            raise FaultError("a destroyed key is still in the log: somebody else reads the keys")

    def make_durable(self) -> None:
        """Return when every key made so far is on disk; raises `UnknownOutcomeError` when that cannot be told."""
        if not self._new:
            return
        with self._disk:
            with self._memory:
                self._on_the_way, self._new = self._new, {}
                rows = [(person, key.secret) for person, key in self._on_the_way.items()]
            try:
                with self._writing:
                    self._writing.executemany(_KEEP, rows)
                self._fold_log()
            except apsw.Error as error:
                raise UnknownOutcomeError(f"keys could not be written: {error}") from error
            with self._memory:
                self._on_the_way = {}

    # What the composition root uses

    def backup(self, target: Path) -> None:
        """Write a consistent copy that only its owner may read. Keep it apart from copies of the data, and for less long."""
        _make_private(target)
        copier = _opened(self.path, self._vfs)
        try:
            copier.execute("VACUUM INTO ?", (str(target),))
        finally:
            copier.close()
        for place in (target, target.parent):
            descriptor = os.open(place, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def mark(self) -> bytes:
        """What tells this file's secrets from any other's, and nothing about them: to see whether a store and its keys belong together."""
        return self.lookup("mark", "")

    def close(self) -> None:
        """Let go of the file."""
        with self._disk, self._memory:
            self._reading.close()
            self._writing.close()

    # Inside; `_memory` is held

    def _find(self, person: PersonId, *, make: bool) -> _Key | None:
        """A person's key; nothing when it was destroyed, or never made and not to be."""
        if person in self._known:
            self._known.move_to_end(person)
            return self._known[person]
        key = self._new.get(person) or self._on_the_way.get(person)
        if key is None:
            try:
                row = self._reading.execute(_FIND, (person,)).fetchone()
            except apsw.Error as error:
                raise FaultError(f"a key could not be read: {error}") from error
            if row is None and not make:
                return None
            if row is None:
                key = self._new[person] = _key(self._entropy.bytes(KEY_BYTES))
            elif row[0] is not None:
                key = _key(row[0])
        self._known[person] = key
        if len(self._known) > self._remembered_max:
            self._known.popitem(last=False)
        return key

    def _empty_log(self) -> bool:
        """Leave no copy of a lost key in the log; false when somebody else reads. The one reader of ours is held back by `_memory`."""
        busy, _, _ = self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
        if not busy:
            self._pages = self._folded = 0
        return not busy

    def _sync_log(self) -> None:
        """Where somebody who reads is in the way of emptying it, a commit that changes nothing puts the whole log on the disk."""
        ((version,),) = self._writing.execute("PRAGMA user_version").fetchall()
        self._writing.execute(f"PRAGMA user_version = {version}").fetchall()

    def _note_pages(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _fold_log(self) -> None:
        """Copy the log into the file when it has grown, as far as nobody reads what was before; any error is the caller's to die of."""
        self._folded = min(self._folded, self._pages)  # it has been begun anew
        if self._pages - self._folded >= FOLD_PAGES:
            self._writing.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._folded = self._pages


def _make_private(path: Path) -> None:
    """Make the file if need be; others may not read it, nor what SQLite puts beside it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if path.stat().st_mode & 0o077:
        log.warning("keys_were_readable", path=path.name, why="others than the owner could read the keys; the file is private again")
        path.chmod(0o600)


def _opened(path: Path, vfs: str) -> apsw.Connection:
    connection = apsw.Connection(str(path), vfs=vfs or None)
    try:
        for pragma in (*_INTO_WAL, *_PRAGMAS):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    connection.set_busy_timeout(READERS_WAIT_MS)
    return connection
