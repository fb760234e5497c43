"""What tests of people tell: somebody asks for a code, reads the letter, signs in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from yunduan.backends.sqlite import SqliteStore
from yunduan.backends.vault import FileVault
from yunduan.domains.identity.commands import OpenSession, RequestCode, token_hash
from yunduan.domains.identity.domain import DOMAIN
from yunduan.domains.identity.model import Caller, IdentitySettings, Obligations, Outstanding, Postal, SessionOpened, Shops, Vault
from yunduan.domains.identity.queries import CallerOf, Mailbox
from yunduan.kernel.actors import ANONYMOUS, SYSTEM, Actor
from yunduan.kernel.ids import ChallengeId, PersonId, SessionId, ShopId
from yunduan.kernel.messages import Command
from yunduan.runtime import domain as runtime
from yunduan.runtime.clock import SeededEntropy
from yunduan.runtime.ports import Store
from yunduan.testing import World

PHONE = "+8613812345678"
OTHER_PHONE = "+8613912345679"
EMAIL = "mei.lin@example.com"
HOME = Postal(recipient="林美", phone="0571-88157788", country="CN", region="浙江", city="杭州", district="余杭", lines=("文一西路969号",))
OWN_TABLES = ("person", "contact", "known_device", "challenge", "letter", "budget", "letter_day", "session", "staff", "address")
TABLES = (*OWN_TABLES, "fact", "alarm")


class Bonds:
    """What still binds people, where there is nothing but people: what a test says. Implements `identity.model.Obligations`."""

    def __init__(self) -> None:
        """Nothing binds anybody."""
        self.of: dict[PersonId, Outstanding] = {}

    def outstanding(self, _at: Any, person: PersonId) -> Outstanding:
        """What was said of this person."""
        return self.of.get(person, Outstanding())


class Street:
    """Every shop that is named is there, but for one, where there is nothing but people. Implements `identity.model.Shops`."""

    def is_there(self, _at: Any, shop_id: ShopId) -> bool:
        """All but that one."""
        return shop_id != "shp_0"


class People(World):
    """A cloud that knows nothing but people."""

    vault: FileVault
    bonds: Bonds

    @classmethod
    def at(cls, folder: Path, *, store: Store | None = None, mailbox_is_open: bool = True, **settings: Any) -> Self:
        """Open one in a folder, or on another store with its keys in that folder."""
        vault = FileVault(folder / "keys.sqlite", entropy=SeededEntropy(settings.get("seed", 0) + 1))
        bonds = Bonds()
        ports = {Vault: vault, IdentitySettings: IdentitySettings(mailbox_is_open=mailbox_is_open), Obligations: bonds, Shops: Street()}
        domains = (runtime.DOMAIN, DOMAIN)
        store = store or SqliteStore(folder / "yunduan.sqlite")
        world = cls(store, domains=domains, ports=ports, before_commit=(vault.make_durable,), **settings)
        world.vault, world.bonds = vault, bonds
        return world

    def close(self) -> None:
        """Stop the cloud, then let go of its keys."""
        super().close()
        self.vault.close()

    def code_for(self, contact: str, *, origin: str = "", device: str = "") -> tuple[ChallengeId, str]:
        """Ask for a code, and read it in the mailbox."""
        challenge = self.send(RequestCode(contact=contact, device=device), actor=Actor(origin=origin))
        (letter,) = [it for it in self.ask(Mailbox()).items if it.id == challenge.id]
        return challenge.id, letter.code

    def opened(self, contact: str = PHONE, *, device: str = "", device_key: str = "") -> SessionOpened:
        """Sign in."""
        id, code = self.code_for(contact, device=device_key)
        opened = self.send(OpenSession(challenge_id=id, code=code, device=device), actor=ANONYMOUS)
        assert opened.opened
        return opened

    def caller(self, session: SessionId | None, *, origin: str = "") -> Caller | None:
        """Whom the cloud sees when this session's token comes."""
        assert session is not None
        return self.ask(CallerOf(token_hash=token_hash(self.vault.token(session)), origin=origin))

    def signed_in(self, contact: str = PHONE, *, device: str = "") -> Actor:
        """Sign in, and be seen as the edge sees it."""
        caller = self.caller(self.opened(contact, device=device).session_id)
        assert caller is not None
        return caller.actor

    def seen_again(self, actor: Actor) -> Actor:
        """The same session as the edge sees it now."""
        caller = self.caller(actor.session)
        assert caller is not None
        return caller.actor

    def no(self, command: Command[Any], *, actor: Actor = SYSTEM) -> dict[str, Any]:
        """The whole refusal of a command, which leaves every table as it was."""
        before = self.everything()
        answered = self.run(_submitted(self, command, actor))
        assert not answered.accepted, answered.body
        assert self.everything() == before
        refusal: dict[str, Any] = msgspec.json.decode(answered.body)
        return refusal

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of identity, and every fact and alarm."""
        return {table: self.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}  # names from this file

    def facts(self, kind: str) -> list[dict[str, Any]]:
        """The facts of one kind, in order."""
        return [msgspec.json.decode(body) for (body,) in self.rows("SELECT body FROM fact WHERE kind = ? ORDER BY seq", kind)]


async def _submitted(world: World, command: Command[Any], actor: Actor) -> Any:
    return await world.cloud.submit(command, actor=actor)


@contextmanager
def people_in(folder: Path, **settings: Any) -> Iterator[People]:
    """A cloud for the time of a block."""
    with People.at(folder, **settings) as people:
        yield people


def wrong(code: str, by: int = 1) -> str:
    """Another code than this."""
    return f"{(int(code) + by) % 1_000_000:06d}"
