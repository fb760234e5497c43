"""Payment channels to build and test against: one whose money is ours at once, and a custodian that keeps it until it is split."""

from yunduan.backends.sandbox.channel import (
    METHODS,
    RETRY_MS,
    SIGNATURE,
    STALE_MS,
    TIMESTAMP,
    Event,
    Misbehaviour,
    Page,
    Said,
    Sandbox,
    StatementLine,
)
from yunduan.backends.sandbox.custodian import HOLD_MS, Custodian, Kept, KeptLine

__all__ = [
    "HOLD_MS",
    "METHODS",
    "RETRY_MS",
    "SIGNATURE",
    "STALE_MS",
    "TIMESTAMP",
    "Custodian",
    "Event",
    "Kept",
    "KeptLine",
    "Misbehaviour",
    "Page",
    "Said",
    "Sandbox",
    "StatementLine",
]
