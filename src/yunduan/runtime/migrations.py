"""Numbered changes of the tables: one transaction each, checksummed, applied under the writer's lock before anything is answered."""

import hashlib
from functools import cache
from importlib.resources import files

from msgspec import Struct

from yunduan.runtime.ports import Reader, Store, StoreRefusedError
from yunduan.runtime.registry import Domain

_TABLE = (
    "CREATE TABLE IF NOT EXISTS migration (domain TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,"
    " PRIMARY KEY (domain, number))"
)
_DONE = "SELECT domain, number, checksum FROM migration"
_NOTE = "INSERT INTO migration (domain, number, name, checksum) VALUES (?, ?, ?, ?)"


class Migration(Struct, frozen=True, kw_only=True):
    """One step from what was to what is: expand first, contract later."""

    domain: str
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What tells whether this step is the one that was applied."""
        return _checksum(self.sql)


@cache
def _checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def migrations(domains: tuple[Domain, ...]) -> list[Migration]:
    """Every step of every domain, in the order of the domains and their numbers: files named `0001_what.sql` beside the code."""
    return [step for domain in domains for step in _steps(domain.name, domain.package)]


@cache
def _steps(domain: str, package: str) -> tuple[Migration, ...]:
    """Those of one domain, read once: they are as little changed while the program runs as its code is."""
    found = []
    folder = files(package) / "migrations"
    if folder.is_dir():
        for file in sorted(folder.iterdir(), key=lambda file: file.name):
            if file.name.endswith(".sql"):
                number, _, name = file.name.removesuffix(".sql").partition("_")
                found.append(Migration(domain=domain, number=int(number), name=name, sql=file.read_text()))
    return tuple(found)


def pending(reader: Reader, steps: list[Migration]) -> list[Migration]:
    """The steps that the store has not seen; refuses a store that is newer than the code, or was changed by other steps."""
    done = {(domain, number): checksum for domain, number, checksum in reader.rows(_DONE)}
    known = {(step.domain, step.number): step.checksum for step in steps}
    for place, checksum in done.items():
        if place not in known:
            raise StoreRefusedError(f"the store is newer than this program: it has migration {place[1]} of {place[0]}")
        if known[place] != checksum:
            raise StoreRefusedError(f"migration {place[1]} of {place[0]} is not the one that was applied to this store")
    return [step for step in steps if (step.domain, step.number) not in done]


def migrate(store: Store, domains: tuple[Domain, ...], *, copy_to: str = "") -> list[Migration]:
    """Bring the store up to the code; a store that holds something is copied first, when a place is given."""
    store.script(_TABLE)
    steps = pending(store, migrations(domains))
    if steps and copy_to and store.row("SELECT 1 FROM migration LIMIT 1"):
        store.backup(copy_to)
    for step in steps:
        store.begin()
        try:
            store.script(step.sql)
            store.write(_NOTE, (step.domain, step.number, step.name, step.checksum))
        except Exception:
            store.rollback()
            raise
        store.lend()
        store.commit()
    return steps
