"""Time passes: from some minutes to days, with everything that becomes due on the way."""

from yunduan.testing.trade.shoppers import DAY_MS, Drawn, Draws, Shoppers

WAITS_MS = (DAY_MS // 72, DAY_MS // 8, DAY_MS, 2 * DAY_MS, 4 * DAY_MS)


def _wait(it: Shoppers) -> Drawn:
    it.wait(it.chance.choice(WAITS_MS))
    return None


PASSING: Draws = ((_wait, 1),)
