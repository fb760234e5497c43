"""Settings: built in, then the file, then the environment; what does not fit is named."""

import re
from pathlib import Path

import pytest

from yunduan.cloud import DOMAINS
from yunduan.runtime.registry import Registry
from yunduan.runtime.settings import SettingsError, known_settings, load_settings, reference, settings_or_exit


def test_without_any_word_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And they are those of one machine."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ={"HOME": "/", "PATH": "x"})
    assert (settings.http.host, settings.http.port, settings.store.cache_mib) == ("127.0.0.1", 8000, 64)
    assert settings.sqlite_path() == Path("data/yunduan.sqlite")
    assert settings.public_url() == "http://127.0.0.1:8000"
    assert settings.writer.limits().batch_commands == 256


def test_the_environment_is_heard_before_the_file(tmp_path: Path) -> None:
    """Value by value, not group by group."""
    file = tmp_path / "yunduan.toml"
    file.write_text('data = "/srv"\n[http]\nport = 9000\nhost = "::1"\n[market]\ncurrency = "EUR"\n')
    settings = load_settings(file=file, environ={"YUNDUAN_HTTP__PORT": "9100", "YUNDUAN_HTTP__TRUSTED_PROXIES": "10.0.0.1, 10.0.0.2"})
    assert (settings.data, settings.http.port, settings.market.currency) == ("/srv", 9100, "EUR")
    assert settings.http.trusted_proxies == ("10.0.0.1", "10.0.0.2")
    assert settings.public_url() == "http://[::1]:9100"
    assert load_settings(environ={"YUNDUAN_SETTINGS": str(file)}).http.port == 9000


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0:0::0"])
def test_every_address_of_a_machine_is_none_to_be_told(host: str) -> None:
    """So what is told is the one by which this machine reaches itself, unless the settings know better."""
    settings = load_settings(environ={"YUNDUAN_HTTP__HOST": host, "YUNDUAN_HTTP__PORT": "81"})
    assert settings.public_url() == "http://localhost:81"
    known = load_settings(environ={"YUNDUAN_HTTP__HOST": host, "YUNDUAN_HTTP__PUBLIC_URL": "https://market.example"})
    assert known.public_url() == "https://market.example"


@pytest.mark.parametrize("proxies", ["127.0.0.1", "10.0.0.0/8, ::1", "2001:db8::/32", ""])
def test_proxies_are_addresses_or_networks(proxies: str) -> None:
    """Of both families."""
    settings = load_settings(environ={"YUNDUAN_HTTP__TRUSTED_PROXIES": proxies})
    assert ", ".join(settings.http.trusted_proxies) == proxies


def test_the_store_is_a_file_or_a_server() -> None:
    """By its address."""
    assert load_settings(environ={"YUNDUAN_STORE__URL": "sqlite:/x/y.db"}).sqlite_path() == Path("/x/y.db")
    assert load_settings(environ={"YUNDUAN_STORE__URL": "postgresql://host/db"}).sqlite_path() is None


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("YUNDUAN_HTTP__PORT", "99999", ("http.port", "99999", "a whole number from 0 to 65535")),
        ("YUNDUAN_HTTP__PORT", "eighty", ("http.port", "a whole number from 0 to 65535")),
        ("YUNDUAN_HTTP__PRT", "80", ("no setting 'http.prt'", "did you mean 'http.port'?")),
        ("YUNDUAN_HTTP", "80", ("no setting 'http'",)),
        ("YUNDUAN_MAILBOX__SHOWN", "perhaps", ("mailbox.shown", "true or false")),
        ("YUNDUAN_LOG__FORMAT", "xml", ("log.format", "`console` or `json`")),
        ("YUNDUAN_STORE__URL", "mysql://x", ("store.url", "text of the form")),
        ("YUNDUAN_MARKET__CURRENCY", "XXX", ("market.currency", "ISO 4217")),
        ("YUNDUAN_MARKET__TIME_ZONE", "Mars/Base", ("market.time_zone", "IANA")),
        ("YUNDUAN_MARKET__TIME_ZONE", "../../etc/passwd", ("market.time_zone", "IANA")),
        ("YUNDUAN_HTTP__TRUSTED_PROXIES", "127.0.0.1, proxy", ("http.trusted_proxies", "'proxy' is neither an address nor a network")),
        ("YUNDUAN_HTTP__TRUSTED_PROXIES", "*", ("http.trusted_proxies", "'*' is neither")),
        ("YUNDUAN_HTTP__TRUSTED_PROXIES", "10.0.0.1/8", ("http.trusted_proxies", "'10.0.0.1/8' is neither")),
        ("YUNDUAN_WRITER__BATCH_MS", "0", ("writer.batch_ms", "a number above 0")),
    ],
)
def test_a_bad_value_in_the_environment_is_named(variable: str, value: str, words: tuple[str, ...]) -> None:
    """With what would be allowed."""
    with pytest.raises(SettingsError) as error:
        load_settings(environ={variable: value})
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[http]\nport = '80'", ("http.port", "a whole number")),
        ("[http]\nport = 80.5", ("http.port",)),
        ("[http]\ncolour = 'red'", ("no setting 'http.colour'",)),
        ("http = 1", ("no setting 'http'",)),
        ("[mailbox]\nshown = 1", ("mailbox.shown", "true or false")),
        ("[http", ("not TOML",)),
    ],
)
def test_a_bad_value_in_the_file_is_named(tmp_path: Path, content: str, words: tuple[str, ...]) -> None:
    """With the file; a file keeps its types, a number in quotes is no number."""
    file = tmp_path / "yunduan.toml"
    file.write_text(content)
    with pytest.raises(SettingsError) as error:
        load_settings(file=file, environ={})
    for word in (*words, str(file)):
        assert word in str(error.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    """Unlike the one that may lie in the working folder."""
    with pytest.raises(SettingsError, match="there is no such file"):
        load_settings(file=tmp_path / "none.toml", environ={})


def test_a_bad_setting_ends_the_process_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is opened."""
    monkeypatch.setenv("YUNDUAN_HTTP__PORT", "-1")
    with pytest.raises(SystemExit) as ended:
        settings_or_exit()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("yunduan: YUNDUAN_HTTP__PORT: http.port = '-1' does not fit: a whole number from 0 to 65535")


def test_every_setting_is_explained() -> None:
    """What it is, what is allowed, and its unit where it has one."""
    table = reference()
    for known in known_settings().values():
        assert known.text.endswith("."), known.key
        assert known.allowed, known.key
        assert f"| `{known.key}` | `{known.variable}` |" in table
        if known.key.rpartition("_")[2] in {"ms", "s", "mib", "ppm"} or "_ms_" in known.key or "bytes" in known.key:
            assert known.unit, known.key


def test_a_page_that_a_setting_names_is_there() -> None:
    """The reference sends nobody to an address that is not served."""
    named = set(re.findall(r"`(/[\w/-]+)`", reference()))
    assert named == {"/development/mailbox"}
    assert named <= {route.path for route in Registry(DOMAINS).routes}
