"""Laws of posting templates: the parts are the whole, or there is no posting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunduan.domains.ledger.model import Kind, Posting
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.kernel.money import Money, split
from yunduan.kernel.refusals import BrokenError

TEMPLATE = Posting(name="settle", code=31)
weights = st.lists(st.integers(0, 1000), min_size=1, max_size=20)


def cny(amount: int) -> Money:
    return Money(amount=amount, currency="CNY")


@given(whole=st.integers(0, 10**12), by=weights, gathers=st.booleans(), due=st.one_of(st.none(), st.integers(1, 10**13)))
def test_whatever_is_spread_or_gathered_adds_up(whole: int, by: list[int], gathers: bool, due: int | None) -> None:
    """To the last unit, after rounding; nothing is of nothing; ids are those of the parts' places."""
    parts = [(AccountId(f"acc_{n}"), part) for n, part in enumerate(split(cny(whole), by))]
    hub, id = AccountId("acc_hub"), TransferId("pst_0")
    if gathers:
        transfers = TEMPLATE.gather(id, cny(whole), target=hub, parts=parts, due=due)
    else:
        transfers = TEMPLATE.spread(id, cny(whole), source=hub, parts=parts, due=due)
    assert sum(transfer.amount.amount for transfer in transfers) == whole
    assert all(transfer.amount.amount > 0 and transfer.amount.currency == "CNY" for transfer in transfers)
    assert {(transfer.credit if gathers else transfer.debit) for transfer in transfers} <= {hub}
    expected = [(f"pst_0{n:03x}", account, part) for n, (account, part) in enumerate(parts) if part]
    assert [(t.id, t.debit if gathers else t.credit, t.amount) for t in transfers] == expected
    assert {(t.code, t.kind, t.due) for t in transfers} <= {(31, Kind.SINGLE if due is None else Kind.PENDING, due)}


@given(whole=st.integers(0, 1000), amounts=st.lists(st.integers(0, 1000), max_size=5))
def test_parts_that_are_not_the_whole_are_a_broken_program(whole: int, amounts: list[int]) -> None:
    """Too much or too little."""
    parts = [(AccountId(f"acc_{n}"), cny(amount)) for n, amount in enumerate(amounts)]
    if sum(amounts) == whole:
        TEMPLATE.spread(TransferId("pst_0"), cny(whole), source=AccountId("acc_x"), parts=parts)
        return
    with pytest.raises(BrokenError):
        TEMPLATE.spread(TransferId("pst_0"), cny(whole), source=AccountId("acc_x"), parts=parts)


def test_a_posting_is_in_one_currency() -> None:
    """Another one is never hidden among the parts."""
    parts = [(AccountId("acc_a"), cny(5)), (AccountId("acc_b"), Money(amount=5, currency="USD"))]
    with pytest.raises(BrokenError):
        TEMPLATE.spread(TransferId("pst_0"), cny(10), source=AccountId("acc_x"), parts=parts)


@given(amount=st.integers(1, 10**12))
def test_a_move_is_one_transfer(amount: int) -> None:
    """Of the whole."""
    (transfer,) = TEMPLATE.move(TransferId("pst_0"), cny(amount), source=AccountId("acc_a"), target=AccountId("acc_b"))
    assert (transfer.id, transfer.debit, transfer.credit, transfer.amount) == ("pst_0000", "acc_a", "acc_b", cny(amount))
