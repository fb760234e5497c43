"""The command line as an operator uses it: beside a running server, without one, and after a loss."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import apsw
import pytest

YUNDUAN = str(Path(sys.executable).parent / "yunduan")
ADMIN = "+8613800138000"
BEYOND_LIMITS = (
    (("shop", "create", ADMIN, ""), "name: Expected `str` of length >= 1"),
    (("shop", "create", ADMIN, "茶" * 61), "name: Expected `str` of length <= 60"),
    (("shop", "create", ADMIN, "\x1b[31m茶\n铺"), "name: its form, or one of its characters, is not allowed"),
    (("shop", "create", ADMIN, "\udcff"), "CreateShop: not every argument is UTF-8"),
    (("shop", "suspend", "shp_" + "1" * 41, "假货"), "shop_id: its form, or one of its characters, is not allowed"),
    (("person", "register", "+8613800138001", "--nickname", "n" * 41), "nickname: Expected `str` of length <= 40"),
)


def run(*arguments: str, data: Path, ends: int = 0, **environ: str) -> str:
    """One command; answers all that it says."""
    environment = os.environ | {"YUNDUAN_DATA": str(data)} | environ
    done = subprocess.run([YUNDUAN, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == ends, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def serving(data: Path, *arguments: str, **environ: str) -> Iterator[str]:
    """A server on a folder; ended by its id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"YUNDUAN_DATA": str(data), "YUNDUAN_HTTP__PORT": str(port), "YUNDUAN_LOG__LEVEL": "error"} | environ
    server = subprocess.Popen([YUNDUAN, "serve", *arguments], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/health/live", timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def people(data: Path) -> int:
    """How many people a store holds."""
    connection = apsw.Connection(str(data / "yunduan.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    count = connection.execute("SELECT count(*) FROM person").get
    connection.close()
    return int(count)


def test_the_mailbox_holds_letters_about_notices(tmp_path: Path) -> None:
    """Beside the codes, whether or not anybody may read it over HTTP."""
    run("person", "register", "mei@example.com", data=tmp_path)
    (shop,) = re.findall(r"shp_\w+", run("shop", "create", "mei@example.com", "茶铺", data=tmp_path))
    with serving(tmp_path):
        run("shop", "suspend", shop, "假货", data=tmp_path)
        for _ in range(100):
            shown = run("person", "mailbox", data=tmp_path)
            if "茶铺" in shown:
                break
    assert re.search(r"mei@example\.com +平台已暂停茶铺营业", shown)


def test_commands_work_with_and_without_a_server(tmp_path: Path) -> None:
    """Beside a server they go through its socket, since it holds the store; the effect is the same."""
    person = run("person", "register", ADMIN, data=tmp_path).strip()
    assert run("person", "grant", ADMIN, "admin", data=tmp_path).strip() == f"{person}: admin"
    with serving(tmp_path):
        assert run("person", "find", ADMIN, data=tmp_path).strip() == person
        assert run("person", "grant", person, "finance", data=tmp_path).strip().startswith(f"{person}: ")
        assert "shp_" in run("shop", "create", person, "茶铺", data=tmp_path)
        assert "茶铺" in run("shop", "list", data=tmp_path)
        assert "refused: last_admin" in run("person", "withdraw", person, "admin", data=tmp_path, ends=1)
        assert "the books balance" in run("ledger", "audit", data=tmp_path)
    assert "茶铺" in run("shop", "list", data=tmp_path)


def test_the_limits_of_a_message_hold_with_and_without_a_server(tmp_path: Path) -> None:
    """Nothing is stored that the API would not take, and the exit code is that of bad usage."""

    def nothing_passes() -> None:
        for arguments, says in BEYOND_LIMITS:
            assert run(*arguments, data=tmp_path, ends=2) == f"✗ {says}\n"
        assert "shp_" not in run("shop", "list", data=tmp_path)

    run("person", "register", ADMIN, data=tmp_path)
    nothing_passes()
    with serving(tmp_path):
        nothing_passes()
    assert people(tmp_path) == 1


def test_data_are_printed_as_they_are(tmp_path: Path) -> None:
    """Brackets in a name or in an error are no markup, and a colon's word is no emoji."""
    run("person", "register", ADMIN, data=tmp_path)
    for name in ("[/]", "[red]茶", ":tea:"):
        run("shop", "create", ADMIN, name, data=tmp_path)
    listed = run("shop", "list", data=tmp_path)
    assert [line.split()[1] for line in listed.splitlines() if "shp_" in line] == ["[/]", "[red]茶", ":tea:"]
    assert "[a-z] holds no copy of a store" in run("restore", "[a-z]", data=tmp_path, ends=1)


def ask_for_code(url: str, contact: str) -> None:
    """Have a code sent."""
    sent = urllib.request.Request(f"{url}/v1/sessions/codes", json.dumps({"contact": contact}).encode(), method="POST")
    sent.add_header("content-type", "application/json")
    urllib.request.urlopen(sent, timeout=10).close()


def test_codes_go_by_the_sender_that_the_settings_name(tmp_path: Path) -> None:
    """A module beside the cloud's own; one that is not there ends the start with exit code 2 and says so."""
    (tmp_path / "pigeons.py").write_text(
        "class Loft:\n    async def send(self, contact, text, language):\n"
        f"        open({str(tmp_path / 'taken')!r}, 'a').write(f'{{contact}} {{text}}\\n')\n"
    )
    said = run("serve", data=tmp_path / "data", ends=2, YUNDUAN_CODES__SENDER="pigeons:Loft")
    assert "codes.sender = 'pigeons:Loft': ModuleNotFoundError" in said
    assert not (tmp_path / "data").exists()
    with serving(tmp_path / "data", YUNDUAN_CODES__SENDER="pigeons:Loft", PYTHONPATH=str(tmp_path)) as url:
        ask_for_code(url, ADMIN)
        code = run("person", "code", ADMIN, data=tmp_path / "data").strip()
        for _ in range(100):
            if (tmp_path / "taken").exists():
                break
            time.sleep(0.05)
    assert (tmp_path / "taken").read_text() == f"{ADMIN} 【云端】验证码 {code}，10 分钟内有效，请勿告诉他人。\n"


def test_a_code_is_found_however_its_contact_is_written(tmp_path: Path) -> None:
    """As signing in finds the person: without a country code, with spaces, in upper case; what is no contact is refused."""
    with serving(tmp_path) as url:
        for contact in (ADMIN, "mei.lin@example.com"):
            ask_for_code(url, contact)
        by_phone = {run("person", "code", contact, data=tmp_path) for contact in (ADMIN, "13800138000", "138 0013 8000")}
        by_email = {run("person", "code", contact, data=tmp_path) for contact in ("mei.lin@example.com", "Mei.Lin@Example.com")}
        assert (len(by_phone), len(by_email)) == (1, 1)
        assert all(code.strip().isdigit() and len(code.strip()) == 6 for code in by_phone | by_email)
        assert "no letter to 13800138001" in run("person", "code", "13800138001", data=tmp_path, ends=1)
        assert "refused: contact_invalid" in run("person", "code", "nobody", data=tmp_path, ends=1)


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """One writer a store."""
    with serving(tmp_path):
        said = run("serve", "--port", "0", data=tmp_path, ends=1)
        assert "another process writes to" in said


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    """At start, with exit code 2."""
    environment = os.environ | {"YUNDUAN_HTTP__PROT": "1", "YUNDUAN_DATA": str(tmp_path)}
    done = subprocess.run([YUNDUAN, "serve"], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "did you mean 'http.port'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [
        (("import", "olist", "tables"), "pyarrow", "import"),
        (("serve", "--port", "0"), "psycopg", "postgresql"),
        (("ledger", "audit"), "psycopg", "postgresql"),
        (("doctor",), "psycopg", "postgresql"),
    ],
)
def test_an_extra_that_is_missing_is_named(arguments: tuple[str, ...], missing: str, extra: str, tmp_path: Path) -> None:
    """One line, with what installs it, and the exit code of what is refused."""
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError(name={missing!r})\n")
    url = "postgresql://nowhere/" if missing == "psycopg" else ""
    said = run(*arguments, data=tmp_path / "data", ends=1, PYTHONPATH=str(tmp_path), YUNDUAN_STORE__URL=url)
    installs = f"{sys.executable} -m pip install 'yunduan[{extra}]'"
    assert said == f"✗ {missing} is not installed; the extra `{extra}` brings it: {installs}\n"


def test_the_sandbox_is_not_opened_to_strangers_by_nobodys_decision(tmp_path: Path) -> None:
    """Unsaid, the cloud is not served where others may come; said, it is, and says so at every start; the doctor does too."""
    for environ in ({"YUNDUAN_HTTP__HOST": "0.0.0.0"}, {"YUNDUAN_HTTP__PUBLIC_URL": "https://market.example"}):
        said = run("serve", data=tmp_path / "data", ends=2, **environ)
        assert "sandbox.enabled must be said, true or false" in said
    assert "sandbox.enabled must be said" in run("serve", "--host", "0.0.0.0", data=tmp_path / "data", ends=2)
    assert not (tmp_path / "data").exists()
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = {"YUNDUAN_HTTP__HOST": "0.0.0.0", "YUNDUAN_HTTP__PORT": str(taken.getsockname()[1]), "YUNDUAN_LOG__LEVEL": "error"}
        said = run("serve", data=tmp_path, ends=69, YUNDUAN_SANDBOX__ENABLED="true", YUNDUAN_MAILBOX__SHOWN="true", **port)
        assert said.count("open_to_strangers") == 2
        assert "pays nothing" in said
        assert "signs in as anybody" in said
        assert "open_to_strangers" not in run("serve", data=tmp_path, ends=69, YUNDUAN_SANDBOX__ENABLED="false", **port)
    run("person", "register", ADMIN, data=tmp_path)
    said = run("doctor", data=tmp_path, ends=1, YUNDUAN_HTTP__HOST="0.0.0.0")
    assert "strangers: whoever pays with the sandbox pays nothing" in said


def test_a_copy_made_while_people_come_brings_everything_back(tmp_path: Path) -> None:
    """The restore drill: copy beside a running server, lose everything, bring it back, prove the books, serve again."""
    data, copy, keys, later = (tmp_path / name for name in ("data", "copy", "keys", "later"))
    person = run("person", "register", ADMIN, data=data).strip()
    with serving(data):
        for number in range(5):
            run("person", "register", f"+861380013800{number + 1}", data=data)
        run("backup", str(copy), "--keys", str(keys), data=data)
        run("person", "register", "+8613800138009", data=data)
    assert people(data) == 7
    said = run("restore", str(copy), "--keys", str(keys), data=later)
    assert "restored; this is epoch 2" in said
    assert "the books balance" in said
    assert people(later) == 6
    connection = apsw.Connection(str(later / "yunduan.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("SELECT kind FROM job WHERE status = 'running'").fetchall() == [("destroy_erased_keys",)]
    connection.close()
    with serving(later):
        assert run("person", "find", ADMIN, data=later).strip() == person
    assert "is there already" in run("restore", str(copy), data=later, ends=1)


def test_a_copy_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    """What was refused has left nothing in the way of the next attempt, and keys never lie in a copy of the data."""
    data, copy, keys = (tmp_path / name for name in ("data", "copy", "keys"))
    assert f"{tmp_path}/yunduan.sqlite is not there" in run("backup", str(copy), data=tmp_path, ends=1)
    run("person", "register", ADMIN, data=data)
    for beside in (copy, copy / "keys", tmp_path):
        assert "keys are kept apart" in run("backup", str(copy), "--keys", str(beside), data=data, ends=2)
    keys.mkdir()
    (keys / "keys.sqlite").touch()
    assert run("backup", str(copy), "--keys", str(keys), data=data, ends=1) == f"✗ {keys}/keys.sqlite is there already\n"
    (keys / "keys.sqlite").unlink()
    intact = (data / "keys.sqlite").read_bytes()
    (data / "keys.sqlite").write_bytes(b"spoilt" * 4096)
    assert "keys.sqlite cannot be copied" in run("backup", str(copy), "--keys", str(keys), data=data, ends=1)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["data", "keys"]
    assert list(keys.iterdir()) == []
    (data / "keys.sqlite").write_bytes(intact)
    run("backup", str(copy), "--keys", str(keys), data=data)
    assert run("backup", str(copy), data=data, ends=1) == f"✗ {copy} is there already\n"


def test_a_copy_is_brought_back_whole_or_not_at_all(tmp_path: Path) -> None:
    """A slip in the name of the keys' folder, or a copy that is none, leaves the folder as it was for the next attempt."""
    data, copy, keys, later = (tmp_path / name for name in ("data", "copy", "keys", "later"))
    run("person", "register", ADMIN, data=data)
    run("backup", str(copy), "--keys", str(keys), data=data)
    assert run("restore", str(copy), "--keys", str(copy), data=later, ends=1) == f"✗ {copy} holds no copy of keys\n"
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    (spoilt / "store").write_bytes(b"spoilt" * 4096)
    assert "cannot be opened" in run("restore", str(spoilt), "--keys", str(keys), data=later, ends=1)
    assert not later.exists()
    assert "restored; this is epoch 2" in run("restore", str(copy), "--keys", str(keys), data=later)


def test_somebody_who_looks_on_sees_a_bar(tmp_path: Path) -> None:
    """On the standard error of a terminal; what is written elsewhere is as if there were none."""
    data, copy, keys, later = (tmp_path / name for name in ("data", "copy", "keys", "later"))
    run("person", "register", ADMIN, data=data)
    for arguments, what, folder in (
        (("backup", str(copy), "--keys", str(keys)), "copying", data),
        (("restore", str(copy), "--keys", str(keys)), "bringing back yunduan.sqlite", later),
        (("ledger", "audit"), "proving the books", data),
    ):
        master, terminal = pty.openpty()
        environment = os.environ | {"YUNDUAN_DATA": str(folder), "TERM": "xterm", "COLUMNS": "100"}
        done = subprocess.run([YUNDUAN, *arguments], env=environment, stdout=subprocess.PIPE, stderr=terminal, check=True, timeout=60)
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the end of what was written
            while read := os.read(master, 65_536):
                shown += read
        os.close(master)
        assert what in shown.decode()
        assert what not in done.stdout.decode()


def test_what_is_made_is_its_users_alone(tmp_path: Path) -> None:
    """Each file of a data folder that was open to others before, and of its copies, whatever the shell would have it be."""
    data, copy, keys, later = (tmp_path / name for name in ("data", "copy", "keys", "later"))
    for folder in (data, later):
        folder.mkdir(mode=0o755)
    run("person", "register", ADMIN, data=data)
    run("backup", str(copy), "--keys", str(keys), data=data)
    run("restore", str(copy), "--keys", str(keys), data=later)
    with serving(data):
        made = [file for folder in (data, copy, keys, later) for file in folder.iterdir()]
        assert [file for file in made if file.stat().st_mode & 0o077] == []
        assert {"yunduan.sqlite", "yunduan.sqlite-wal", "sandbox.sqlite", "store", "operator.sock"} <= {file.name for file in made}
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (copy, keys)] == [0o700, 0o700]


def test_a_store_is_not_opened_with_the_keys_of_another(tmp_path: Path) -> None:
    """Nobody could be found or read: better to say so than to begin again."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    run("person", "register", ADMIN, data=data)
    run("backup", str(copy), data=data)
    elsewhere, strangers = tmp_path / "elsewhere", tmp_path / "strangers"
    assert "of no use without its keys" in run("restore", str(copy), data=elsewhere, ends=1)
    assert not (elsewhere / "yunduan.sqlite").exists()
    run("person", "register", ADMIN, data=strangers)
    (strangers / "yunduan.sqlite").unlink()
    (strangers / "yunduan.sqlite-wal").touch()
    assert "yunduan.sqlite-wal is there already" in run("restore", str(copy), data=strangers, ends=1)
    (strangers / "yunduan.sqlite-wal").unlink()
    assert "these keys are not those" in run("restore", str(copy), data=strangers, ends=1)
    assert not (strangers / "yunduan.sqlite").exists()
    assert (strangers / "keys.sqlite").exists()


def test_the_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    """Nothing on a healthy cloud; files that others can reach, an address that nobody can follow, and keys that are lost, otherwise."""
    assert "✗ store: there is no store at " in run("doctor", data=tmp_path / "nowhere", ends=1)
    run("person", "register", ADMIN, data=tmp_path)
    healthy = run("doctor", data=tmp_path)
    assert "✗" not in healthy
    assert "✓ server: none runs on this folder\n" in healthy
    assert healthy.endswith("✓ books: they balance over 0 transfers\nall is well\n")
    with serving(tmp_path):
        assert "✓ server: runs\n" in run("doctor", data=tmp_path)
    keys = tmp_path / "keys.sqlite"
    keys.chmod(0o644)
    said = run("doctor", data=tmp_path, ends=1)
    assert f"✗ folder: others can reach {keys}\n    chmod go= {keys}\n" in said
    assert re.search(r"\n1 of \d\d findings want something done\n$", said)
    keys.unlink()
    assert f"✗ keys: {keys} is not there\n" in run("doctor", data=tmp_path, ends=1)


def change(data: Path, sql: str, *arguments: object) -> None:
    """Change a store that no server holds."""
    connection = apsw.Connection(str(data / "yunduan.sqlite"))
    connection.execute(sql, arguments)
    connection.close()


def test_jobs_are_begun_listed_stopped_and_taken_up_again(tmp_path: Path) -> None:
    """Beside a server and without one, where a job is done before the command ends."""
    run("person", "register", ADMIN, data=tmp_path)
    said = run("job", "start", "derive_counters", data=tmp_path)
    job = said.split(":")[0]
    assert said == f"{job}: derive_counters is running, 0 of 0 done\n"
    assert "job_ended" in run("job", "cancel", job, data=tmp_path, ends=1)
    with serving(tmp_path):
        assert f"{job}  derive_counters      finished  0 of 0 at " in run("job", "list", data=tmp_path)
        assert len(run("job", "list", "--limit", "1", data=tmp_path).splitlines()) == 1
        said = run("job", "start", "dance", data=tmp_path, ends=1)
        assert "job_kind_unknown: dance is none of derive_counters, destroy_erased_keys, forget_answers" in said
        assert "job_not_found" in run("job", "retry", "job_0", data=tmp_path, ends=1)
    change(tmp_path, "UPDATE job SET status = 'failed', error = 'it [broke]' WHERE id = ?", job)
    assert f"derive_counters: it [broke] ({job})" in run("doctor", data=tmp_path, ends=1)
    assert "it [broke]" in run("job", "list", data=tmp_path)
    with serving(tmp_path):
        assert f"{job}: derive_counters is running" in run("job", "retry", job, data=tmp_path)
    assert "failed" not in run("job", "list", data=tmp_path)


def test_parked_facts_are_listed_and_heard(tmp_path: Path) -> None:
    """What cannot be heard stays set aside, and makes the exit code 1."""
    run("person", "register", ADMIN, data=tmp_path)
    erased = b'{"person_id":"per_1"}'
    change(tmp_path, "INSERT INTO fact (seq, kind, body, cause, at, effective_at) VALUES (0, 'PersonErased', ?, '', 0, 0)", erased)
    change(tmp_path, "INSERT INTO parked (follower, seq, error, at) VALUES ('erase_keys', 0, 'the [disk]', 0), ('erase_keys', 1, '', 0)")
    assert "the [disk]" in run("fact", "parked", data=tmp_path)
    assert "yunduan fact retry --all" in run("doctor", data=tmp_path, ends=1)
    with serving(tmp_path) as url:
        assert b"yunduan_facts_parked 2.0" in urllib.request.urlopen(f"{url}/metrics").read()
        said = run("fact", "retry", "--all", data=tmp_path, ends=1)
        assert "✓ erase_keys has heard fact 0" in said
        assert "✗ erase_keys at fact 1: fact_not_heard: erase_keys does not hear" in said
        assert "✗ erase_keys at fact 2: parked_fact_not_found" in run("fact", "retry", "erase_keys", "2", data=tmp_path, ends=1)
        assert b"yunduan_facts_parked 1.0" in urllib.request.urlopen(f"{url}/metrics").read()
    assert "say --all" in run("fact", "retry", "erase_keys", data=tmp_path, ends=2)


def doubt_the_clock(data: Path) -> None:
    """As if the clock had leapt while a server ran."""
    change(data, "INSERT INTO mark (name, value) VALUES ('clock_doubted', ?)", b'{"why":"the clock has leapt","by_ms":86400000}')


def test_the_time_is_confirmed_beside_a_server_or_at_its_start(tmp_path: Path) -> None:
    """No start ends the doubt by itself; the doctor says so, and the server is not ready until then."""
    run("person", "register", ADMIN, data=tmp_path)
    doubt_the_clock(tmp_path)
    assert "in doubt: the clock has leapt (by 86,400 s)" in run("doctor", data=tmp_path, ends=1)
    with serving(tmp_path) as url:
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{url}/health/ready")
        assert "is right: it was in doubt, because the clock has leapt" in run("confirm-clock", data=tmp_path)
        urllib.request.urlopen(f"{url}/health/ready").close()
    assert "nobody doubts it" in run("doctor", data=tmp_path)
    doubt_the_clock(tmp_path)
    with serving(tmp_path, "--confirm-clock") as url:
        urllib.request.urlopen(f"{url}/health/ready").close()
    doubt_the_clock(tmp_path)
    assert "because the clock has leapt" in run("confirm-clock", data=tmp_path)
    assert "nobody doubted it" in run("confirm-clock", data=tmp_path)


def test_the_doctor_says_whether_the_settings_will_do(tmp_path: Path) -> None:
    """With what the machine allows, and with what others can follow."""
    run("person", "register", ADMIN, data=tmp_path)
    said = run("doctor", data=tmp_path, ends=1, YUNDUAN_HTTP__HOST="0.0.0.0", YUNDUAN_HTTP__PORT="81")
    assert "✗ public address: http://localhost:81\n" in said
    limited = ["bash", "-c", f"ulimit -n 1024; {YUNDUAN} doctor"]
    done = subprocess.run(
        limited, env=os.environ | {"YUNDUAN_DATA": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60
    )
    assert "✗ open files: 1,024 allowed here, 2,176 wanted for 2,048 callers\n" in done.stdout


def test_the_doctor_looks_on_where_something_is_spoilt(tmp_path: Path) -> None:
    """A table that is gone and a chain that is broken are two findings in words, and the others are still made."""
    run("person", "register", ADMIN, data=tmp_path)
    connection = apsw.Connection(str(tmp_path / "yunduan.sqlite"))
    connection.execute("DROP TABLE job; UPDATE head SET block_hash = x'00'")
    connection.close()
    said = run("doctor", data=tmp_path, ends=1)
    assert "✓ alarms" in said
    assert "✗ jobs: cannot be told: no such table: job\n" in said
    assert "✗ books: they do NOT balance: 1 wrong in 0 transfers, first head_differs: head: the chain ends with 0000" in said


def test_a_slip_in_the_folder_begins_no_marketplace(tmp_path: Path) -> None:
    """Whoever asks about people and shops means those of a marketplace that is there."""
    slip = tmp_path / "slip"
    for arguments in (
        ("person", "find", ADMIN),
        ("person", "grant", ADMIN, "admin"),
        ("person", "mailbox"),
        ("shop", "list"),
        ("shop", "suspend", "shp_1", "假货"),
        ("backup", str(tmp_path / "copy")),
    ):
        assert f"✗ {slip}/yunduan.sqlite is not there: " in run(*arguments, data=slip, ends=1)
    assert run("ledger", "audit", data=slip, ends=1) == f"✗ there is no store at {slip}/yunduan.sqlite\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("ledger", "audit"), ("person", "mailbox"), ("serve", "--port", "0")])
def test_a_file_that_is_no_store_is_named(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """In one line, by whoever opens it."""
    run("person", "register", ADMIN, data=tmp_path)
    (tmp_path / "yunduan.sqlite").write_bytes(b"no store" * 4096)
    assert run(*arguments, data=tmp_path, ends=1) == f"✗ {tmp_path}/yunduan.sqlite cannot be opened: file is not a database\n"


def test_the_books_of_another_version_are_not_proved(tmp_path: Path) -> None:
    """Its tables may be others: one line, instead of a trace."""
    run("person", "register", ADMIN, data=tmp_path)
    connection = apsw.Connection(str(tmp_path / "yunduan.sqlite"))
    connection.execute("DELETE FROM migration WHERE domain = 'orders' AND number = 1")
    connection.close()
    said = run("ledger", "audit", data=tmp_path, ends=1)
    assert said == "✗ the books can be proved after the next start of the server, for which 1 migration waits\n"
    connection = apsw.Connection(str(tmp_path / "other.sqlite"))
    connection.execute("CREATE TABLE other (id TEXT)")
    connection.close()
    said = run("ledger", "audit", data=tmp_path, ends=1, YUNDUAN_STORE__URL=f"sqlite:{tmp_path}/other.sqlite")
    assert said == "✗ no marketplace was begun in this store: no such table: migration\n"


def test_an_address_that_postgresql_cannot_read_is_not_repeated(tmp_path: Path) -> None:
    """It may hold a password."""
    for arguments in (("ledger", "audit"), ("serve", "--port", "0")):
        said = run(*arguments, data=tmp_path, ends=1, YUNDUAN_STORE__URL="postgresql://me:secret@[nowhere")
        assert said == "✗ PostgreSQL cannot read the address of the store\n"


def test_a_server_that_goes_away_is_told(tmp_path: Path) -> None:
    """Whether it did what it was asked is not known, and the line says so."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "operator.sock"))
        listening.listen()
        asking = subprocess.Popen(
            [YUNDUAN, "shop", "suspend", "shp_1", "假货"],
            env=os.environ | {"YUNDUAN_DATA": str(tmp_path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        server, _ = listening.accept()
        server.recv(4096)
        server.close()
        _, said = asking.communicate(timeout=60)
    assert said == "✗ the server went away before it answered: look whether it was done\n"
    assert asking.returncode == 1


def test_the_version_is_said(tmp_path: Path) -> None:
    """That of the package."""
    assert run("--version", data=tmp_path) == f"yunduan {version('yunduan')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("person",),
        ("person", "register", ""),
        ("person", "find", " "),
        ("import",),
        ("shop", "create"),
        ("serve", "--port", "65536"),
        ("serve", "--port", "-3"),
        ("no such thing",),
    ],
)
def test_bad_usage_is_exit_code_two(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """And help is shown."""
    assert "Usage" in run(*arguments, data=tmp_path, ends=2)


def test_a_payers_bank_takes_a_payment_back_in_the_sandbox(tmp_path: Path) -> None:
    """Beside the server, in the sandbox's own books; what is not there cannot be taken."""
    with serving(tmp_path):
        assert "there to take back" in run("sandbox", "charge-back", "chg_1", data=tmp_path, ends=1)
        books = apsw.Connection(str(tmp_path / "sandbox.sqlite"))
        books.execute("INSERT INTO charge VALUES ('chg_1', 'yunduan', 500, 'CNY', 'captured', 0, 0)").fetchall()
        books.close()
        assert "dsp000001: chg_1 is charged back" in run("sandbox", "charge-back", "chg_1", "--amount", "300", data=tmp_path)
        assert "there to take back" in run("sandbox", "charge-back", "chg_1", "--amount", "201", data=tmp_path, ends=1)
        assert "dsp000001 is won" in run("sandbox", "win", "dsp000001", data=tmp_path)
        assert "not been decided" in run("sandbox", "lose", "dsp000001", data=tmp_path, ends=1)
        assert "chargeback_won" in run("sandbox", "list", data=tmp_path)
    assert "has no sandbox" in run("sandbox", "list", data=tmp_path / "nowhere", ends=1)
