"""Checkouts against a server for some seconds, whatever becomes of it: `python -m bench.drive FOLDER PORT SECONDS START`."""

import os
import subprocess
import sys

from bench.wrk import SCRIPT


def main(folder: str, port: str, seconds: str, start: str) -> None:
    """Run the driver and ignore how it ends."""
    environment = os.environ | {"KIND": "purchase", "FOLDER": folder, "STYLE": "ours", "START": start}
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}"]
    subprocess.run(command, env=environment, check=False, capture_output=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
