"""A small book for the tests of the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.ledger import Books
from support.stores import chosen_place


@pytest.fixture
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """A cloud that has a ledger and nothing else, with three accounts: `bank` (unlimited), `ann` and `bob` (never below zero)."""
    with Books.on(chosen_place(request, tmp_path).open()) as books:
        books.open_accounts()
        yield books
