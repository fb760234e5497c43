"""Makes the fonts of the papers from Debian's packages `fonts-droid-fallback` and `fonts-open-sans`: parts of them, small enough to ship.

Needs fonttools, which nothing else here does: `.venv/bin/pip install fonttools && .venv/bin/python tools/fonts.py`.
"""

from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FONTS = Path("/usr/share/fonts/truetype")
TARGET = Path(__file__).parents[1] / "src" / "yunduan" / "edges" / "papers" / "fonts"
HAN = {ord(char) for char in map(chr, range(0x80, 0x10000)) if char.encode("gbk", "ignore")}
"""What GBK has: every character of Chinese names and addresses but the rarest, kana, Greek, Cyrillic."""
SYMBOLS = {*range(0x2000, 0x3400), *range(0xFF00, 0xFFF0)}
LATIN = {*range(0x20, 0x2600), 0xFFFD}
"""Latin, Greek, Cyrillic, punctuation, and what stands for a character that cannot be shown."""
SOURCES = {
    "han.ttf": ("droid/DroidSansFallbackFull.ttf", HAN | SYMBOLS),
    "latin.ttf": ("open-sans/OpenSans-Regular.ttf", LATIN),
    "latin-bold.ttf": ("open-sans/OpenSans-Bold.ttf", LATIN),
}
DROPPED = ["GPOS", "GSUB", "GDEF", "kern", "vhea", "vmtx", "gasp", "DSIG"]
"""Tables that printing does without."""


def main() -> None:
    """Write each of them: without hints, which paper has no use for, and with the time of its source."""
    for name, (source, characters) in SOURCES.items():
        font = TTFont(FONTS / source, recalcTimestamp=False)
        options = subset.Options(hinting=False, layout_features=[], notdef_outline=True, name_IDs=["*"], drop_tables=DROPPED)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=characters)
        subsetter.subset(font)
        font.save(TARGET / name)
        print(name, (TARGET / name).stat().st_size, len(font.getBestCmap()))


if __name__ == "__main__":
    main()
