"""A toy market for the simulator: purses, stalls, holds, bells and two followers. It uses everything that the runtime offers
and knows nothing of the business, so that what fails here is the runtime's fault.
"""

from yunduan.runtime.registry import Domain
from yunduan.testing.bazaar import commands, facts, followers

BAZAAR = Domain(
    name="bazaar",
    package="yunduan.testing.bazaar",
    commands=(
        commands.mint,
        commands.pay,
        commands.supply,
        commands.reserve,
        commands.purchase,
        commands.expire,
        commands.set_bell,
        commands.ring,
        commands.survey,
        commands.thank,
        commands.spoil,
    ),
    facts=(
        facts.Minted,
        facts.Paid,
        facts.Supplied,
        facts.Reserved,
        facts.Taken,
        facts.Expired,
        facts.BellSet,
        facts.Rang,
        facts.Surveyed,
        facts.Thanked,
    ),
    followers=(followers.FAME, followers.CENSUS_TAKER),
)

__all__ = ["BAZAAR"]
