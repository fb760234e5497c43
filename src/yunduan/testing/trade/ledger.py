"""A second bookkeeper of the ledger, who reads each transfer once, when it has been made, and nothing but transfers."""

from collections import Counter

from yunduan.runtime.ports import Reader
from yunduan.testing.checkers import claim

_TRANSFERS = "SELECT seq, debit, credit, amount, kind, debit_balance_after, credit_balance_after FROM transfer WHERE seq > ? ORDER BY seq"
_BALANCE = "SELECT c.credits_posted - c.debits_posted FROM account a JOIN counter c ON c.number = a.number WHERE a.id = ?"
_WHOLE = "SELECT CAST(coalesce(sum(credits_posted - debits_posted), 0) AS INTEGER) FROM counter"
_POSTED = ("single", "post")


class Ledger:
    """What is in every account by its transfers."""

    def __init__(self) -> None:
        """No transfer was read."""
        self.balances: Counter[str] = Counter()
        self._seq = 0

    def read_on(self, reader: Reader) -> None:
        """Take the transfers that are new: each says what it leaves behind it, and the counters of its accounts say the same."""
        touched: set[str] = set()
        for seq, debit, credit, amount, kind, debit_after, credit_after in reader.rows(_TRANSFERS, (self._seq,)):
            claim(seq == self._seq + 1, f"transfer {self._seq + 1} is missing before {seq}")
            self._seq = seq
            touched |= {debit, credit}
            if kind in _POSTED:
                self.balances[debit] -= amount
                self.balances[credit] += amount
            after = self.balances[debit], self.balances[credit]
            claim(after == (debit_after, credit_after), f"transfer {seq} leaves {debit_after} and {credit_after}, and must leave {after}")
        for account in sorted(touched):
            ((balance,),) = reader.rows(_BALANCE, (account,))
            claim(balance == self.balances[account], f"{account} has {balance}, its transfers add up to {self.balances[account]}")
        if touched:
            claim(reader.rows(_WHOLE) == [(0,)], "money was made, or lost")
