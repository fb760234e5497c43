"""Writes the table by which traditional characters are searched as simplified ones, from the dictionaries of OpenCC.

    python tools/characters.py FOLDER VERSION

FOLDER holds OpenCC's `TSCharacters.txt`, `TWVariants.txt` and `HKVariants.txt`. Of several simplified characters the first is taken, as
OpenCC does. A variant of Taiwan or Hong Kong that simplified texts write as well (those of GB 2312) stays what it is.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

TABLE = Path(__file__).parents[1] / "src" / "yunduan" / "domains" / "search" / "traditional.txt"
HEAD = """\
# Traditional characters, each followed by the simplified one that it is searched as.
# Made by tools/characters.py from TSCharacters.txt, TWVariants.txt and HKVariants.txt of OpenCC (Open Chinese Convert), version {},
# https://github.com/BYVoid/OpenCC, copyright its authors, under the Apache License, Version 2.0. Changed: phrases, second choices and
# characters that stay what they are were left out, and what leads to another traditional character leads to the simplified one at once.
"""
A_LINE = 40


def rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines of a dictionary."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            sign, others = line.split("\t")
            yield sign, others.split()


def is_simplified(sign: str) -> bool:
    """Whether simplified texts write it, by the character set of 1980."""
    try:
        sign.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def table(folder: Path) -> dict[str, str]:
    """Every traditional character, and its simplified one."""
    found = {sign: others[0] for sign, others in rows(folder / "TSCharacters.txt")}
    ends = set(found.values())
    for name in ("TWVariants.txt", "HKVariants.txt"):
        for standard, variants in rows(folder / name):
            for variant in variants:
                if variant not in ends and not is_simplified(variant):
                    found.setdefault(variant, standard)
    ended = {sign: _end(sign, found) for sign in sorted(found)}
    return {sign: other for sign, other in ended.items() if sign != other and len(sign) == len(other) == 1}


def _end(sign: str, found: Mapping[str, str]) -> str:
    """Where a character leads at last."""
    seen = {sign}
    while (further := found.get(sign, sign)) not in seen:
        seen.add(further)
        sign = further
    return sign


def main(folder: str, version: str) -> None:
    """Write it."""
    pairs = [sign + other for sign, other in table(Path(folder)).items()]
    lines = ["".join(pairs[at : at + A_LINE]) for at in range(0, len(pairs), A_LINE)]
    TABLE.write_text(HEAD.format(version) + "\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(pairs)} characters\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
