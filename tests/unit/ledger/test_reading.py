"""Statements, balances at any time, the trial balance, and who may see what."""

from collections.abc import Sequence

import pytest

from support.ledger import Books, cny, move, new
from yunduan.domains.ledger import store
from yunduan.domains.ledger.domain import DOMAIN
from yunduan.domains.ledger.model import AccountFlag, Kind
from yunduan.domains.ledger.queries import BalanceAt, Line, StatementOf, TrialBalance, TrialLine
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.refusals import Refused
from yunduan.runtime.ports import Reader, Row
from yunduan.runtime.registry import Ownership

ANN = AccountId("acc_ann")


def test_a_statement_shows_every_kind_newest_first(books: Books) -> None:
    """What it did to the posted balance, and what that was afterwards."""
    at = books.clock.wall_ms()
    hold = move("2", "ann", "bob", 70, kind=Kind.PENDING)
    books.post(move("1", "bank", "ann", 100, effective_at=5), hold, hold.posted(TransferId("trf_3"), cny(50)))
    statement = books.ask(StatementOf(account_id=ANN))
    assert statement.after is None
    assert statement.items == (
        Line(
            seq=3,
            id=TransferId("trf_3"),
            other_id=AccountId("acc_bob"),
            kind=Kind.POST,
            code=7,
            amount=cny(50),
            change=-50,
            balance=50,
            pending_id=TransferId("trf_2"),
            at=at,
            effective_at=at,
        ),
        Line(
            seq=2,
            id=TransferId("trf_2"),
            other_id=AccountId("acc_bob"),
            kind=Kind.PENDING,
            code=7,
            amount=cny(70),
            change=0,
            balance=100,
            pending_id=None,
            at=at,
            effective_at=at,
        ),
        Line(
            seq=1,
            id=TransferId("trf_1"),
            other_id=AccountId("acc_bank"),
            kind=Kind.SINGLE,
            code=7,
            amount=cny(100),
            change=100,
            balance=100,
            pending_id=None,
            at=at,
            effective_at=5,
        ),
    )


def test_pages_of_a_statement_follow_each_other_without_gap_or_overlap(books: Books) -> None:
    """Whatever is posted meanwhile."""
    books.post(*(move(f"{n:03d}", "bank", "ann" if n % 3 else "bob", n) for n in range(1, 200)))
    wanted = [n for n in range(199, 0, -1) if n % 3]
    seen: list[int] = []
    start = None
    while True:
        page = books.ask(StatementOf(account_id=ANN, after=start, limit=17))
        seen += [line.amount.amount for line in page.items]
        books.post(move(f"x{len(seen)}", "bank", "ann", 1))
        start = page.after
        if start is None:
            break
    assert seen == wanted


def test_a_page_that_is_not_the_accounts_is_not_shown(books: Books) -> None:
    """A made-up start opens nobody else's book."""
    books.post(move("1", "bank", "bob", 5), move("2", "bank", "ann", 5))
    for start in (1, 3, 2**53):
        with pytest.raises(Refused) as refused:
            books.ask(StatementOf(account_id=ANN, after=start))
        assert refused.value.code == "page_not_found"
    with pytest.raises(Refused) as refused:
        books.ask(StatementOf(account_id=AccountId("acc_nobody")))
    assert refused.value.code == "account_not_found"
    books.post(opening=(new("still"),))
    assert books.ask(StatementOf(account_id=AccountId("acc_still"))).items == ()


def test_the_balance_at_a_past_time_is_found_through_milestones(books: Books) -> None:
    """At the millisecond of each entry, between them, before the first and after the last; several entries may share one."""
    start = books.clock.wall_ms()
    expected: dict[int, tuple[int, int]] = {}
    seq = balance = 0
    for n in range(1, 120):
        books.clock.advance(10)
        for k in range(1 + n % 4):
            books.post(move(f"{n:03d}{k}", "bank", "ann", n))
            seq, balance = seq + 1, balance + n
        expected[books.clock.wall_ms()] = (balance, seq)
    assert books.account("ann").count > 4 * 64
    assert books.rows("SELECT count(*) FROM milestone WHERE account = ?", ANN) == [(books.account("ann").count // 64,)]
    last = (0, 0)
    for at in range(start - 10, books.clock.wall_ms() + 20, 5):
        last = expected.get(at, last)
        found = books.ask(BalanceAt(account_id=ANN, at=at))
        assert (found.balance, found.seq) == last
    assert books.ask(BalanceAt(account_id=AccountId("acc_bank"), at=2**53)).balance == -balance
    assert books.ask(BalanceAt(account_id=AccountId("acc_bob"), at=2**53)).seq == 0


def test_a_late_entry_with_an_early_date_changes_no_past_balance(books: Books) -> None:
    """The book is in the order of writing; the business date is what a statement shows."""
    books.post(move("1", "bank", "ann", 100))
    then = books.clock.wall_ms()
    books.clock.advance(1000)
    books.post(move("2", "bank", "ann", 50, effective_at=then - 5))
    assert books.ask(BalanceAt(account_id=ANN, at=then)).balance == 100
    assert books.ask(StatementOf(account_id=ANN)).items[0].effective_at == then - 5


class Walks:
    """Reads for the ledger, and counts the rows that each of its walks back visits."""

    def __init__(self, reader: Reader) -> None:
        """Through a connection."""
        self._reader = reader
        self.load = reader.load
        self.visited: list[int] = []

    def row(self, sql: str, arguments: Sequence[object] = ()) -> Row | None:
        """The row; of a walk also how long it is, by its own recursive part."""
        walk, answers, _ = sql.partition(") SELECT t.id")
        if answers:
            ((visited,),) = self._reader.rows(f"{walk}) SELECT CAST(count(*) AS INTEGER) FROM walk", arguments[: walk.count("?")])
            self.visited.append(visited)
        return self._reader.row(sql, arguments)


def longest_walk(books: Books) -> tuple[int, int]:
    """The longest and the shortest walk to the balance of an account with 300 entries, at the time of each of them."""
    for n in range(300):
        books.clock.advance(1)
        books.post(move(f"{n:03d}", "bank", "ann", 1))
    walks, account = Walks(books.cloud.behind), books.account("ann")
    for n, (at,) in enumerate(books.rows("SELECT at FROM transfer ORDER BY seq")):
        entry = store.entry_at(walks, account, at)
        assert (entry and entry.seq, len(walks.visited)) == (n + 1, n + 1)
    return max(walks.visited), min(walks.visited)


def test_a_walk_to_a_past_time_is_short(books: Books) -> None:
    """The entry that answers and 64 at most before it is reached, however long the account's history."""
    assert longest_walk(books) == (65, 1)


def test_a_walk_without_milestones_would_be_long(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts the steps can tell: from the newest entry it is as long as the history."""
    monkeypatch.setattr(store, "_MILESTONE_AFTER", "SELECT seq FROM milestone WHERE account = ? AND at > ? AND 1 = 0")
    assert longest_walk(books) == (300, 1)


def test_the_trial_balance_adds_up_per_currency_and_code(books: Books) -> None:
    """Debits and credits are equal in each currency, and sums beyond 63 bits are exact."""
    usd = (new("usbank", AccountFlag.NONE, currency="USD", code=3), new("carl", currency="USD", code=2))
    books.post(move("1", "bank", "ann", 100), move("2", "usbank", "carl", 7, currency="USD"), opening=usd)
    books.post(move("3", "carl", "usbank", 2, currency="USD", kind=Kind.PENDING))
    trial = books.ask(TrialBalance())
    assert trial.balanced
    assert trial.lines == (
        TrialLine(currency="CNY", code=1, accounts=3, debits_posted=100, credits_posted=100, debits_pending=0, credits_pending=0),
        TrialLine(currency="USD", code=2, accounts=1, debits_posted=0, credits_posted=7, debits_pending=2, credits_pending=0),
        TrialLine(currency="USD", code=3, accounts=1, debits_posted=7, credits_posted=0, debits_pending=0, credits_pending=2),
    )
    store = books.cloud.store
    store.begin()
    store.write("UPDATE counter SET debits_posted = ?, credits_posted = ?", (2**62, 2**62 - 1))
    store.commit()
    (cny_line, *_), balanced = books.ask(TrialBalance()).lines, books.ask(TrialBalance()).balanced
    assert (cny_line.debits_posted, cny_line.credits_posted, balanced) == (3 * 2**62, 3 * (2**62 - 1), False)


def test_operators_read_the_books_and_anyone_the_chain() -> None:
    """Roots are published; nothing else is."""
    for route in DOMAIN.routes:
        if route.path in ("/ledger/chain", "/ledger/blocks/{number}"):
            assert (route.owner.kind, route.scope) == (Ownership.ANYONE, None)
        else:
            assert (route.owner.kind, route.scope) == (Ownership.OPERATOR, "ledger:read")
            assert set(route.owner.roles) == {"admin", "finance", "analyst"}
        assert route.method == "GET"
