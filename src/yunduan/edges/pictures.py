"""The pictures that come with the package: files that are named after their own content, and so never change.

A goods' picture is such a name, `goods/red-apple.88148f6ddd4f.webp`: the folder, what is to be seen, and the first twelve digits of
the SHA-256 of the file. A release adds pictures and neither changes nor removes one, since goods name them for as long as they live.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "media"
MEDIA_TYPES: Mapping[str, str] = {".webp": "image/webp"}
"""What files of an ending call themselves; no others are pictures."""
HASH_DIGITS = 12


@cache
def pictures() -> Mapping[str, Path]:
    """Every picture by its name; whatever is not in here is not there, wherever a name may lead."""
    files = (file for file in sorted(FOLDER.rglob("*")) if file.suffix in MEDIA_TYPES)
    return {file.relative_to(FOLDER).as_posix(): file for file in files}


@cache
def _shown() -> Mapping[str, str]:
    return {name.partition(".")[0]: name for name in pictures()}


def picture_of(what: str) -> str:
    """The name of the picture on which something is to be seen, such as `goods/red-apple`; raises `KeyError` when there is none."""
    return _shown()[what]
