"""Schemathesis against the real server, with real ids in it: whatever is sent, nothing is a 5xx, and every answer is as described."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from abuse.scenes import DOCUMENT
from support.serving import Server, served
from support.town import Town

KINDS = {"buyer": {"anyone", "self", "record"}, "shop owner": {"shop"}, "operator admin": {"operator"}}
"""Who sends what: whoever is let in. What becomes of those who are not is seen to by the authorisation matrix."""
ENDS_THE_SESSION = {"EraseMe", "SignOut"}
"""Not sent, since everything after them would be answered 401."""
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "50"))
HOOKS = '''
import json, os, re
import schemathesis
from yunduan.kernel.money import EXPONENTS

IDS = json.loads(os.environ["TOWN_IDS"])
ID = re.compile("[a-z]{3}_[0-9a-z]{1,40}(,[a-z]{3}_[0-9a-z]{1,40})*|[0-9]{12}")
CODE = re.compile("[A-Z]{3}")


def seeded(name, value):
    """However deep they stand: three of four ids become one that is there; what is no id stays what it is.

    Two exceptions, where the description allows what is refused: a whole number written as 725.0 (JSON Schema calls it an
    integer; here money and counts are never floats), and three capital letters that ISO 4217 does not know.
    """
    if isinstance(value, dict):
        return {inner: seeded(inner, kept) for inner, kept in value.items()}
    if isinstance(value, list):
        return [seeded(name, kept) for kept in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    if name == "currency" and CODE.fullmatch(value) and value not in EXPONENTS:
        return "CNY"
    return IDS[name] if name in IDS and ID.fullmatch(value) and len(value) % 4 else value


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return path_parameters and seeded("", path_parameters)


@schemathesis.hook
def map_query(context, query):
    return query and seeded("", query)


@schemathesis.hook
def map_body(context, body):
    return seeded("", body)
'''
REFUSED = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429, 431, "5xx"]
"""
"""What the tool takes for a refusal by itself, and 431: a text may be so long that no head of a request holds it."""


def operations(caller: str) -> list[str]:
    """The names of what a caller sends."""
    described = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    kinds = KINDS[caller]
    return [
        str(it["operationId"]) for it in described if it["x-yunduan-owner"]["kind"] in kinds and it["operationId"] not in ENDS_THE_SESSION
    ]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], dict[str, str]]:
    """The folder of a town that has been left, its tokens and its ids."""
    folder = tmp_path_factory.mktemp("town")
    town = Town(folder, at_ms=int(time.time() * 1000))
    town.close()
    more = {"variant_ids": town.ours["variant_id"], "owner_id": town.people["buyer"], "parent_id": town.ours["category_id"]}
    return folder, town.tokens, town.ours | more


def test_everything_is_sent_by_somebody() -> None:
    """Each operation by one caller, but for the two that end the session."""
    every = {operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()}
    sent = [name for caller in KINDS for name in operations(caller)]
    assert len(sent) == len(set(sent))
    assert every - set(sent) == ENDS_THE_SESSION


@pytest.mark.slow
@pytest.mark.parametrize("caller", list(KINDS))
def test_every_answer_is_as_described(seeded: tuple[Path, dict[str, str], dict[str, str]], tmp_path: Path, caller: str) -> None:
    """All checks, fifty examples an operation, good ones and bad ones, by somebody who is let in."""
    folder, tokens, ids = seeded
    (tmp_path / "hooks.py").write_text(HOOKS)
    (tmp_path / "schemathesis.toml").write_text(REFUSED)
    wanted = operations(caller)
    with served("cloud", folder) as server:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run", f"http://127.0.0.1:{server.port}/openapi.json"),
                *(part for name in wanted for part in ("--include-operation-id", name)),
                *("--checks", "all", "--phases", "examples,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1", "--workers", "2"),
                *("--header", f"Authorization: Bearer {tokens[caller]}", "--request-timeout", "10"),
                *("--generation-deterministic", "--suppress-health-check", "all", "--continue-on-failure"),
                *("--report", "json", "--report-json-path", "report.json"),
            ],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path), "TOWN_IDS": json.dumps(ids)},
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=1500,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        assert_all_ran(json.loads((tmp_path / "report.json").read_text()), wanted)
        assert answers_still(server)
    assert '"request_broken"' not in "".join(server.lines)
    assert '"command_broken"' not in "".join(server.lines)


def assert_all_ran(report: Any, wanted: list[str]) -> None:
    """Each operation, hardly any of them shut out, and so often that the figure in the docstring means something."""
    ran = report["operations"]
    assert (ran["tested"], ran["errored"], ran["skipped"]) == (len(wanted), 0, 0)
    described = [
        operation for methods in DOCUMENT["paths"].values() for operation in methods.values() if operation["operationId"] in wanted
    ]
    take_something = [it for it in described if {"parameters", "requestBody"} & set(it)]
    assert report["test_cases"]["generated"] >= len(take_something) * EXAMPLES // 2
    # none of whose requests was carried out while some were of a stranger's shop: what waits for a state seldom meets it by chance
    assert len(report["warnings"].get("missing_auth", ())) <= len(wanted) * 2 // 5, report["warnings"]


def answers_still(server: Server) -> bool:
    """Whether the server is as ready as before."""
    return httpx.get(f"http://127.0.0.1:{server.port}/health/ready").json()["reasons"] == []
