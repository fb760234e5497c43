"""Whoever carries letters is named by a setting: a module of somebody else's, tried at start and not when the first code is due."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.people import EMAIL, PHONE
from yunduan.cloud import notice_senders_of, open_cloud, sender_of
from yunduan.domains.identity.commands import RequestCode
from yunduan.domains.identity.couriers import KeepInMailbox
from yunduan.domains.identity.model import Language, Letter
from yunduan.domains.identity.queries import Mailbox
from yunduan.domains.notices.model import Way
from yunduan.kernel.actors import SYSTEM
from yunduan.runtime.settings import CodeSettings, NoticeSenderSettings, Settings, SettingsError, load_settings

MODULE = '''
"""Carries letters by writing them down; takes none for somebody whose line is dead."""
from pathlib import Path

taken = Path(__file__).with_name("taken")


class Pigeons:
    async def send(self, contact, text, language):
        if contact.endswith("@example.com"):
            raise ConnectionError("the line is dead")
        taken.write_text(f"{contact} {language} {text}")


def loft():
    return Pigeons()


def empty():
    raise RuntimeError("PIGEONS_KEY is not set")


class Deaf:
    def send(self, contact, text, language):
        pass


nothing = None
'''


@pytest.fixture
def pigeons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sender's module that can be imported, and where it writes."""
    (tmp_path / "pigeons.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "taken"
    sys.modules.pop("pigeons", None)


def _with(sender: str, folder: Path = Path()) -> Settings:
    return Settings(data=str(folder), codes=CodeSettings(sender=sender))


def test_the_sender_that_is_named_carries_the_letters(pigeons: Path, tmp_path: Path) -> None:
    """Of the cloud that the settings open; what it does not take is tried again, as ever."""

    async def story() -> dict[str, Letter]:
        cloud = open_cloud(_with("pigeons:loft", tmp_path / "data"))
        try:
            await cloud.send(RequestCode(contact=PHONE, language=Language.EN))
            await cloud.send(RequestCode(contact=EMAIL))
            await cloud.settle()
            return {letter.contact: letter for letter in cloud.ask(Mailbox(), actor=SYSTEM).items}
        finally:
            await cloud.stop()

    letters = asyncio.run(story())
    assert pigeons.read_text() == f"{PHONE} en {letters[PHONE].text}"
    assert (letters[PHONE].is_sent, letters[EMAIL].is_sent) == (True, False)


def test_without_a_word_letters_lie_in_the_mailbox() -> None:
    """As in development."""
    assert isinstance(sender_of(load_settings(environ={})), KeepInMailbox)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("no_such_module:loft", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("pigeons:coop", "AttributeError: module 'pigeons' has no attribute 'coop'"),
        ("pigeons:nothing", "TypeError: 'NoneType' object is not callable"),
        ("pigeons:empty", "RuntimeError: PIGEONS_KEY is not set"),
        ("pigeons:Deaf", "makes no sender: it lacks `async def send(self, contact, text, language)`"),
    ],
)
def test_a_sender_that_is_none_is_named_at_start(pigeons: Path, tmp_path: Path, named: str, words: str) -> None:
    """Before anything is opened, so that nothing is left behind."""
    with pytest.raises(SettingsError) as error:
        open_cloud(_with(named, tmp_path / "data"))
    assert str(error.value).startswith(f"codes.sender = {named!r}")
    assert words in str(error.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("named", ["pigeons", "pigeons:", ":loft", "pigeons.loft", "pigeons:loft()", "pigeons:loft\n", "../pigeons:loft"])
def test_what_names_no_sender_does_not_fit(named: str) -> None:
    """Already when the settings are read."""
    with pytest.raises(SettingsError, match=r"codes\.sender"):
        load_settings(environ={"YUNDUAN_CODES__SENDER": named})


def test_each_way_of_notices_has_a_sender_of_its_own(pigeons: Path) -> None:
    """The others lie in the mailbox; one that makes no sender is named by its own setting."""
    assert notice_senders_of(load_settings(environ={})) == {}
    named = notice_senders_of(Settings(notices=NoticeSenderSettings(sms="pigeons:loft")))
    assert [(way, type(sender).__name__) for way, sender in named.items()] == [(Way.SMS, "Pigeons")]
    with pytest.raises(SettingsError, match=r"^notices.email = 'pigeons:Deaf' makes no sender: it lacks `async def send\(self, letter\)`$"):
        notice_senders_of(Settings(notices=NoticeSenderSettings(email="pigeons:Deaf")))
    assert not pigeons.exists()
