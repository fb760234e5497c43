r"""Merkle trees and the chain of blocks: what a third party needs to check a receipt, with SHA-256 and JSON alone.

Encoding, version 1. A *row* is a JSON array (RFC 8259) without any space, in UTF-8: integers in decimal, ids and words as strings
(they are letters, digits and underscores, so nothing is ever escaped), absent values as `null`.

- Transfer: `[id, seq, debit, credit, amount, currency, code, kind, pending_ref, due, at, effective_at, debit_balance_after,
  credit_balance_after, debit_prev_seq, credit_prev_seq]`; times in milliseconds since 1970, balances credits less debits.
- Block: `[number, first, last, root, previous, at]`; hashes as 64 lower-case hex digits.
- Fork: `[number, after_block, transfer_seq, previous, at, why]`; `why` holds printable ASCII but `"` and `\`.

Hashes, `1` being the version in ASCII (0x31) and `|` meaning "followed by":

- leaf = SHA-256(0x00 | 1 | transfer row)
- node = SHA-256(0x01 | left | right)
- block = SHA-256(0x02 | 1 | block row)
- fork = SHA-256(0x03 | 1 | fork row)

The tree over a block's leaves, in the order of `seq`, is that of RFC 6962, section 2.1 (a level's odd last node is taken up as it
is). A block's `previous` is the hash of the block before it, or of the last fork noted since; that of the first is 32 zero bytes.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

GENESIS = bytes(32)
_encode = msgspec.json.Encoder().encode
_LEAF, _NODE, _BLOCK, _FORK = b"\x001", b"\x01", b"\x021", b"\x031"


def leaves(rows: Sequence[Sequence[Any]]) -> list[bytes]:
    """The leaf of each transfer row."""
    encode, digest, prefix = _encode, sha256, _LEAF
    return [digest(prefix + encode(row)).digest() for row in rows]


def _above(level: list[bytes]) -> list[bytes]:
    """The next level: pairs hashed, an odd last node taken up as it is."""
    digest, prefix = sha256, _NODE
    above = [digest(prefix + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def root(leaves: list[bytes]) -> bytes:
    """The Merkle root over one leaf or more."""
    level = leaves
    while len(level) > 1:
        level = _above(level)
    return level[0]


def audit_path(leaves: list[bytes], index: int) -> list[bytes]:
    """The siblings from a leaf up to the root."""
    path = []
    level = leaves
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        level = _above(level)
        index >>= 1
    return path


def climbed(leaf: bytes, *, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a leaf and its path lead to in a tree of `size` leaves; nothing when the path does not fit the tree."""
    if not 0 <= index < size:
        return None
    siblings = iter(path)
    node = leaf
    while size > 1:
        if index ^ 1 < size:
            sibling = next(siblings, None)
            if sibling is None:
                return None
            pair = sibling + node if index & 1 else node + sibling
            node = sha256(_NODE + pair).digest()
        index >>= 1
        size = (size + 1) >> 1
    return node if next(siblings, None) is None else None


def block_hash(*, number: int, first: int, last: int, root: bytes, previous: bytes, at: int) -> bytes:
    """What the next block names as its previous one."""
    return sha256(_BLOCK + _encode((number, first, last, root.hex(), previous.hex(), at))).digest()


def fork_hash(*, number: int, after_block: int, transfer_seq: int, previous: bytes, at: int, why: str) -> bytes:
    """What the first block after a restore names as its previous one."""
    return sha256(_FORK + _encode((number, after_block, transfer_seq, previous.hex(), at, why))).digest()
