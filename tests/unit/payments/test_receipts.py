"""Proofs for owners: that a transfer of their money is in the book, and nothing of anybody else's."""

import msgspec
import pytest

from support.payments import BUYER, OTHER, SECOND_SHOP, SHOP, Market, by_channel, by_wallet, part
from yunduan.domains.ledger.model import is_in, leaf_of
from yunduan.domains.ledger.queries import BlockOf
from yunduan.domains.payments.queries import Receipt, ReceiptOf, ReceiptOfShop
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.ids import PersonId, TransferId
from yunduan.kernel.refusals import Refused


def transfers(market: Market) -> dict[str, TransferId]:
    """Every transfer by what it does: from the letters of one account to those of another."""
    rows = market.world.rows("SELECT id, debit, credit FROM transfer ORDER BY seq")
    return {f"{debit[:3]} to {credit[:3]}{'' if debit[:3] != 'acc' else ' ' + debit[4:11]}": id for id, debit, credit in rows}


def seen(market: Market, id: TransferId, *, person: PersonId | None = None, shop=SHOP) -> Receipt | None:
    """What an owner is shown; nothing when it is not theirs."""
    try:
        if person is not None:
            return market.world.ask(ReceiptOf(transfer_id=id), actor=Actor(person=person))
        return market.world.ask(ReceiptOfShop(shop_id=shop, transfer_id=id))
    except Refused as no:
        assert no.code == "transfer_not_found"  # noqa: PT017 - the only code that it has
        return None


def a_story(market: Market) -> dict[str, TransferId]:
    """Topped up, paid from wallet and channel, given back in part, settled."""
    market.fill(BUYER, 500)
    market.decide(market.pay(1, [part(1, 800)], [by_wallet(500), by_channel(300)]))
    market.tell()
    market.refund(1, 1, 80)
    market.settle(1, 36)
    return transfers(market)


# For each transfer: what its buyer, its shop sees: the whole row, the leaf alone, or nothing
SEEN = {
    "acc to wal channel": ("leaf", ""),
    "wal to clr": ("whole", ""),
    "acc to clr channel": ("leaf", ""),
    "clr to esc": ("whole", "leaf"),
    "esc to wal": ("whole", "leaf"),
    "esc to acc": ("leaf", "leaf"),
    "esc to sha": ("leaf", "whole"),
}


def test_an_owner_has_a_proof_of_each_transfer_of_their_money(market: Market) -> None:
    """The row where both accounts are theirs, else the leaf alone: nobody is told another's balance; to others it is not there."""
    story = a_story(market)
    assert set(story) == set(SEEN)
    for what, id in story.items():
        for receipt, sees in zip((seen(market, id, person=BUYER), seen(market, id)), SEEN[what], strict=True):
            assert (receipt is not None) == bool(sees), what
            if receipt is None:
                continue
            assert receipt.block == market.world.ask(BlockOf(number=receipt.block.number))
            assert is_in(receipt.block, receipt.leaf, seq=receipt.seq, path=receipt.path)
            assert not is_in(receipt.block, "0" * 64, seq=receipt.seq, path=receipt.path)
            assert (receipt.transfer is not None) == (sees == "whole"), what
            assert receipt.transfer is None or leaf_of(receipt.transfer) == receipt.leaf
            assert "balance" not in msgspec.json.encode(receipt).decode() or sees == "whole"
        assert seen(market, id, person=OTHER) is None
        assert seen(market, id, shop=SECOND_SHOP) is None
    whole = seen(market, story["wal to clr"], person=BUYER)
    assert whole is not None
    assert whole.transfer is not None
    assert not is_in(
        whole.block, leaf_of(msgspec.structs.replace(whole.transfer, amount=whole.transfer.amount + 1)), seq=whole.seq, path=whole.path
    )


@pytest.mark.parametrize("actor", [ANONYMOUS, Actor(is_system=True)])
def test_nobody_owns_what_belongs_to_nobody(market: Market, actor: Actor) -> None:
    """Whoever has not signed in, and the cloud itself, are shown no transfer, nor is one that there is not."""
    id = a_story(market)["wal to clr"]
    for transfer_id in (id, TransferId("trf_none")):
        with pytest.raises(Refused) as no:
            market.world.ask(ReceiptOf(transfer_id=transfer_id), actor=actor)
        assert no.value.code == "transfer_not_found"
