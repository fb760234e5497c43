"""Proves the books from what is stored, trusting nothing that the program remembers."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from yunduan.domains.ledger import chain, model, store
from yunduan.domains.ledger.derivation import Derivation, Fault, FaultKind, Sum, begun
from yunduan.domains.ledger.model import Block, Fork, Form
from yunduan.domains.ledger.store import FORMS
from yunduan.kernel.ids import AccountId, TransferId
from yunduan.runtime.ports import Reader, Row, Snapshots

ROWS_PER_PAGE = 400
"""So few that what is read, added up and hashed stays in the processor's cache."""
PROVED = (
    "every transfer has its number once, from 1 to the last, and time never runs back",
    "debits equal credits in every currency, posted and pending",
    "the counters of every account are what its transfers add up to",
    "no limited account was ever beyond its limit, and closed ones are empty",
    "the balances after every transfer and its links to the one before are right",
    "every hold has ended once at most, within what it held",
    "every milestone is where it belongs",
    "every transfer is in a block, every root is right, and the chain is whole",
)
"""What an audit without faults has proved."""


class Audited(Struct, frozen=True, kw_only=True):
    """How much was read, and what is wrong (of very many faults only the first)."""

    transfers: int
    accounts: int
    blocks: int
    forks: int
    milestones: int
    holds: int
    holds_open: int
    turnover: dict[str, int]
    """Per currency, the posted debits of all accounts, which are their posted credits too."""
    chain_end: str
    faults: tuple[Fault, ...]
    faults_found: int

    @property
    def proved(self) -> tuple[str, ...]:
        """What is proved: everything, or nothing when there is a fault."""
        return () if self.faults_found else PROVED


def audit(reader: Snapshots, *, watch: Callable[[int, int], None] | None = None) -> Audited:
    """Read every transfer once, in order, then the rest of the books; the book may grow meanwhile.

    It is no query but long work: everything is read in pages, each of which may take as long as a query, however many there are. What
    is only ever added to is read first; the end and all that changes, within one snapshot. `watch` is told now and then how many
    transfers and accounts are read, and of how many.
    """
    work = _Audit(reader, watch)
    while work.stream():
        pass
    reader.begin()
    try:
        while work.stream():
            reader.go_on()
        return work.finish()
    finally:
        reader.end()


class _Audit:
    """One pass over the book, with what it has to remember on the way."""

    def __init__(self, reader: Snapshots, watch: Callable[[int, int], None] | None) -> None:
        self._reader = reader
        self._watch = watch
        self._expected = store.head(reader)[0] + store.last_number(reader)
        self._accounts = 0
        self._holds: dict[TransferId, Row] = {}
        self._ended: dict[str, int] = {}
        self._holds_ever = 0
        self._sums: dict[AccountId, Sum] = {}
        self._derivation = Derivation(self._begin, self._end_hold, self._sums)
        self._note = self._derivation.note
        self._seq = 0
        self._at = 0
        self._chain = _Chain(reader, self._derivation)

    def stream(self) -> bool:
        """Take the next transfers; false when there are no more."""
        rows = store.transfers_after(self._reader, self._seq, ROWS_PER_PAGE)
        if not rows:
            return False
        self._take_order(rows)
        self._take_holds(rows)
        self._derivation.take(rows)
        self._chain.take(rows)
        self._seq = rows[-1][1]
        self._tell()
        return True

    def _tell(self) -> None:
        if self._watch is not None:
            read = self._seq + self._accounts
            self._watch(read, max(self._expected, read))

    def _pages(self, page_after: Callable[[Reader, Any, int], list[Any]], last: Any, key: Callable[[Any], Any]) -> Iterator[list[Any]]:
        """What there is of something, page by page, each with a time of its own."""
        self._reader.go_on()
        while page := page_after(self._reader, last, ROWS_PER_PAGE):
            yield page
            last = key(page[-1])
            self._reader.go_on()

    def finish(self) -> Audited:
        """Compare what was added up with what the rest of the books says."""
        self._chain.finish(self._seq)
        self._take_accounts()
        milestones = self._take_milestones()
        self._take_resolutions()
        self._take_head()
        turnover = self._take_sums()
        derivation, chain = self._derivation, self._chain
        return Audited(
            transfers=self._seq,
            accounts=self._accounts,
            blocks=chain.blocks,
            forks=chain.forks,
            milestones=milestones,
            holds=self._holds_ever,
            holds_open=len(self._holds),
            turnover=turnover,
            chain_end=chain.end.hex(),
            faults=tuple(derivation.faults),
            faults_found=derivation.faults_found,
        )

    def _begin(self, id: AccountId) -> Sum | None:
        """The account as it was opened."""
        rows = self._reader.load(FORMS, (id,))
        if not rows:
            return None
        form = Form(*rows[0])
        return begun(form, (form.number, 0, 0, 0, 0, 0, 0))

    def _end_hold(self, id: TransferId) -> Row | None:
        return self._holds.pop(id, None)

    def _take_order(self, rows: list[Row]) -> None:
        times = [row[10] for row in rows]
        in_order = [row[1] for row in rows] == list(range(self._seq + 1, self._seq + len(rows) + 1))
        if not in_order or times[0] < self._at or times != sorted(times):
            self._find_disorder(rows)
        self._at = times[-1]

    def _find_disorder(self, rows: list[Row]) -> None:
        seq, at = self._seq, self._at
        for row in rows:
            if row[1] != seq + 1:
                self._note(FaultKind.GAP, f"transfer {seq + 1}", f"{row[1]} follows {seq}")
            if row[10] < at:
                self._note(FaultKind.TIME, f"transfer {row[1]}", f"{row[10]} follows {at}")
            seq, at = row[1], row[10]

    def _take_holds(self, rows: list[Row]) -> None:
        for row in [row for row in rows if row[7] != "single"]:
            if row[7] == "pending":
                self._holds[row[0]] = row
                self._holds_ever += 1
            else:
                if row[8] in self._ended:
                    self._note(FaultKind.HOLD, f"transfer {row[1]}", f"{row[8]} was ended by {self._ended[row[8]]}")
                self._ended[row[8]] = row[1]

    def _take_accounts(self) -> None:
        """Every account's counters are its sum."""
        for page in self._pages(store.accounts_after, "", lambda last: last[0].id):
            for form, counters in page:
                derived = self._sums.get(form.id) or [form.number, 0, 0, 0, 0, 0, 0]
                if counters is None or list(counters) != derived[:7]:
                    self._note(FaultKind.COUNTERS, f"account {form.id}", f"{counters and counters[1:]} for {tuple(derived[1:7])}")
                elif form.flags & model.CLOSED and not model.account_of(form, counters).empty:
                    self._note(FaultKind.LIMIT, f"account {form.id}", "closed, and not empty")
            self._accounts += len(page)
            self._tell()

    def _take_milestones(self) -> int:
        expected = self._derivation.milestones
        stand = {row for page in self._pages(store.milestones_after, ("", 0, 0), lambda last: last) for row in page}
        for account, at, seq in stand ^ set(expected):
            self._note(
                FaultKind.MILESTONE, f"account {account}", f"{'too many' if (account, at, seq) in stand else 'missing'}: {seq} at {at}"
            )
        return len(stand)

    def _take_resolutions(self) -> None:
        noted = {row for page in self._pages(store.resolutions_after, "", lambda last: last[0]) for row in page}
        for hold, seq in noted ^ set(self._ended.items()):
            self._note(FaultKind.HOLD, f"hold {hold}", f"its resolution by {seq} is noted or posted, not both")

    def _take_head(self) -> None:
        seq, hash = store.head(self._reader)
        if seq != self._seq:
            self._note(FaultKind.HEAD, "head", f"{seq} transfers, {self._seq} in the book")
        if hash != self._chain.end:
            self._note(FaultKind.HEAD, "head", f"the chain ends with {self._chain.end.hex()}, not {hash.hex()}")

    def _take_sums(self) -> dict[str, int]:
        """What all accounts of a currency owe is what all of them own."""
        totals: dict[str, list[int]] = {}
        for derived in self._sums.values():
            total = totals.setdefault(derived[8], [0, 0, 0, 0])
            for place in range(4):
                total[place] += derived[1 + place]
        for currency, (debits, credits, debits_pending, credits_pending) in totals.items():
            if debits != credits or debits_pending != credits_pending:
                self._note(FaultKind.SUM, currency, f"{debits}, {credits} posted; {debits_pending}, {credits_pending} pending")
        return {currency: total[0] for currency, total in sorted(totals.items())}


class _Chain:
    """Follows the blocks along with the transfers."""

    def __init__(self, reader: Snapshots, derivation: Derivation) -> None:
        self._reader = reader
        self._note = derivation.note
        self._leaves: list[bytes] = []
        self._first = 1
        self._known: list[Block] = []
        self.blocks = self.forks = 0
        self.end = chain.GENESIS

    def take(self, rows: list[Row]) -> None:
        """Hash more transfers, and check the blocks that are full with them."""
        self._leaves += chain.leaves(rows)
        through = self._first + len(self._leaves) - 1
        used = 0
        for block in store.blocks_after(self._reader, self.blocks, through):
            size = block.last - block.first + 1
            leaves = self._leaves[used : used + size]
            used += max(size, 0)
            self._check(block, leaves)
        del self._leaves[:used]

    def _check(self, block: Block, leaves: list[bytes]) -> None:
        where = f"block {block.number}"
        self._pass_forks(self.blocks)
        if block.number != self.blocks + 1 or block.first != self._first or block.last < block.first:
            self._note(FaultKind.BLOCK, where, f"{block.first} to {block.last} follows {self._first - 1} of block {self.blocks}")
        if not leaves or chain.root(leaves).hex() != block.root:
            self._note(FaultKind.ROOT, where, "its root is not that of its transfers")
        if block.previous != self.end.hex():
            self._note(FaultKind.CHAIN, where, f"it follows {block.previous}, not {self.end.hex()}")
        if model.hash_of(block) != block.hash:
            self._note(FaultKind.CHAIN, where, "its hash is not its own")
        self.blocks, self._first, self.end = block.number, block.last + 1, bytes.fromhex(block.hash)

    def _pass_forks(self, block: int) -> None:
        """The forks that were noted after a block."""
        for fork in store.forks_after(self._reader, self.forks, block):
            self._check_fork(fork)

    def _check_fork(self, fork: Fork) -> None:
        where = f"fork {fork.number}"
        if fork.number != self.forks + 1 or fork.after_block != self.blocks or fork.transfer_seq != self._first - 1:
            self._note(FaultKind.BLOCK, where, f"after block {fork.after_block}, {fork.transfer_seq} transfers")
        if fork.previous != self.end.hex() or model.hash_of_fork(fork) != fork.hash:
            self._note(FaultKind.CHAIN, where, "it does not follow, or its hash is not its own")
        self.forks, self.end = fork.number, bytes.fromhex(fork.hash)

    def finish(self, seq: int) -> None:
        """The last transfer is in the last block."""
        self._pass_forks(self.blocks)
        if self._leaves or self._first != seq + 1:
            self._note(FaultKind.BLOCK, f"block {self.blocks}", f"it ends with {self._first - 1}, the book with {seq}")
