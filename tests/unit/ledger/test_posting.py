"""Transfers, holds, accounts: what they do to the counters, and every no."""

import pytest

from support.ledger import Books, cny, move, new
from yunduan.domains.ledger.commands import ExpireHold, PostTransfers
from yunduan.domains.ledger.model import COUNTER_MAX, AccountFlag, Kind, NewAccount
from yunduan.domains.ledger.queries import AccountOf, AccountShown, BalanceOf
from yunduan.kernel.actors import ANONYMOUS, SYSTEM
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.refusals import BrokenError, Refused


def test_a_transfer_moves_an_amount_and_leaves_its_trace(books: Books) -> None:
    """Both counters, both balances after it, both links back."""
    books.post(move("1", "bank", "ann", 1000), move("2", "ann", "bob", 300, effective_at=5))
    assert books.counters("bank") == (1000, 0, 0, 0)
    assert books.counters("ann") == (300, 1000, 0, 0)
    assert books.counters("bob") == (0, 300, 0, 0)
    assert (books.account("ann").last_seq, books.account("ann").count) == (2, 2)
    now = books.clock.wall_ms()
    assert books.rows("SELECT * FROM transfer ORDER BY seq") == [
        ("trf_1", 1, "acc_bank", "acc_ann", 1000, "CNY", 7, "single", None, None, now, now, -1000, 1000, 0, 0),
        ("trf_2", 2, "acc_ann", "acc_bob", 300, "CNY", 7, "single", None, None, now, 5, 700, 300, 1, 0),
    ]
    assert books.audited().faults == ()


def test_linked_transfers_happen_all_or_not_at_all(books: Books) -> None:
    """The second is refused, so the first has not happened and its number is free."""
    assert books.refused(move("1", "bank", "ann", 100), move("2", "ann", "bob", 101)) == "insufficient_funds"
    books.post(move("3", "bank", "ann", 5))
    assert books.rows("SELECT id, seq FROM transfer") == [("trf_3", 1)]
    assert books.cloud.writer.head.transfer_seq == 1


def test_a_refusal_within_a_batch_leaves_no_hole_in_the_numbers(books: Books) -> None:
    """Commands of one batch, some of them refused after they had posted something."""
    books.post(move("0", "bank", "ann", 10))
    asked = [
        (PostTransfers(transfers=(move(f"{n}", "bank", "bob", 1), move(f"{n}x", "ann", "bob", 11 if n % 2 else 1))), SYSTEM)
        for n in range(1, 9)
    ]
    answers = books.send_all(asked)
    assert [isinstance(answer, Refused) for answer in answers] == [True, False] * 4
    assert [row[0] for row in books.rows("SELECT seq FROM transfer ORDER BY seq")] == list(range(1, 10))
    assert books.counters("bob") == (0, 8, 0, 0)
    assert books.audited().faults == ()
    assert books.audited().blocks == 2


def test_a_transfer_happens_once(books: Books) -> None:
    """The same again is accepted without effect, at any later time; the same id for anything else is refused."""
    first = move("1", "bank", "ann", 100)
    books.post(first)
    before = books.everything()
    books.post(first)
    books.post(first, first)
    books.clock.advance(1000)
    books.post(first)
    assert books.everything() == before
    for other in (
        move("1", "bank", "ann", 101),
        move("1", "bank", "bob", 100),
        move("1", "bob", "ann", 100),
        move("1", "bank", "ann", 100, code=8),
        move("1", "bank", "ann", 100, effective_at=1),
        move("1", "bank", "ann", 100, kind=Kind.PENDING),
    ):
        assert books.refused(other) == "transfer_exists"


def test_an_id_is_found_again_whatever_its_place_in_time(books: Books) -> None:
    """Ids that come out of order, in one batch and after a restart, are new when they are new and old when they are old."""
    books.post(move("5", "bank", "ann", 1), move("3", "bank", "ann", 1), move("4", "bank", "ann", 1))
    books.post(move("3", "bank", "ann", 1), move("1", "bank", "ann", 1), move("5", "bank", "ann", 1))
    books.cloud.writer._tx.forget()  # as after a start
    books.post(move("4", "bank", "ann", 1), move("0", "bank", "ann", 1), move("6", "bank", "ann", 1))
    assert books.refused(move("1", "bank", "ann", 2)) == "transfer_exists"
    assert books.counters("ann") == (0, 6, 0, 0)


def test_who_asks_twice_at_once_is_answered_twice_and_posted_once(books: Books) -> None:
    """Two callers, one id, one batch."""
    one = PostTransfers(transfers=(move("1", "bank", "ann", 100),))
    other = PostTransfers(transfers=(move("1", "bank", "ann", 200),))
    answers = books.send_all([(one, SYSTEM), (one, SYSTEM), (other, SYSTEM)])
    assert answers[:2] == [None, None]
    assert isinstance(answers[2], Refused)
    assert answers[2].code == "transfer_exists"
    assert books.counters("ann") == (0, 100, 0, 0)


@pytest.mark.parametrize(
    ("code", "transfer"),
    [
        ("account_not_found", move("1", "nobody", "ann", 1)),
        ("account_not_found", move("1", "bank", "nobody", 1)),
        ("same_account", move("1", "bank", "bank", 1)),
        ("currency_mismatch", move("1", "bank", "ann", 1, currency="USD")),
        ("currency_mismatch", move("1", "bank", "dollars", 1)),
        ("amount_zero", move("1", "bank", "ann", 0)),
        ("insufficient_funds", move("1", "ann", "bob", 1)),
        ("insufficient_funds", move("1", "bank", "till", 1)),
        ("insufficient_funds", move("1", "ann", "bob", 1, kind=Kind.PENDING)),
        ("account_closed", move("1", "bank", "shut", 1)),
        ("account_closed", move("1", "shut", "bank", 1)),
        ("pending_not_found", move("1", "bank", "ann", 1, kind=Kind.POST, pending=TransferId("trf_9"))),
        ("pending_not_found", move("1", "bank", "ann", 1, kind=Kind.VOID, pending=TransferId("trf_single"))),
        ("due_passed", move("1", "bank", "ann", 1, kind=Kind.PENDING, due=1)),
    ],
)
def test_what_is_refused_changes_nothing(books: Books, code: str, transfer: object) -> None:
    """Each no has its code."""
    books.post(
        move("single", "bank", "spare", 1),
        opening=(new("dollars", currency="USD"), new("till", AccountFlag.CREDITS_WITHIN_DEBITS), new("shut"), new("spare")),
        closing=("shut",),
    )
    assert books.refused(transfer) == code  # type: ignore[arg-type]
    assert books.refused(move("0", "bank", "bob", 1), transfer) == code  # type: ignore[arg-type]


def test_counters_do_not_overflow(books: Books) -> None:
    """Far beyond any real sum, and refused before the store would round it."""
    many = 10**15
    times, rest = divmod(COUNTER_MAX, many)
    for start in range(0, times, 500):
        books.post(*(move(f"{n:06d}", "bank", "ann", many) for n in range(start, min(times, start + 500))))
    books.post(move("x", "bank", "ann", rest))
    assert books.counters("ann") == (0, COUNTER_MAX, 0, 0)
    assert books.refused(move("y", "bank", "ann", 1)) == "account_full"


def test_an_account_that_exists_in_the_same_form_may_be_opened_again(books: Books) -> None:
    """In another form it is refused, and the transfers with it."""
    books.post(move("1", "bank", "ann", 10), opening=(new("ann"), new("bank", AccountFlag.NONE)))
    for other in (new("ann", AccountFlag.NONE), new("ann", currency="USD"), new("ann", code=2)):
        assert books.refused(move("2", "bank", "ann", 10), opening=(other,)) == "account_exists"
    assert books.counters("ann") == (0, 10, 0, 0)


def test_an_account_is_opened_and_closed_in_the_command_that_uses_it(books: Books) -> None:
    """As an escrow is; once closed, it may be closed again and opened again in form, but never moves."""
    books.post(move("1", "bank", "esc", 10), move("2", "esc", "ann", 10), opening=(new("esc"),), closing=("esc",))
    esc = books.account("esc")
    assert (esc.closed, esc.balance, esc.count) == (True, 0, 2)
    books.post(opening=(new("esc"),), closing=("esc",))
    assert books.refused(move("3", "bank", "esc", 10), opening=(new("esc"),)) == "account_closed"
    books.post(move("1", "bank", "esc", 10), move("2", "esc", "ann", 10), opening=(new("esc"),), closing=("esc",))
    assert books.counters("ann") == (0, 10, 0, 0)
    assert books.audited().faults == ()


def test_only_an_empty_account_closes(books: Books) -> None:
    """Neither money nor a hold is left behind."""
    books.post(move("1", "bank", "ann", 10))
    assert books.refused(closing=("ann",)) == "account_not_empty"
    assert books.refused(closing=("nobody",)) == "account_not_found"
    books.post(move("2", "bank", "bob", 10, kind=Kind.PENDING))
    assert books.refused(closing=("bob",)) == "account_not_empty"
    assert books.refused(move("3", "ann", "bob", 9), closing=("ann",)) == "account_not_empty"
    books.post(move("3", "ann", "bob", 10), closing=("ann",))
    assert books.account("ann").closed


def test_an_opening_that_is_undone_leaves_no_account(books: Books) -> None:
    """And the next one may open it in another form."""
    first = PostTransfers(transfers=(move("1", "esc", "ann", 1),), opening=(new("esc"),))
    then = PostTransfers(transfers=(move("2", "esc", "ann", 1),), opening=(new("esc", AccountFlag.NONE, code=9),))
    refused, accepted = books.send_all([(first, SYSTEM), (then, SYSTEM)])
    assert isinstance(refused, Refused)
    assert accepted is None
    assert (books.account("esc").code, books.account("esc").balance) == (9, -1)
    assert books.audited().faults == ()


def test_a_hold_sets_aside_and_a_post_moves_a_part(books: Books) -> None:
    """The rest is free again."""
    hold = move("2", "ann", "bob", 70, kind=Kind.PENDING)
    books.post(move("1", "bank", "ann", 100), hold)
    assert books.counters("ann") == (0, 100, 70, 0)
    assert books.counters("bob") == (0, 0, 0, 70)
    assert books.ask(BalanceOf(id=AccountId("acc_ann"))) == cny(30)
    assert books.refused(move("3", "ann", "bob", 31)) == "insufficient_funds"
    books.post(hold.posted(TransferId("trf_4"), cny(50)))
    assert books.counters("ann") == (50, 100, 0, 0)
    assert books.counters("bob") == (0, 50, 0, 0)
    assert books.ask(BalanceOf(id=AccountId("acc_ann"))) == cny(50)
    assert books.audited().faults == ()


def test_a_void_releases_everything(books: Books) -> None:
    """As if the hold had never been, but for its trace."""
    hold = move("2", "ann", "bob", 70, kind=Kind.PENDING)
    books.post(move("1", "bank", "ann", 100), hold, hold.voided(TransferId("trf_3")))
    assert books.counters("ann") == (0, 100, 0, 0)
    assert books.counters("bob") == (0, 0, 0, 0)
    assert books.account("ann").count == 3
    assert books.audited().faults == ()


def test_a_hold_ends_once(books: Books) -> None:
    """In the same batch, in a later one, by a post or a void; the same ending again is accepted."""
    hold = move("2", "ann", "bob", 70, kind=Kind.PENDING)
    post = hold.posted(TransferId("trf_3"))
    books.post(move("1", "bank", "ann", 100), hold, post)
    assert books.refused(hold.posted(TransferId("trf_4"), cny(1))) == "pending_resolved"
    assert books.refused(hold.voided(TransferId("trf_4"))) == "pending_resolved"
    books.post(post)
    other = move("5", "ann", "bob", 10, kind=Kind.PENDING)
    books.post(other)
    racing = [(PostTransfers(transfers=(other.posted(TransferId(f"trf_6{n}")),)), SYSTEM) for n in range(5)]
    answers = books.send_all(racing)
    assert [getattr(answer, "code", None) for answer in answers] == [None, *["pending_resolved"] * 4]
    assert books.counters("bob") == (0, 80, 0, 0)


def test_the_store_itself_lets_a_hold_end_once(books: Books) -> None:
    """Even a program that forgot to ask could not."""
    hold = move("2", "ann", "bob", 70, kind=Kind.PENDING)
    books.post(move("1", "bank", "ann", 100), hold, hold.voided(TransferId("trf_3")))
    store = books.cloud.store
    again = (
        "INSERT INTO transfer SELECT 'trf_4', 4, debit, credit, amount, currency, code, kind, pending_ref, due, at, effective_at,"
        " 0, 0, 0, 0 FROM transfer WHERE seq = 3"
    )
    for sql in (again, "INSERT INTO resolution (hold, seq) VALUES ('trf_2', 4)"):
        store.begin()
        with pytest.raises(Exception, match=r"(?i)unique"):
            store.write(sql)
        store.rollback()


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("exceeds_pending", move("3", "ann", "bob", 71, kind=Kind.POST, pending=TransferId("trf_2"))),
        ("pending_differs", move("3", "bank", "bob", 70, kind=Kind.POST, pending=TransferId("trf_2"))),
        ("pending_differs", move("3", "ann", "bank", 70, kind=Kind.VOID, pending=TransferId("trf_2"))),
        ("pending_differs", move("3", "ann", "bob", 69, kind=Kind.VOID, pending=TransferId("trf_2"))),
        ("amount_zero", move("3", "ann", "bob", 0, kind=Kind.POST, pending=TransferId("trf_2"))),
    ],
)
def test_an_ending_fits_its_hold(books: Books, code: str, ending: object) -> None:
    """The accounts are the hold's, the amount is within it, and a void is of all of it."""
    books.post(move("1", "bank", "ann", 100), move("2", "ann", "bob", 70, kind=Kind.PENDING))
    assert books.refused(ending) == code  # type: ignore[arg-type]


def test_a_hold_expires_at_its_time(books: Books) -> None:
    """Not a millisecond before; the ledger posts the ending itself and tells."""
    due = books.clock.wall_ms() + 1000
    hold = move("2", "ann", "bob", 70, kind=Kind.PENDING, due=due)
    books.post(move("1", "bank", "ann", 100), hold)
    books.pass_time(999)
    assert books.counters("ann") == (0, 100, 70, 0)
    books.clock.advance(1)
    assert books.refused(hold.posted(TransferId("trf_3"))) == "pending_expired"
    books.pass_time(0)
    assert books.counters("ann") == (0, 100, 0, 0)
    assert books.rows("SELECT kind, amount, pending_ref, at FROM transfer WHERE seq = 3") == [("expire", 70, "trf_2", due)]
    assert books.rows("SELECT kind FROM fact") == [("HoldExpired",)]
    assert books.refused(hold.voided(TransferId("trf_4"))) == "pending_resolved"
    assert books.audited().faults == ()


@pytest.mark.parametrize("ending", ["posted", "voided"])
def test_an_alarm_for_a_hold_that_has_ended_does_nothing(books: Books, ending: str) -> None:
    """It rings, and that is all."""
    hold = move("2", "ann", "bob", 70, kind=Kind.PENDING, due=books.clock.wall_ms() + 1000)
    books.post(move("1", "bank", "ann", 100), hold, getattr(hold, ending)(TransferId("trf_3")))
    books.pass_time(2000)
    assert books.rows("SELECT count(*) FROM transfer") == [(3,)]
    assert books.rows("SELECT count(*) FROM alarm") == [(0,)]


def test_a_hold_past_its_time_may_still_be_voided(books: Books) -> None:
    """Until its alarm has rung."""
    hold = move("2", "ann", "bob", 70, kind=Kind.PENDING, due=books.clock.wall_ms() + 1000)
    books.post(move("1", "bank", "ann", 100), hold)
    books.clock.advance(5000)
    books.post(hold.voided(TransferId("trf_3")))
    books.pass_time(0)
    assert books.counters("ann") == (0, 100, 0, 0)
    assert books.rows("SELECT count(*) FROM transfer") == [(3,)]


def test_what_makes_no_sense_is_a_broken_program(books: Books) -> None:
    """Not an answer, and nothing is changed."""
    hold = move("2", "bank", "bob", 70, kind=Kind.PENDING)
    books.post(hold)
    before = books.everything()
    for wrong in (
        move("3", "bank", "bob", 70, kind=Kind.EXPIRE, pending=hold.id),
        move("3", "bank", "bob", 70, kind=Kind.POST),
        move("3", "bank", "bob", 70, pending=hold.id),
        move("3", "bank", "bob", 70, due=5),
        move("3", "bank", "bob", 70, kind=Kind.PENDING, pending=hold.id),
    ):
        with pytest.raises(BrokenError):
            books.post(wrong)
    with pytest.raises(BrokenError):
        books.post(*(move(f"{n}", "bank", "bob", 1) for n in range(1001)))
    with pytest.raises(BrokenError):
        books.send(ExpireHold(pending_id=hold.id))  # it has no time
    with pytest.raises(BrokenError):
        books.send(ExpireHold(pending_id=TransferId("trf_9")))
    with pytest.raises(BrokenError):
        books.send(ExpireHold(pending_id=hold.id), actor=ANONYMOUS)
    assert books.everything() == before


def test_flags_that_no_account_can_begin_with_are_no_account() -> None:
    """Closed, or limited on both sides."""
    for flags in (AccountFlag.CLOSED, AccountFlag.DEBITS_WITHIN_CREDITS | AccountFlag.CREDITS_WITHIN_DEBITS):
        with pytest.raises(ValueError, match="no account begins"):
            NewAccount(id=AccountId("acc_x"), currency="CNY", code=1, flags=flags)


def test_an_account_limited_above_never_rises_past_zero(books: Books) -> None:
    """The mirror of a wallet: what is available is what it was debited."""
    books.post(move("1", "till", "bank", 50), opening=(new("till", AccountFlag.CREDITS_WITHIN_DEBITS),))
    assert books.ask(BalanceOf(id=AccountId("acc_till"))) == cny(50)
    books.post(move("2", "bank", "till", 20, kind=Kind.PENDING))
    assert books.ask(BalanceOf(id=AccountId("acc_till"))) == cny(30)
    assert books.refused(move("3", "bank", "till", 31)) == "insufficient_funds"
    books.post(move("3", "bank", "till", 30))
    assert books.ask(BalanceOf(id=AccountId("acc_till"))) == cny(0)


def test_an_account_that_is_not_there_is_nothing(books: Books) -> None:
    """A query says so."""
    assert books.ask(AccountOf(id=AccountId("acc_nobody"))) is None
    with pytest.raises(Refused, match="account_not_found"):
        books.ask(AccountShown(account_id=AccountId("acc_nobody")))
    with pytest.raises(BrokenError):
        books.ask(BalanceOf(id=AccountId("acc_bank")))  # it has no limit


def test_a_batch_whose_counters_disagree_is_not_committed(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that moves a counter beside its transfers is stopped before anything is on disk."""
    from yunduan.domains.ledger import model
    from yunduan.kernel.refusals import FaultError

    right = model.moved

    def wrong(*given: object, **more: object) -> object:
        d, c = right(*given, **more)  # type: ignore[arg-type]
        return (d[0], d[1] - 1, *d[2:]), c

    before = books.everything()
    monkeypatch.setattr(model, "moved", wrong)
    with pytest.raises(FaultError):
        books.post(move("1", "bank", "ann", 100))
    assert books.everything() == before


def test_a_hot_transfer_costs_few_statements(books: Books) -> None:
    """A batch of a hundred transfers between known accounts: rows added, rows changed, read back, and a block."""
    books.post(move("0", "bank", "ann", 100_000))
    books.send_all([(PostTransfers(transfers=(move(f"1{n:03d}", "ann", "bob", 1),)), SYSTEM) for n in range(100)])
    before = books.cloud.writer.statements
    books.send_all([(PostTransfers(transfers=(move(f"2{n:03d}", "bob", "ann", 1),)), SYSTEM) for n in range(100)])
    assert books.cloud.writer.statements - before <= 6  # a store that loads in sets looks the ids up
