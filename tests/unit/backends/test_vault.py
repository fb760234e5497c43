"""The vault: keys durable before use, destroyed for good, safe under threads, the same under a seed."""

import contextlib
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from yunduan.backends.vault import FOLD_PAGES, FileVault
from yunduan.domains.identity.model import Vault
from yunduan.kernel.ids import PersonId, SessionId
from yunduan.kernel.refusals import BrokenError, FaultError, UnknownOutcomeError
from yunduan.runtime.clock import SeededEntropy
from yunduan.runtime.ports import StoreRefusedError
from yunduan.testing.disk import Disk, RecordingVfs

MEI, WEI = PersonId("per_mei"), PersonId("per_wei")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[FileVault]:
    """A new vault."""
    vault = FileVault(tmp_path / "keys.sqlite")
    yield vault
    vault.close()


def _again(vault: FileVault) -> FileVault:
    """The same file as a process after a crash finds it: what was only in memory is gone."""
    return FileVault(vault.path)


def test_what_is_sealed_opens_for_that_person_alone(vault: FileVault) -> None:
    """Never twice the same bytes; another's seal, moved over, is a broken program or nothing, never a text."""
    is_one: Vault = vault
    first, second = is_one.seal(MEI, "杭州"), is_one.seal(MEI, "杭州")
    assert first != second
    assert "杭州".encode() not in first
    assert vault.unseal(MEI, first) == vault.unseal(MEI, second) == "杭州"
    vault.seal(WEI, "x")
    assert vault.unseal(WEI, first) is None
    assert vault.unseal(PersonId("per_nobody"), first) is None
    assert vault.unseal(MEI, vault.seal(MEI, "")) == ""


def test_a_seal_that_was_tampered_with_is_a_broken_program(vault: FileVault) -> None:
    """Any bit of nonce or text; what is no seal at all, too. A foreign key's mark is a lost key."""
    sealed = vault.seal(MEI, "secret")
    for place in range(5, len(sealed)):
        forged = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(BrokenError):
            vault.unseal(MEI, forged)
    for nothing in (b"", b"\x01", sealed[:32], b"\x02" + sealed[1:]):
        with pytest.raises(BrokenError):
            vault.unseal(MEI, nothing)
    assert vault.unseal(MEI, sealed[:1] + b"\0\0\0\0" + sealed[5:]) is None


def test_a_key_is_on_disk_before_the_commit_that_uses_it_and_not_earlier(vault: FileVault) -> None:
    """`make_durable` is what makes it so."""
    sealed = vault.seal(MEI, "secret")
    assert _again(vault).unseal(MEI, sealed) is None
    vault.make_durable()
    assert _again(vault).unseal(MEI, sealed) == "secret"
    vault.make_durable()


def test_a_destroyed_key_is_gone_for_good_and_from_every_file(vault: FileVault, tmp_path: Path) -> None:
    """After a restart too; and nothing that is sealed later ever opens."""
    kept, lost = vault.seal(WEI, "kept"), vault.seal(MEI, "lost")
    secret = vault._known[MEI].secret  # type: ignore[union-attr]
    vault.make_durable()
    assert any(secret in file.read_bytes() for file in tmp_path.iterdir())
    vault.destroy(MEI)
    assert not any(secret in file.read_bytes() for file in tmp_path.iterdir())
    for opened in (vault, _again(vault)):
        assert opened.unseal(MEI, lost) is None
        assert opened.unseal(MEI, opened.seal(MEI, "later")) is None
        assert opened.unseal(WEI, kept) == "kept"
        opened.make_durable()
    vault.destroy(MEI)
    assert _again(vault).unseal(MEI, lost) is None


def test_no_bytes_of_destroyed_keys_are_left_in_free_pages(vault: FileVault, tmp_path: Path) -> None:
    """Among the keys of hundreds, wherever the pages split and join."""
    people = [PersonId(f"per_{n * 7919 % 300:04d}") for n in range(300)]
    for person in people:
        vault.seal(person, "x")
        if person.endswith("0"):
            vault.make_durable()
    vault.make_durable()
    secrets = {person: vault._known[person].secret for person in people}  # type: ignore[union-attr]
    for person in people[:30]:
        vault.destroy(person)
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert [secrets[person] in raw for person in people] == [False] * 30 + [True] * 270


def test_a_key_that_was_never_written_is_destroyed_too(vault: FileVault) -> None:
    """Nor does a later flush bring it back."""
    sealed = vault.seal(MEI, "lost")
    vault.destroy(MEI)
    assert vault.unseal(MEI, sealed) is None
    vault.make_durable()
    assert vault.unseal(MEI, sealed) is None
    assert _again(vault).unseal(MEI, sealed) is None


def test_somebody_may_be_destroyed_before_they_have_a_key(vault: FileVault) -> None:
    """The mark comes first; no key is ever made."""
    vault.destroy(MEI)
    assert vault.unseal(MEI, vault.seal(MEI, "x")) is None
    vault.make_durable()
    assert _again(vault)._reading.execute("SELECT count(*) FROM person_key WHERE secret IS NOT NULL").get == 0


class Beside(threading.Thread):
    """Does something again and again beside the test, and keeps what went wrong."""

    def __init__(self, work: Callable[[], None]) -> None:
        """Begin at once."""
        super().__init__()
        self.error: BaseException | None = None
        self._work = work
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        """Work until the end."""
        try:
            while not self._ended.wait(0.0001):
                self._work()
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        """Stop, and say what went wrong."""
        self._ended.set()
        self.join()
        assert self.error is None


def test_destroying_and_flushing_at_once_never_brings_a_key_back(tmp_path: Path) -> None:
    """One thread seals and destroys, one flushes, one reads: four hundred people, half of them erased."""
    vault = FileVault(tmp_path / "keys.sqlite", keys_remembered=16)
    people = [PersonId(f"per_{n}") for n in range(400)]
    sealed: dict[PersonId, bytes] = {}

    def read() -> None:
        for person in list(sealed)[-8:]:
            assert vault.unseal(person, sealed[person]) in (None, person)

    beside = Beside(vault.make_durable), Beside(read)
    for n, person in enumerate(people):
        sealed[person] = vault.seal(person, person)
        if n % 4 == 3:
            vault.destroy(people[n - 1])
            vault.destroy(person)
    for thread in beside:
        thread.end()
    vault.make_durable()
    left = [None if n % 4 >= 2 else person for n, person in enumerate(people)]
    for opened in (vault, _again(vault)):
        assert [opened.unseal(person, sealed[person]) for person in people] == left
    vault.close()


def test_more_people_than_are_remembered_are_read_from_the_file(tmp_path: Path) -> None:
    """What is forgotten before it is on disk is not lost either."""
    vault = FileVault(tmp_path / "keys.sqlite", keys_remembered=2)
    people = [PersonId(f"per_{n}") for n in range(10)]
    sealed = {person: vault.seal(person, person) for person in people}
    assert [vault.unseal(person, sealed[person]) for person in people] == people
    vault.make_durable()
    assert [vault.unseal(person, sealed[person]) for person in people] == people
    assert len(vault._known) == 2
    vault.close()


def test_a_key_on_its_way_to_the_disk_is_the_key(tmp_path: Path) -> None:
    """A commit is out, its key forgotten: the same person is sealed under the same key."""
    vault = FileVault(tmp_path / "keys.sqlite", keys_remembered=1)
    sealed = vault.seal(MEI, "first")
    vault._on_the_way, vault._new = vault._new, {}  # as `make_durable` does while it waits for the disk
    vault.seal(WEI, "x")
    assert vault.unseal(MEI, vault.seal(MEI, "second")) == "second"
    assert vault.unseal(MEI, sealed) == "first"
    vault.close()


def make_keys(vault: FileVault, count: int) -> None:
    """So many people, each with a commit of their own."""
    for number in range(count):
        vault.seal(PersonId(f"per_{number}"), "x")
        vault.make_durable()


class Struck:
    """A disk that fails at one kind of access to one file, once it is told to."""

    def __init__(self, what: str, name: str) -> None:
        """All is well at first."""
        self.aim = (what, name)
        self.is_armed = False

    def strike(self, what: str, name: str) -> None:
        """Fail, if this is it."""
        if self.is_armed and (what, name) == self.aim:
            raise apsw.IOError("injected")


def test_a_log_of_keys_that_cannot_be_folded_is_fatal(tmp_path: Path) -> None:
    """SQLite's own checkpoint would hide that the file could not be synced, and go on: it is off."""
    struck = Struck("sync", "keys.sqlite")
    vfs = RecordingVfs("folded", Disk(), strike=struck.strike, sync=False)
    vault = FileVault(tmp_path / "keys.sqlite", vfs=vfs.name)
    assert [connection.execute("PRAGMA wal_autocheckpoint").get for connection in (vault._writing, vault._reading)] == [0, 0]
    struck.is_armed = True
    with pytest.raises(UnknownOutcomeError, match="keys could not be written"):
        make_keys(vault, 2 * FOLD_PAGES)
    assert len(vault._known) > 100, "keys are durable without a sync of the file itself, until the log has grown"
    vfs.dead = True
    vault.close()
    vfs.unregister()


def test_the_log_of_keys_stays_small(tmp_path: Path) -> None:
    """However many are made: what has been folded is written over."""
    vfs = RecordingVfs("small", Disk(), sync=False)
    vault = FileVault(tmp_path / "keys.sqlite", vfs=vfs.name)
    make_keys(vault, 3 * FOLD_PAGES)
    assert (tmp_path / "keys.sqlite-wal").stat().st_size < 2 * FOLD_PAGES * 4096
    vfs.dead = True
    vault.close()
    vfs.unregister()


@contextlib.contextmanager
def somebody_reads(path: Path) -> Iterator[None]:
    """Another process holds on to the keys as they are now, as one that copies them does."""
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM person_key").fetchall()
    yield
    reader.close()


def test_a_start_puts_the_keys_that_it_reads_on_the_disk_though_somebody_reads(tmp_path: Path) -> None:
    """A process was killed between writing a key and syncing it: the next one uses the key, so a power loss must not take it."""
    disk, path = Disk(), tmp_path / "keys.sqlite"
    first = RecordingVfs("killed", disk, sync=False)
    killed = FileVault(path, vfs=first.name)
    killed._empty_log()
    with somebody_reads(path):
        killed._writing.execute("PRAGMA synchronous=OFF")
        sealed = killed.seal(MEI, "secret")
        killed.make_durable()
        assert disk.unsynced() > 0
        first.dead = True
        killed.close()
        second = RecordingVfs("next", disk, sync=False)
        vault = FileVault(path, vfs=second.name)
        assert vault.unseal(MEI, sealed) == "secret"
        disk.for_certain().put_into(tmp_path / "after")
        second.dead = True
        vault.close()
    after = FileVault(tmp_path / "after" / "keys.sqlite")
    assert after.unseal(MEI, sealed) == "secret"
    after.close()
    first.unregister()
    second.unregister()


def test_a_key_is_not_called_destroyed_while_somebody_keeps_it_in_the_log(vault: FileVault, tmp_path: Path) -> None:
    """It opens nothing from the first try on, and it is a fault until a try finds nobody reading any more."""
    sealed = vault.seal(MEI, "lost")
    secret = vault._known[MEI].secret  # type: ignore[union-attr]
    vault.make_durable()
    vault._writing.set_busy_timeout(1)
    with somebody_reads(vault.path):
        for _ in range(2):
            with pytest.raises(FaultError, match="still in the log"):
                vault.destroy(MEI)
            assert vault.unseal(MEI, sealed) is None
    vault.destroy(MEI)
    assert not any(secret in file.read_bytes() for file in tmp_path.iterdir())


def test_hashes_and_tokens_are_the_files_own(vault: FileVault, tmp_path: Path) -> None:
    """The same after a restart, different in another file, by kind and by text."""
    other = FileVault(tmp_path / "other.sqlite")
    phone = vault.lookup("phone", "+8613812345678")
    assert len(phone) == 16
    assert phone == vault.lookup("phone", "+8613812345678") == _again(vault).lookup("phone", "+8613812345678")
    assert (
        len(
            {
                phone,
                vault.lookup("email", "+8613812345678"),
                vault.lookup("phone", "+8613812345679"),
                other.lookup("phone", "+8613812345678"),
            }
        )
        == 4
    )
    token = vault.token(SessionId("ses_1"))
    assert token == _again(vault).token(SessionId("ses_1"))
    assert len({token, vault.token(SessionId("ses_2")), other.token(SessionId("ses_1")), vault.token(SessionId(""))}) == 4
    assert vault.mark() == _again(vault).mark() != other.mark()
    other.close()


def test_only_the_owner_may_read_the_files(vault: FileVault, tmp_path: Path) -> None:
    """What SQLite puts beside them too; a file that was opened to others is closed again."""
    vault.seal(MEI, "x")
    vault.make_durable()
    assert {file.name for file in tmp_path.iterdir()} == {"keys.sqlite", "keys.sqlite-wal", "keys.sqlite-shm"}
    assert [stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()] == [0o600] * 3
    vault.path.chmod(0o644)
    _again(vault).close()
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600


def test_a_backup_opens_what_was_sealed_before_it(vault: FileVault, tmp_path: Path) -> None:
    """It is private as well, and belongs to the same store."""
    sealed = vault.seal(MEI, "kept")
    vault.make_durable()
    vault.backup(tmp_path / "copy.sqlite")
    assert stat.S_IMODE((tmp_path / "copy.sqlite").stat().st_mode) == 0o600
    copy = FileVault(tmp_path / "copy.sqlite")
    assert copy.unseal(MEI, sealed) == "kept"
    assert copy.mark() == vault.mark()
    copy.close()


def test_what_is_no_vault_is_refused(tmp_path: Path) -> None:
    """Never silently begun anew."""
    (tmp_path / "noise").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(StoreRefusedError):
        FileVault(tmp_path / "noise")
    half = FileVault(tmp_path / "half")
    half.close()
    with apsw.Connection(str(tmp_path / "half")) as connection:
        connection.execute("DELETE FROM secret WHERE name = 'token'")
    connection.close()
    with pytest.raises(StoreRefusedError):
        FileVault(tmp_path / "half")


def test_a_seed_replays_every_byte(tmp_path: Path) -> None:
    """Keys, nonces, hashes and tokens are a function of it."""

    def story(name: str, seed: int) -> list[object]:
        vault = FileVault(tmp_path / name, entropy=SeededEntropy(seed))
        told = [vault.seal(MEI, "a"), vault.seal(WEI, "b"), vault.lookup("phone", "1"), vault.token(SessionId("ses_1"))]
        vault.close()
        return told

    assert story("one", 7) == story("two", 7)
    assert story("three", 8) != story("one-more", 7)
