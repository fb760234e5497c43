"""For us and for app developers: a whole cloud under virtual time, driven from plain functions."""

from yunduan.testing.world import World

__all__ = ["World"]
