"""What is for development alone is not open to strangers by nobody's decision, and never without a word."""

from pathlib import Path

import pytest

from yunduan.edges.doctor import examine
from yunduan.runtime.settings import Settings, SettingsError, load_settings

MONEY, PEOPLE = "whoever pays with the sandbox pays nothing", "whoever reads the mailbox signs in as anybody"


def _settings(**environ: str) -> Settings:
    return load_settings(environ={f"YUNDUAN_{name}": value for name, value in environ.items()})


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HTTP__HOST": "127.0.0.1"},
        {"HTTP__HOST": "127.8.8.8"},
        {"HTTP__HOST": "::1"},
        {"HTTP__HOST": "LocalHost"},
        {"HTTP__PUBLIC_URL": "http://localhost:8000"},
        {"HTTP__PUBLIC_URL": "http://127.0.0.1"},
        {"HTTP__PUBLIC_URL": "http://[::1]:8000"},
    ],
)
def test_on_one_machine_everything_for_development_may_be_open(environ: dict[str, str]) -> None:
    """Loopback, by whatever name."""
    settings = _settings(**environ, MAILBOX__SHOWN="true")
    assert settings.sandbox.is_on
    assert not settings.is_reached_by_others()
    assert settings.open_to_strangers() == {}


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP__HOST": "0.0.0.0"},
        {"HTTP__HOST": "::"},
        {"HTTP__HOST": "192.168.1.7"},
        {"HTTP__HOST": "market.example"},
        {"HTTP__PUBLIC_URL": "https://market.example"},
        {"HTTP__PUBLIC_URL": "https://localhost.market.example:8443"},
        {"HTTP__PUBLIC_URL": "http://127.0.0.1@market.example"},
        {"HTTP__PUBLIC_URL": "http://[::1"},
        {"HTTP__PUBLIC_URL": "http://:80"},
        {"HTTP__TRUSTED_PROXIES": "127.0.0.1"},
    ],
)
def test_where_others_may_come_what_is_open_is_named(environ: dict[str, str]) -> None:
    """Listened on elsewhere, known elsewhere, or behind a proxy; each setting with what it lets strangers do."""
    assert _settings(**environ).open_to_strangers() == {"sandbox.enabled": MONEY}
    assert _settings(**environ, SANDBOX__ENABLED="true", MAILBOX__SHOWN="true").open_to_strangers() == {
        "sandbox.enabled": MONEY,
        "mailbox.shown": PEOPLE,
    }
    assert _settings(**environ, SANDBOX__ENABLED="false").open_to_strangers() == {}


def test_the_sandbox_is_on_off_or_unsaid(tmp_path: Path) -> None:
    """In the file as in the environment; nothing else fits."""
    assert [_settings(SANDBOX__ENABLED=said).sandbox.enabled for said in ("true", "false", "1", "0")] == [True, False, True, False]
    file = tmp_path / "yunduan.toml"
    for said, enabled in (("", None), ("enabled = true", True), ("enabled = false", False)):
        file.write_text(f"[sandbox]\n{said}\n")
        assert load_settings(file=file, environ={}).sandbox.enabled is enabled
    for said in ("maybe", "2"):
        with pytest.raises(SettingsError, match=r"sandbox\.enabled = .* does not fit: true or false"):
            _settings(SANDBOX__ENABLED=said)


def test_the_doctor_finds_what_is_open_to_strangers(tmp_path: Path) -> None:
    """And nothing on one machine, or where it is closed."""

    def found(**environ: str) -> tuple[str, bool, str]:
        (finding,) = [it for it in examine(_settings(DATA=str(tmp_path), **environ)) if it.what == "strangers"]
        return finding.found, finding.is_bad, finding.advice

    assert found()[:2] == ("only this machine may come", False)
    assert found(HTTP__HOST="0.0.0.0", SANDBOX__ENABLED="false")[:2] == ("nothing is open that is for development", False)
    assert found(HTTP__HOST="0.0.0.0", SANDBOX__ENABLED="true", MAILBOX__SHOWN="true") == (
        f"{MONEY}; {PEOPLE}",
        True,
        "others than this machine may come: set sandbox.enabled, mailbox.shown to false",
    )


def test_the_doctor_tries_the_sender_of_codes(tmp_path: Path) -> None:
    """As a start does."""

    def found(**environ: str) -> tuple[str, bool]:
        (finding,) = [it for it in examine(_settings(DATA=str(tmp_path), **environ)) if it.what == "codes"]
        return finding.found, finding.is_bad

    assert found() == ("left in the development mailbox", False)
    assert found(CODES__SENDER="yunduan.domains.identity.couriers:KeepInMailbox") == (
        "carried by yunduan.domains.identity.couriers:KeepInMailbox",
        False,
    )
    assert found(CODES__SENDER="pigeons:loft") == ("codes.sender = 'pigeons:loft': ModuleNotFoundError: No module named 'pigeons'", True)
