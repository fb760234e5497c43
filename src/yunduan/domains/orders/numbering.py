"""Order numbers that people read out: twelve digits, of which the last checks the others.

They are a permutation under a secret of the deployment (four Feistel rounds; Luby and Rackoff 1988), so that nobody learns from two
of them how many orders lie between, although this file is open. Whoever holds the secret finds the order by its number, without an index.
"""

from hashlib import blake2b

from yunduan.kernel.refusals import invariant

NUMBERS = 10**11
_HALF = 316_228
"""The square root of `NUMBERS`, rounded up: a number is two halves below it."""
_ROUNDS = 4
_DAMM = tuple(
    tuple(int(digit) for digit in row)
    for row in [
        "0317598642",
        "7092154863",
        "4206871359",
        "1750983426",
        "6123045978",
        "3674209581",
        "5869720134",
        "8945362017",
        "9438617205",
        "2581436790",
    ]
)


def _after_three(group: int) -> bytes:
    """What three digits make of each digit that is held when they come."""
    first, second, third = group // 100, group // 10 % 10, group % 10
    return bytes(_DAMM[_DAMM[_DAMM[held][first]][second]][third] for held in range(10))


_AFTER = tuple(_after_three(group) for group in range(1000))


def check_digit(number: int) -> int:
    """The check digit of H. M. Damm (2004), which catches every wrong digit and every swap of neighbours; of at most twelve digits.

    Digits are taken three at a time; zeros before a number change nothing.
    """
    high, low = number // 1_000_000, number % 1_000_000
    return _AFTER[low % 1_000][_AFTER[low // 1_000][_AFTER[high % 1_000][_AFTER[high // 1_000][0]]]]


class Numbering:
    """Makes order numbers of the places of orders, and finds the places again: a port."""

    def __init__(self, secret: bytes) -> None:
        """`secret` is the deployment's own, up to 64 bytes; another one makes other numbers."""
        self._rounds = tuple(blake2b(bytes([number]), key=secret, digest_size=8) for number in range(_ROUNDS))

    def number_of(self, seq: int) -> str:
        """The number of the order in this place."""
        invariant(0 <= seq < NUMBERS, "there is a number for a hundred thousand million orders")
        place = self._forth(seq)
        while place >= NUMBERS:  # one in 700,000: the halves reach a little further than the numbers
            place = self._forth(place)
        return f"{place:011d}{check_digit(place)}"

    def seq_of(self, number: str) -> int | None:
        """Which order has a number; nothing when a digit is wrong."""
        if len(number) != 12 or not (number.isascii() and number.isdigit()) or check_digit(int(number)):
            return None
        seq = self._back(int(number[:11]))
        while seq >= NUMBERS:
            seq = self._back(seq)
        return seq

    def _forth(self, number: int) -> int:
        left, right = divmod(number, _HALF)
        for keyed in self._rounds:
            mixed = keyed.copy()
            mixed.update(right.to_bytes(4))
            left, right = right, (left + int.from_bytes(mixed.digest())) % _HALF
        return left * _HALF + right

    def _back(self, number: int) -> int:
        left, right = divmod(number, _HALF)
        for keyed in reversed(self._rounds):
            left, right = (right - _mixed(keyed, left)) % _HALF, left
        return left * _HALF + right


def _mixed(keyed: "blake2b", half: int) -> int:
    mixed = keyed.copy()
    mixed.update(half.to_bytes(4))
    return int.from_bytes(mixed.digest())
