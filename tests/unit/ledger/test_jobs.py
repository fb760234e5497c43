"""The counters are added up once more behind the business of the day, and a difference is an alarm."""

from structlog.testing import capture_logs

from support.ledger import Books, cny, move
from yunduan.domains.ledger.model import Kind
from yunduan.kernel.ids import TransferId
from yunduan.runtime.jobs import Job, JobOf, JobStatus, StartJob


def _fill(books: Books, name: str, many: int) -> None:
    books.post(*(move(f"{name}{n:04d}", "bank", "ann", 1 + n) for n in range(many)))


def _derive(books: Books) -> Job:
    job = books.send(StartJob(kind="derive_counters"))
    books.settle()
    return books.ask(JobOf(id=job.id))


def test_the_job_adds_up_everything_and_goes_on_from_there(books: Books) -> None:
    """In steps; the next one begins where the last ended; holds of an earlier step are known in a later one."""
    hold = move("0", "bank", "bob", 70, kind=Kind.PENDING)
    books.post(hold)
    _fill(books, "1", 999)
    books.post(hold.posted(TransferId("trf_2"), cny(50)))
    first = _derive(books)
    assert (first.status, first.done, first.total) == (JobStatus.FINISHED, 1001, 1001)
    assert books.rows("SELECT * FROM derived ORDER BY number") == books.rows("SELECT * FROM counter ORDER BY number")
    _fill(books, "3", 10)
    books.post(move("4", "ann", "bob", 5))
    assert _derive(books).status is JobStatus.FINISHED
    assert books.rows("SELECT through FROM derivation") == [(1012,)]
    assert books.rows("SELECT * FROM derived ORDER BY number") == books.rows("SELECT * FROM counter ORDER BY number")


def _plant(books: Books, sql: str) -> None:
    store = books.cloud.store
    store.begin()
    assert store.write(sql) == 1
    store.commit()
    books.cloud.writer._tx.forget()


def _fails(books: Books) -> None:
    with capture_logs() as logs:
        job = _derive(books)
    assert job.status is JobStatus.FAILED
    assert [entry["log_level"] for entry in logs if entry["event"] == "ledger_differs"] == ["critical"]


def test_a_counter_that_differs_fails_the_job_and_rings(books: Books) -> None:
    """Whether it has moved since or not."""
    _fill(books, "1", 20)
    assert _derive(books).status is JobStatus.FINISHED
    _plant(books, "UPDATE counter SET credits_posted = credits_posted + 1 WHERE number = 2")
    _fails(books)


def test_an_idle_account_with_money_fails_the_job(books: Books) -> None:
    """No transfer ever touched it."""
    _fill(books, "1", 20)
    _plant(books, "UPDATE counter SET debits_pending = 1 WHERE number = 3")
    _fails(books)


def test_a_transfer_that_was_changed_fails_the_job(books: Books) -> None:
    """Its balances no longer follow."""
    _fill(books, "1", 20)
    _plant(books, "UPDATE transfer SET amount = 2 WHERE seq = 1")
    _fails(books)


def test_a_transfer_that_is_missing_fails_the_job(books: Books) -> None:
    """There is a gap."""
    _fill(books, "1", 20)
    _plant(books, "DELETE FROM transfer WHERE seq = 10")
    _fails(books)


def test_the_job_of_an_empty_book_is_done_at_once(books: Books) -> None:
    """Nothing to add up is no fault."""
    assert _derive(books).status is JobStatus.FINISHED
