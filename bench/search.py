"""How well and how fast goods are found: real queries and titles as documents, asked for by two of their words.

    python -m bench.search [DOCUMENTS] [QUERIES]
    python -m bench.search 1000000 1000     # takes long

Documents are the queries of `../shared/data/zh-queries` and the titles of `../shared/data/online-retail`. Asked is for two random words
of a document: as they are written, without a space, in pinyin, with one slip in a Latin word, with a character that sounds alike. A query
has found when one of the first ten documents has what was meant. More documents than there are titles are made of two of them each.
The index is made and asked as it is in production, without the cloud.
"""

import gc
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import rjieba

from yunduan.backends.sqlite import SideFolder
from yunduan.domains.catalog.findable import Findable, GoodsOnSale, GoodsToFind, Named
from yunduan.domains.search import words
from yunduan.domains.search.finding import Asked, Finder, find
from yunduan.domains.search.indexing import Indexer
from yunduan.kernel.money import Money

SHARED = Path(__file__).parents[2] / "shared" / "data"
NOW_MS = 1_790_000_000_000
Meant = tuple[str, ...]
FOUND_MIN = {"exact words": 0.99, "pinyin": 0.985, "pinyin in one word": 0.985, "one slip": 0.95, "sounds alike": 0.95}
"""What has to be found."""


def titles() -> list[str]:
    """Every document."""
    chinese = pq.read_table(SHARED / "zh-queries" / "ecom_queries.parquet")["query"].to_pylist()
    path = SHARED / "online-retail" / "online_retail_2009_2010.parquet"
    english = pq.read_table(path, columns=["description"])["description"].to_pylist()
    return chinese + sorted({text.strip() for text in english if text and text.strip()})


class Shelves:
    """Answers what an indexer asks of a catalog."""

    def __init__(self, documents: Sequence[str]) -> None:
        """Goods of two hundred shops in forty categories, each made when it is asked for: a million are too many to hold."""
        self._texts = documents

    def ask(self, query: Any) -> Any:
        """Goods by page, and by id."""
        if isinstance(query, GoodsOnSale):
            start = int(query.after[4:]) + 1 if query.after else 0
            return tuple(f"gds_{place:08}" for place in range(start, min(start + query.limit, len(self._texts))))
        assert isinstance(query, GoodsToFind)
        return tuple(self._goods(id, self._texts[int(id[4:])], Random(id)) for id in query.goods_ids)

    def row(self, _: str, __: Sequence[object] = ()) -> Any:
        """The head of a store that tells nothing."""
        return (1, 0, 0, b"", NOW_MS)

    def rows(self, _: str, __: Sequence[object] = ()) -> list[Any]:
        """No facts."""
        return []

    @staticmethod
    def _goods(id: str, text: str, random: Random) -> Findable:
        shop, category = random.randrange(200), random.randrange(40)
        return Findable(
            id=id,  # type: ignore[arg-type]
            shop=Named(f"shp_{shop}", "", ""),
            path=(Named(f"cat_{category}", "", ""),),
            title=text,
            title_en="",
            description="",
            description_en="",
            choices=(),
            told=(),
            price=Money(amount=100 + int(random.random() ** 3 * 100_000), currency="CNY"),
            listed_at=NOW_MS - random.randrange(10**10),
            sold=int(random.paretovariate(0.7)) % 10_000,
            reviews=random.randrange(50),
            stars=random.randrange(50),
            shop_reviews=0,
            shop_stars=0,
            is_shown=True,
            in_stock=random.random() < 0.9,
            away_until=0,
            free_shipping=random.random() < 0.3,
        )


def cut(text: str) -> list[str]:
    """The words of a document that may be asked for."""
    found = (word.strip().lower() for word in rjieba.cut_for_search(text))
    return sorted({word for word in found if len(word) > 1 and re.fullmatch(r"\w+", word)})


def couples(documents: Sequence[str], random: Random) -> Iterator[Meant]:
    """Two words of a random document, again and again."""
    while True:
        found = cut(random.choice(documents))
        if len(found) > 1:
            yield tuple(random.sample(found, 2))


def slipped(word: str, random: Random) -> str:
    """A word with one slip, not at its ends."""
    at, letter = random.randrange(1, len(word) - 1), random.choice("abcdefghijklmnopqrstuvwxyz")
    return (
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
    )[random.randrange(4)]


def asked(documents: Sequence[str], queries: int) -> dict[str, list[tuple[str, Meant]]]:
    """What is asked, by kind, with what is meant."""
    random = Random(5)
    of_two = couples(documents, random)
    exact = [next(of_two) for _ in range(queries)]
    chinese = [meant for meant in exact if all(words.is_chinese(word) for word in meant)]
    alike: dict[str, list[str]] = {}
    for sign in sorted({sign for text in documents for sign in text if words.is_chinese(sign)}):
        alike.setdefault(words.readings().get(sign, sign), []).append(sign)

    def sounding(meant: Meant) -> str:
        word, at = meant[0], random.randrange(len(meant[0]))
        others = [sign for sign in alike.get(words.readings().get(word[at], ""), ()) if sign != word[at]]
        return f"{word[:at]}{random.choice(others) if others else word[at]}{word[at + 1 :]} {meant[1]}"

    latin = [word for text in documents for word in cut(text) if re.fullmatch("[a-z]{5,}", word)]
    slips = [(slipped(word, random), (word,)) for word in random.choices(latin, k=queries)]
    read = {meant: ["".join(words.syllables_of(word)) for word in meant] for meant in chinese}
    return {
        "exact words": [(" ".join(meant), meant) for meant in exact],
        "without a space": [("".join(meant), meant) for meant in chinese],
        "pinyin": [(" ".join(read[meant]), meant) for meant in chinese],
        "pinyin in one word": [("".join(read[meant]), meant) for meant in chinese],
        "one slip": [(wrong, meant) for wrong, meant in slips if wrong != meant[0]],
        "sounds alike": [(sounding(meant), meant) for meant in chinese],
    }


def has_words(title: str, meant: Meant) -> bool:
    """Whether a title has what was meant, as it is searched."""
    return all(words.folded(word) in title for word in meant)


def has_sounds(title: str, meant: Meant) -> bool:
    """Whether it has it as it is read."""
    runs = [run for run in words.runs(title) if words.is_chinese(run)]
    said = " ".join(["", *(syllable for run in runs for syllable in words.syllables_of(run)), ""])
    return all(f" {' '.join(words.syllables_of(words.folded(word)))} " in said for word in meant)


def measured(finder: Finder, questions: Sequence[tuple[str, Meant]], has: Callable[[str, Meant], bool], *, counts: bool) -> dict[str, Any]:
    """The share that was found, and how long it took."""
    index = finder.refresh()
    assert index is not None
    found, times, used = 0, [], []
    for text, meant in questions:
        began, cpu = time.perf_counter(), time.thread_time()
        ranked = find(index, finder.shelf, Asked(text=text, now_ms=NOW_MS, counts=counts)).ranked[:10].tolist()
        times.append(time.perf_counter() - began)
        used.append(time.thread_time() - cpu)
        shown = index.titles(ranked)
        found += any(has(words.folded(shown[no].title), meant) for no in ranked)
    p50, p99, cpu50, cpu99 = (round(1000 * sorted(of)[len(of) * part // 100], 3) for of in (times, used) for part in (50, 99))
    said = {"found_at_10": round(found / len(questions), 4), "queries": len(questions)}
    return said | {"p50_ms": p50, "p99_ms": p99, "cpu_p50_ms": cpu50, "cpu_p99_ms": cpu99}


def run(documents: int = 0, queries: int = 2_000) -> dict[str, Any]:
    """Make the index, and ask."""
    everything, random = titles(), Random(3)
    chosen = random.sample(everything, min(documents, len(everything))) if documents else everything
    chosen += [f"{random.choice(everything)} {random.choice(everything)}" for _ in range(documents - len(chosen))]
    with tempfile.TemporaryDirectory() as folder:
        sides, shelves = SideFolder(Path(folder), "search"), Shelves(chosen)
        indexer = Indexer(sides, ask=shelves.ask, reader=shelves, now=lambda: NOW_MS)  # type: ignore[arg-type]
        words.spoken(("预热",))
        gc.freeze()  # as what keeps it does
        began, worked = time.perf_counter(), time.process_time()
        while indexer.step():
            pass
        seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        indexer.close()
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        figures: dict[str, Any] = {
            "documents": len(chosen),
            "made_s": round(seconds, 1),
            "made_cpu_s": round(cpu, 1),
            "a_second": round(len(chosen) / seconds),
            "mib": size >> 20,
        }
        finder = Finder(sides)
        for kind, questions in asked(chosen, queries).items():
            figures[kind] = measured(finder, questions, has_sounds if "pinyin" in kind else has_words, counts=False)
            print(f"{kind:20}", json.dumps(figures[kind]), flush=True)
        figures["with facets"] = measured(finder, asked(chosen, queries)["exact words"], has_words, counts=True)
        finder.close()
    return figures


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:]))))
