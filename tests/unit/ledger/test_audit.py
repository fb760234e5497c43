"""The audit proves the books, and finds every fault that is planted in them."""

from math import inf
from typing import Any

import pytest

from support.ledger import Books, cny, move, new
from yunduan.domains.ledger import audit as auditing
from yunduan.domains.ledger.audit import PROVED, audit
from yunduan.domains.ledger.commands import NoteFork
from yunduan.domains.ledger.model import AccountFlag, Kind
from yunduan.kernel.ids import TransferId
from yunduan.kernel.refusals import FaultError
from yunduan.runtime.ports import Snapshots


def _fill(books: Books) -> None:
    """Some of everything, in several blocks."""
    books.post(
        move("000", "bank", "ann", 100_000),
        move("001", "usbank", "carl", 500, currency="USD"),
        opening=(new("usbank", AccountFlag.NONE, currency="USD"), new("carl", currency="USD")),
    )
    for block in range(3):
        books.clock.advance(10)
        books.post(*(move(f"1{block}{n:03d}", "ann", "bob", 1 + n) for n in range(50)))
    hold, due = move("200", "ann", "bob", 70, kind=Kind.PENDING), books.clock.wall_ms() + 1000
    books.post(hold, move("201", "ann", "bob", 30, kind=Kind.PENDING), move("202", "ann", "bob", 5, kind=Kind.PENDING, due=due))
    books.post(hold.posted(TransferId("trf_203"), cny(50)))
    books.pass_time(2000)
    books.send(NoteFork(why="a drill"))
    books.post(
        move("300", "bob", "ann", 3), move("301", "bank", "esc", 3), move("302", "esc", "bob", 3), opening=(new("esc"),), closing=("esc",)
    )


def test_an_audit_says_what_it_has_proved(books: Books) -> None:
    """And about how much."""
    _fill(books)
    audited = books.audited()
    assert audited.faults == ()
    assert audited.proved == PROVED
    assert (audited.transfers, audited.accounts, audited.blocks, audited.forks) == (160, 6, 8, 1)
    assert (audited.holds, audited.holds_open, audited.milestones) == (3, 1, 4)
    assert audited.turnover == {"CNY": 100_000 + 3 * 1275 + 50 + 9, "USD": 500}
    assert audited.chain_end == books.cloud.writer.head.block_hash.hex()


def test_an_audit_tells_how_far_it_is(books: Books) -> None:
    """After each page, in transfers and then in accounts, and of how many."""
    _fill(books)
    told: list[tuple[int, int]] = []
    reader = books.cloud.store.reader()
    audit(reader, watch=lambda done, total: told.append((done, total)))
    reader.close()
    assert told == [(160, 166), (166, 166)]


class Timed:
    """A reader whose every statement takes two of the five seconds that a query has."""

    def __init__(self, reader: Snapshots) -> None:
        """Outside of a snapshot nothing is limited."""
        self.reader = reader
        self.left_s = inf
        self.statements = 0

    def begin(self) -> None:
        """Five seconds begin."""
        self.reader.begin()
        self.left_s = 5

    def go_on(self) -> None:
        """Five more."""
        self.left_s = 5

    def end(self) -> None:
        """Nothing is limited again."""
        self.reader.end()
        self.left_s = inf

    def __getattr__(self, name: str) -> Any:
        """Whatever looks."""
        self.left_s -= 2
        self.statements += 1
        if self.left_s < 0:
            raise FaultError("the query has had its time")
        return getattr(self.reader, name)


def test_an_audit_is_not_ended_by_the_time_that_a_query_may_take(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is long work, whatever there is most of."""
    monkeypatch.setattr(auditing, "ROWS_PER_PAGE", 2)
    for first in range(0, 120, 2):
        names = [f"many{number}" for number in (first, first + 1)]
        books.post(*(move(f"9{name}", "bank", name, 1) for name in names), opening=tuple(new(name) for name in names))
    _fill(books)
    for number in range(6):
        hold = move(f"h{number}", "ann", "bob", 1, kind=Kind.PENDING)
        books.post(hold)
        books.post(hold.posted(TransferId(f"trf_e{number}"), cny(1)))
    timed = Timed(books.cloud.store.reader())
    found = audit(timed)
    timed.reader.close()
    assert (found.faults, found.accounts, found.transfers) == ((), 126, 292)
    assert timed.statements > 100


def test_an_empty_book_is_in_order(books: Books) -> None:
    """Nothing is wrong with nothing."""
    audited = books.audited()
    assert (audited.faults, audited.transfers, audited.accounts, audited.blocks) == ((), 0, 3, 0)


_ADDED = (
    "INSERT INTO transfer SELECT 'trf_z', 161, debit, credit, 1, currency, code, kind, pending_ref, due, at, effective_at,"
    " -100004, 100004, 159, 159 FROM transfer WHERE seq = 1"
)
FAULTS = {
    "a changed amount": ("UPDATE transfer SET amount = amount + 1 WHERE seq = 20", {"balance_differs", "root_differs"}),
    "another payee": ("UPDATE transfer SET credit = 'acc_bank' WHERE seq = 20", {"balance_differs", "link_differs", "root_differs"}),
    "a changed code": ("UPDATE transfer SET code = 9 WHERE seq = 20", {"root_differs"}),
    "a changed date": ("UPDATE transfer SET effective_at = 1 WHERE seq = 20", {"root_differs"}),
    "a changed time": ("UPDATE transfer SET at = 1 WHERE seq = 60", {"root_differs", "time_runs_back"}),
    "a missing row": ("DELETE FROM transfer WHERE seq = 20", {"gap", "balance_differs", "link_differs", "root_differs"}),
    "a missing last row": ("DELETE FROM transfer WHERE seq = 160", {"head_differs", "block_differs", "counters_differ"}),
    "an added row": (_ADDED, {"head_differs", "block_differs", "counters_differ"}),
    "a wrong counter": ("UPDATE counter SET credits_posted = credits_posted + 1 WHERE number = 3", {"counters_differ"}),
    "a wrong pending counter": ("UPDATE counter SET debits_pending = 0 WHERE number = 2", {"counters_differ"}),
    "a wrong count": ("UPDATE counter SET count = count + 1 WHERE number = 2", {"counters_differ"}),
    "a counter that is gone": ("DELETE FROM counter WHERE number = 4", {"counters_differ"}),
    "an idle account with money": ("UPDATE counter SET credits_posted = 5 WHERE number = 1", {"counters_differ"}),
    "an account that is gone": ("DELETE FROM account WHERE id = 'acc_carl'", {"account_missing"}),
    "another currency": ("UPDATE account SET currency = 'EUR' WHERE id = 'acc_carl'", {"currency_differs", "sum_not_zero"}),
    "a limit that came later": ("UPDATE account SET flags = 1 WHERE id = 'acc_bank'", {"limit_passed"}),
    "closed with money": ("UPDATE account SET flags = 5 WHERE id = 'acc_bob'", {"limit_passed"}),
    "a wrong balance after": ("UPDATE transfer SET debit_balance_after = 1 WHERE seq = 20", {"balance_differs"}),
    "a wrong link back": ("UPDATE transfer SET credit_prev_seq = 17 WHERE seq = 20", {"link_differs"}),
    "a milestone too many": ("INSERT INTO milestone (account, at, seq) VALUES ('acc_ann', 1, 1)", {"milestone_differs"}),
    "a milestone too few": ("DELETE FROM milestone WHERE account = 'acc_bob'", {"milestone_differs"}),
    "a resolution that is gone": ("DELETE FROM resolution WHERE hold = 'trf_200'", {"hold_differs"}),
    "a resolution too many": ("INSERT INTO resolution (hold, seq) VALUES ('trf_201', 5)", {"hold_differs"}),
    "a doubled resolution": ("UPDATE transfer SET pending_ref = 'trf_200' WHERE kind = 'expire'", {"hold_differs"}),
    "more posted than held": ("UPDATE transfer SET amount = 71 WHERE kind = 'post'", {"hold_differs"}),
    "a hold of others": ("UPDATE transfer SET credit = 'acc_bank' WHERE id = 'trf_200'", {"hold_differs"}),
    "a cut chain": ("DELETE FROM block WHERE number = 3", {"block_differs", "chain_cut"}),
    "a forged root": ("UPDATE block SET root = previous WHERE number = 3", {"root_differs", "chain_cut"}),
    "a forged hash": ("UPDATE block SET hash = root WHERE number = 3", {"chain_cut"}),
    "a forged last hash": ("UPDATE block SET hash = root WHERE number = 8", {"chain_cut", "head_differs"}),
    "a block moved in time": ("UPDATE block SET at = at + 1 WHERE number = 3", {"chain_cut"}),
    "a fork that is gone": ("DELETE FROM fork", {"chain_cut"}),
    "a fork moved": ("UPDATE fork SET after_block = 3", {"chain_cut", "block_differs"}),
    "a head that lies": ("UPDATE head SET transfer_seq = 161", {"head_differs"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(books: Books, name: str) -> None:
    """Each by its kind, and nothing is said to be proved."""
    _fill(books)
    assert books.audited().faults == ()
    sql, kinds = FAULTS[name]
    store = books.cloud.store
    store.begin()
    if name == "a doubled resolution":
        store.write("DROP INDEX transfer_by_hold")
    assert store.write(sql) >= 1
    store.commit()
    audited = books.audited()
    assert kinds <= {fault.kind.value for fault in audited.faults}
    assert audited.faults_found >= len(audited.faults) > 0
    assert audited.proved == ()


def test_an_audit_reads_a_book_that_grows_meanwhile(books: Books) -> None:
    """What is posted between two pages is part of it."""
    from yunduan.domains.ledger import audit

    _fill(books)
    reader = books.cloud.store.reader()
    work = audit._Audit(reader, None)
    assert work.stream()
    books.post(move("400", "bank", "ann", 1))
    assert work.stream()
    books.post(move("401", "bank", "ann", 1))
    reader.begin()
    assert work.stream()
    books.post(move("402", "bank", "ann", 1))
    assert not work.stream()
    audited = work.finish()
    reader.end()
    reader.close()
    assert (audited.faults, audited.transfers) == ((), 162)
