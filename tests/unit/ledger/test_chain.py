"""Blocks, proofs and forks: what a third party can check with SHA-256 and JSON alone."""

import hashlib
import json

import msgspec
import pytest

from support.ledger import Books, move
from yunduan.domains.ledger import chain
from yunduan.domains.ledger.commands import NoteFork, PostTransfers
from yunduan.domains.ledger.model import Block, Kind, Proof, verify
from yunduan.domains.ledger.queries import BlockOf, ChainHead, ProofOf
from yunduan.kernel.actors import ANONYMOUS, SYSTEM
from yunduan.kernel.ids import TransferId
from yunduan.kernel.refusals import BrokenError, Refused


def _sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _rfc6962(leaves: list[bytes]) -> bytes:
    """The tree hash as RFC 6962 defines it: split at the largest power of two below the size."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return _sha(b"\x01" + _rfc6962(leaves[:k]) + _rfc6962(leaves[k:]))


@pytest.mark.parametrize("size", [*range(1, 34), 63, 64, 65, 255, 256, 257])
def test_the_tree_is_that_of_rfc_6962_and_every_path_leads_to_its_root(size: int) -> None:
    """Of whatever size; and no path leads there from another place, another size or another leaf."""
    leaves = [_sha(b"%d" % n) for n in range(size)]
    root = chain.root(leaves)
    assert root == _rfc6962(leaves)
    for index in range(size):
        path = chain.audit_path(leaves, index)
        assert chain.climbed(leaves[index], index=index, size=size, path=path) == root
        assert chain.climbed(_sha(b"x"), index=index, size=size, path=path) != root
        assert chain.climbed(leaves[index], index=index, size=size, path=[*path, root]) is None
        assert chain.climbed(leaves[index], index=index + size, size=size, path=path) is None
        if path:
            assert chain.climbed(leaves[index], index=index, size=size, path=path[:-1]) is None
            assert chain.climbed(leaves[index], index=index ^ 1, size=size, path=path) != root


def test_a_block_can_be_checked_with_json_and_sha_256_alone(books: Books) -> None:
    """As `chain` writes it down, with nothing of ours."""
    hold = move("2", "bank", "bob", 70, kind=Kind.PENDING, due=books.clock.wall_ms() + 5)
    books.post(move("1", "bank", "ann", 100, effective_at=5), hold, hold.voided(TransferId("trf_3")))
    rows = books.rows("SELECT * FROM transfer ORDER BY seq")
    dumped = [json.dumps(row, separators=(",", ":")).encode() for row in rows]
    at = books.clock.wall_ms()
    assert dumped[0] == b'["trf_1",1,"acc_bank","acc_ann",100,"CNY",7,"single",null,null,%d,5,-100,100,0,0]' % at
    root = _rfc6962([_sha(b"\x00" + b"1" + row) for row in dumped])
    header = json.dumps([1, 1, 3, root.hex(), "0" * 64, at], separators=(",", ":")).encode()
    block = books.ask(BlockOf(number=1))
    assert (block.root, block.hash) == (root.hex(), _sha(b"\x02" + b"1" + header).hex())
    assert books.cloud.writer.head.block_hash.hex() == block.hash


def test_every_commit_with_transfers_adds_one_block_to_the_chain(books: Books) -> None:
    """And one without adds none."""
    assert books.ask(ChainHead()).block is None
    books.post(move("1", "bank", "ann", 1))
    books.post()
    books.send_all([(PostTransfers(transfers=(move(f"2{n}", "bank", "ann", 1),)), SYSTEM) for n in range(5)])
    first, second = books.ask(BlockOf(number=1)), books.ask(BlockOf(number=2))
    assert (first.first, first.last, second.first, second.last) == (1, 1, 2, 6)
    assert (first.previous, second.previous) == ("0" * 64, first.hash)
    assert books.ask(ChainHead()).block == second
    with pytest.raises(Refused) as refused:
        books.ask(BlockOf(number=3))
    assert refused.value.code == "block_not_found"


def test_a_proof_shows_its_transfer_and_no_other(books: Books) -> None:
    """Whatever is changed in it, it no longer holds."""
    for size in (1, 2, 3, 7, 20):
        books.post(*(move(f"{size:02d}{n:02d}", "bank", "ann", 100 + n) for n in range(size)))
    for id in (row[0] for row in books.rows("SELECT id FROM transfer")):
        proof = books.ask(ProofOf(transfer_id=id))
        sent = msgspec.json.decode(msgspec.json.encode(proof), type=Proof)
        assert sent == proof
        assert verify(sent)
        for field, value in (("amount", 1), ("seq", proof.transfer.seq - 1), ("credit", "acc_bob"), ("at", 1), ("id", "trf_x")):
            assert not verify(msgspec.structs.replace(proof, transfer=msgspec.structs.replace(proof.transfer, **{field: value})))
        for field, value in (("root", "0" * 64), ("previous", "1" * 64), ("number", 99), ("at", 1), ("hash", "0" * 64), ("last", 99)):
            forged: Block = msgspec.structs.replace(proof.block, **{field: value})
            assert not verify(msgspec.structs.replace(proof, block=forged))
        assert not verify(msgspec.structs.replace(proof, path=(*proof.path, "0" * 64)))
    with pytest.raises(Refused) as refused:
        books.ask(ProofOf(transfer_id=TransferId("trf_none")))
    assert refused.value.code == "transfer_not_found"


def test_a_fork_hangs_in_the_chain(books: Books) -> None:
    """The block after a restore follows the fork, and the fork follows the last block; several may follow each other."""
    books.post(move("1", "bank", "ann", 1))
    block = books.ask(BlockOf(number=1))
    fork = books.send(NoteFork(why="restored from the copy of Monday"))
    assert (fork.number, fork.after_block, fork.transfer_seq, fork.previous) == (1, 1, 1, block.hash)
    row = json.dumps([1, 1, 1, block.hash, fork.at, fork.why], separators=(",", ":")).encode()
    assert fork.hash == _sha(b"\x03" + b"1" + row).hex()
    again = books.send(NoteFork(why="and once more"))
    books.post(move("2", "bank", "ann", 1))
    assert again.previous == fork.hash
    assert books.ask(BlockOf(number=2)).previous == again.hash
    assert books.ask(ChainHead()).fork == again
    assert verify(books.ask(ProofOf(transfer_id=TransferId("trf_2"))))
    audited = books.audited()
    assert (audited.faults, audited.forks, audited.blocks) == ((), 2, 2)


def test_only_the_cloud_itself_notes_a_fork(books: Books) -> None:
    """And it says why in plain letters."""
    before = books.everything()
    with pytest.raises(BrokenError):
        books.send(NoteFork(why="I should like one"), actor=ANONYMOUS)
    assert books.everything() == before
    for why in ("", "x" * 201, 'a "quote"', "back\\slash", "two\nlines", "云"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"why": why}, NoteFork)


def test_a_chain_that_does_not_end_where_the_head_says_is_not_continued(books: Books) -> None:
    """A writer that finds another end stops before it commits."""
    from yunduan.kernel.refusals import FaultError

    books.post(move("1", "bank", "ann", 1))
    store = books.cloud.store
    store.begin()
    store.write("UPDATE block SET hash = root")
    store.commit()
    books.cloud.writer._tx.forget()
    with pytest.raises(FaultError):
        books.post(move("2", "bank", "ann", 1))
    assert books.rows("SELECT count(*) FROM transfer") == [(1,)]
