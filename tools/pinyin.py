"""The table of how Chinese is read: `python tools/pinyin.py [--check]` makes it of those of `pypinyin`.

A line is a syllable and the characters that are read so, most often; or a phrase, and how its characters are read in it, where one
is read otherwise than most often. Traditional characters are read as the simplified ones that they are searched as.
With `--check` nothing is written; the exit code is 1 when the table is not what would be made.
Those of `pypinyin` itself take 60 MiB of every process that reads them.
"""

import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from pypinyin.constants import PHRASES_DICT, PINYIN_DICT

from yunduan.domains.search.words import PHRASE_MAX, PINYIN, simplified

HEAD = """\
# How Chinese is read, without tones: a syllable with the characters read so, then phrases in which one is read otherwise.
# From pypinyin (MIT, https://github.com/mozillazg/python-pinyin), whose tables are those of pinyin-data and phrase-pinyin-data (MIT).
# Made by tools/pinyin.py.
"""
ALSO = (("干坤", "qian kun"), ("干隆", "qian long"))
"""Phrases that need no line as they are written, 乾坤 and 乾隆, but one as they are searched."""


def main(arguments: list[str]) -> int:
    """Write the table, or look whether it is what would be written."""
    made = HEAD + "".join(f"{line}\n" for line in lines())
    if "--check" in arguments:
        return int(PINYIN.read_text("utf-8") != made)
    Path(str(PINYIN)).write_text(made, "utf-8")
    return 0


def lines() -> Iterator[str]:
    """Its lines, in order."""
    every = {chr(code): plain(said.split(",")[0]) for code, said in PINYIN_DICT.items()}
    single = {sign: syllable for sign, syllable in every.items() if simplified(sign) == sign}
    alike: dict[str, list[str]] = {}
    for sign, syllable in sorted(single.items()):
        alike.setdefault(syllable, []).append(sign)
    for syllable, signs in sorted(alike.items()):
        yield f"{syllable} {''.join(signs)}"
    yield from (f"{text} {read}" for text, read in ALSO)
    written = {text for text, _ in ALSO}
    for original, said in sorted(PHRASES_DICT.items(), key=lambda item: (simplified(item[0]) != item[0], item[0])):
        text, read = simplified(original), [plain(syllable[0]) for syllable in said]
        if text in written:  # as simplified texts write it
            continue
        written.add(text)
        if len(read) == len(text) <= PHRASE_MAX and any(single.get(sign) != one for sign, one in zip(text, read, strict=True)):
            yield f"{text} {' '.join(read)}"


def plain(syllable: str) -> str:
    """A syllable without its tone; ü is typed as v."""
    bare = "".join([sign for sign in unicodedata.normalize("NFD", syllable) if not unicodedata.combining(sign) or sign == "\u0308"])
    return unicodedata.normalize("NFC", bare).replace("ü", "v")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
