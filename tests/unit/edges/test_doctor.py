"""The doctor: each finding is made to be bad once."""

import time
from pathlib import Path

import pytest

from yunduan.edges.doctor import Finding, examine
from yunduan.runtime.settings import Settings
from yunduan.testing import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A whole cloud whose store the doctor looks at beside it."""
    with World.at(tmp_path) as world:
        yield world


def finding(folder: Path, what: str) -> Finding:
    """What the doctor says of one thing."""
    return next(finding for finding in examine(Settings(data=str(folder))) if finding.what == what)


def write(world: World, sql: str, *arguments: object) -> None:
    """Change the store behind the back of the cloud."""
    store = world.cloud.store
    store.begin()
    store.write(sql, arguments)
    store.lend()
    store.commit()


def test_alarms_that_fail_again_and_again_are_named(world: World, tmp_path: Path) -> None:
    """Those that may yet mend by themselves are not."""
    for id, failures in (("alm_1", 0), ("alm_2", 2), ("alm_3", 3), ("alm_4", 9)):
        write(world, "INSERT INTO alarm (id, due, kind, body, failures) VALUES (?, ?, 'Gone', X'00', ?)", id, 10**15, failures)
    said = finding(tmp_path, "failing alarms")
    assert said.is_bad
    assert said.found == "Gone has failed 9 times (alm_4); Gone has failed 3 times (alm_3)"
    write(world, "DELETE FROM alarm WHERE failures > 2")
    assert finding(tmp_path, "failing alarms").found == "none"


def test_a_clock_that_the_books_are_ahead_of_is_told(world: World, tmp_path: Path) -> None:
    """By more than machines differ as a rule."""
    now = time.time_ns() // 1_000_000
    write(world, "UPDATE head SET at = ?", now)
    assert finding(tmp_path, "clock").found == "nobody doubts it"
    write(world, "UPDATE head SET at = ?", now + 86_400_000 + 500)
    said = finding(tmp_path, "clock")
    assert said.is_bad
    assert said.found == "the books are 86,400 s ahead of it"
