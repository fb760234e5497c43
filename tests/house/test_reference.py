"""The tables in docs/reference are those of the code."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_reference_does_not_lag_behind_the_code() -> None:
    """Commands, queries, refusals, facts, routes and settings are documented as they are."""
    done = subprocess.run([sys.executable, "tools/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_layer_and_contract_holds() -> None:
    """Imports point down only."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
