"""The command line: `yunduan --help`. Exit codes: 0 done, 1 refused or something is wrong, 2 bad usage or settings."""

from yunduan.edges.cli.app import main

__all__ = ["main"]
