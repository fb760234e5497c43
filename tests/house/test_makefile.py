"""What a newcomer's first `make` does on a machine that lacks something."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITHOUT_PIP = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    ln -s "$(command -v python3)" "$3/bin/python"
    echo "install python3-venv" >&2
    exit 1
fi
exec python3 "$@"
"""
"""Behaves as Python does on a Debian without `python3-venv`."""


def test_an_environment_that_was_not_made_is_not_taken_for_one(tmp_path: Path) -> None:
    """The second try says what the first one said, and not that pip is missing."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    python = tmp_path / "python"
    python.write_text(WITHOUT_PIP)
    python.chmod(0o755)
    for _ in range(2):
        done = subprocess.run(["make", "run", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "install python3-venv" in done.stderr
        assert not (tmp_path / ".venv" / "bin" / "python").exists()
