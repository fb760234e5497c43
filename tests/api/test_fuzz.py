"""Schemathesis against the real server, with real ids in it: whatever is sent, nothing is a 5xx, and every no is a problem."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from support.serving import Server, served
from support.town import Town

CALLERS = {"buyer": "^/v1/", "shop owner": "^/v1/shops/", "operator admin": "^/v1/(operator|shops|people|owners|categories|ledger)"}
"""Who sends, and where: what they may not is seen to elsewhere."""
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "50"))
HOOKS = '''
import json, os
import schemathesis

IDS = json.loads(os.environ["TOWN_IDS"])


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of the time an id that is there."""
    if path_parameters:
        for name, value in list(path_parameters.items()):
            if name in IDS and len(str(value)) % 2:
                path_parameters[name] = IDS[name]
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    """The same in bodies."""
    if isinstance(body, dict):
        for name, value in list(body.items()):
            if name in IDS and isinstance(value, str) and len(value) % 2:
                body[name] = IDS[name]
    return body
'''


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], dict[str, str]]:
    """The folder of a town that has been left, its tokens and its ids."""
    folder = tmp_path_factory.mktemp("town")
    town = Town(folder, at_ms=int(time.time() * 1000))
    town.close()
    return folder, town.tokens, town.ours


@pytest.mark.slow
@pytest.mark.parametrize("caller", list(CALLERS))
def test_no_input_is_a_5xx(seeded: tuple[Path, dict[str, str], dict[str, str]], tmp_path: Path, caller: str) -> None:
    """Fifty examples an operation, good ones and bad ones, by somebody who is signed in."""
    folder, tokens, ids = seeded
    hooks = tmp_path / "hooks.py"
    hooks.write_text(HOOKS)
    with served("cloud", folder) as server:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "run", f"http://127.0.0.1:{server.port}/openapi.json"),
                *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
                *("--phases", "examples,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1", "--workers", "2"),
                *("--header", f"Authorization: Bearer {tokens[caller]}", "--include-path-regex", CALLERS[caller]),
                *("--exclude-path-regex", "^/v1/(me/sign-out|me$|me/sessions)"),
                *("--generation-deterministic", "--suppress-health-check", "all", "--continue-on-failure", "--request-timeout", "10"),
            ],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(tmp_path), "TOWN_IDS": json.dumps(ids)},
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=1500,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        assert answers_still(server)
    assert '"request_broken"' not in "".join(server.lines)
    assert '"command_broken"' not in "".join(server.lines)


def answers_still(server: Server) -> bool:
    """Whether the server is as ready as before."""
    return httpx.get(f"http://127.0.0.1:{server.port}/health/ready").json()["reasons"] == []
