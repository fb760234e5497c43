"""What is asked of the processor is taken by the system, or changes nothing."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from yunduan.edges.processor import ask_for_turns

ASKS = """
import os
from yunduan.edges.processor import ask_for_turns
os.nice(3)
print(ask_for_turns(250_000), os.nice(0), open("/proc/self/sched").read().partition("se.slice")[2].split()[1:2])
"""


def test_a_process_has_short_turns_and_the_priority_that_it_had() -> None:
    """Where the system tells how long they are, they are as long as was asked."""
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    if sys.platform != "linux" or release is None or tuple(map(int, release.groups())) < (6, 12) or not Path("/proc/self/sched").exists():
        pytest.skip("this system knows no such turns, or does not tell of them")
    said = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, text=True, check=True).stdout
    taken, nice, slice_ns = re.fullmatch(r"(\w+) (\d+) \['(\d+)'\]\n", said).groups()  # type: ignore[union-attr]
    assert (taken, nice) == ("True", "3")
    assert int(slice_ns) == 250_000


def test_elsewhere_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine is called."""
    monkeypatch.setattr("platform.machine", lambda: "vax")
    assert not ask_for_turns(250_000)
