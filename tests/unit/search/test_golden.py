"""Two hundred queries over the goods of the demonstration market find the same, in the same order, on both stores.

`golden.tsv` has a query a line and the titles that come first. Whoever changes how goods are found or ranked writes it anew
(`python tests/unit/search/test_golden.py`) and reads what has moved.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from support.stores import PostgresqlPlace, cluster
from unit.search.market import Market
from yunduan.backends.sqlite import SqliteStore
from yunduan.domains.catalog.commands import CreateCategory, CreateGoods, CreateShop
from yunduan.domains.catalog.lists import Card
from yunduan.domains.catalog.model import GoodsForm, GoodsOption, OptionValue, VariantForm
from yunduan.domains.identity.commands import RegisterPerson
from yunduan.domains.search import words
from yunduan.domains.search.queries import SearchGoods
from yunduan.edges.demo.content import GoodsText, content
from yunduan.kernel.money import Money
from yunduan.testing import World

__all__ = ["Market", "cluster"]
GOLDEN = Path(__file__).parent / "golden.tsv"
SHOWN = 3
_cards = msgspec.json.Decoder(Card).decode
BY_HAND = (
    "阳光玫瑰", "yangguang meigui", "ygmg", "shine grape", "shin grapes", "陽光玫瑰",
    "葡萄", "putao", "pt", "苹果", "apple", "aple", "pingguo", "龙井茶", "longjing tea", "咖啡", "kafei", "coffe", "手表", "watch",
    "watches", "红茶", "hongcha", "羽毛球", "ymq", "连衣裙", "dress", "dresses", "儿童 玩具", "toys", "saozhou", "保温杯", "bwb",
    "sunglases", "雨伞", "umbrela", "牛奶", "milk", "nainiu", "西红柿", "番茄", "tomatos", "礼物", "包邮", "iphone 手机壳", "2024",
    "大码", "蛋糕", "dangao", "蛋高", "围棋", "足球 foot ball", "basket ball", "蘋果", "龍井茶", "兒童 玩具", "連衣裙", "餅乾", "雨傘",
)  # fmt: skip


def filled(world: World) -> None:
    """All goods of the demonstration market, each with its first price, listed a minute apart."""
    owner = world.send(RegisterPerson(phone="+8613800138000")).person_id
    categories = {}
    for branch in content().categories.values():
        top = world.send(CreateCategory(name=branch.name, name_en=branch.name_en)).id
        for key, name, name_en in branch.below:
            categories[key] = world.send(CreateCategory(name=name, name_en=name_en, parent_id=top)).id
    for text in content().shops:
        shop = world.send(
            CreateShop(
                owner_id=owner, name=text.name, name_en=text.name_en, country="CN", currency="CNY", commission_ppm=text.commission_ppm
            )
        )
        for place, goods in enumerate(text.goods):
            world.clock.advance_to(world.clock.wall_ms() + 60_000)
            world.send(CreateGoods(shop_id=shop.id, form=_form(goods, f"{text.key}-{place}", categories[goods.category]), publish=True))
    world.settle()


def _form(goods: GoodsText, sku: str, category_id: str) -> GoodsForm:
    choices = goods.choices()
    option = goods.option or ("规格", "Choice")
    values = tuple(OptionValue(name=name, name_en=name_en) for name, name_en, *_ in choices)
    return GoodsForm(
        title=goods.title,
        title_en=goods.title_en,
        description=goods.about,
        description_en=goods.about_en,
        category_id=category_id,
        options=(GoodsOption(name=option[0], name_en=option[1], values=values),) if choices[0][0] else (),
        variants=tuple(
            VariantForm(sku=f"{sku}-{at}", choice=(at,) if choices[0][0] else (), price=Money(amount=price, currency="CNY"))
            for at, (_, _, price, _) in enumerate(choices)
        ),
    )


def found(world: World, q: str) -> list[str]:
    """The first titles, and what was done to find any."""
    findings = world.ask(SearchGoods(q=q, limit=SHOWN))
    return [findings.loosened.value, *[_cards(item.card).title for item in findings.items]]


def golden() -> Iterator[tuple[str, list[str]]]:
    """The queries, and what they find."""
    for line in GOLDEN.read_text().splitlines():
        q, *rest = line.split("\t")
        yield q, rest


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_the_golden_queries_find_what_they_found(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Every one of them, to the order of what comes first."""
    here = None if kind == "sqlite" else PostgresqlPlace(request.getfixturevalue("cluster"))
    with World(here.open() if here else SqliteStore(tmp_path / "yunduan.sqlite"), folder=tmp_path, is_searched=True) as world:
        filled(world)
        assert {q: found(world, q) for q, _ in golden()} == dict(golden())
    if here:
        here.cluster.drop(here.schema)


def test_there_are_two_hundred_and_most_find_what_was_meant() -> None:
    """Of those that were made from a title, which stands before them in its own words."""
    lines = dict(golden())
    assert len(lines) >= 200
    assert sum(rest[0] == "nothing" for rest in lines.values()) / len(lines) >= 0.9


def _asked() -> Iterator[str]:
    """What is asked: by hand, and of every sixth of the goods by words, pinyin, first letters, and English with a slip."""
    yield from BY_HAND
    draw = random.Random(7)
    for goods in [goods for shop in content().shops for goods in shop.goods][::7]:
        chinese = [run for run in words.runs(goods.title) if words.is_chinese(run)]
        yield goods.title.split()[0]
        yield " ".join(words.syllables_of(chinese[0]))
        yield "".join(syllable[0] for syllable in words.syllables_of(chinese[0]))
        english = max(words.runs(goods.title_en), key=len)
        at = draw.randrange(1, len(english) - 1)
        yield draw.choice([english[:at] + english[at + 1 :], english[:at] + english[at + 1] + english[at] + english[at + 2 :]])


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder, World.at(Path(folder), is_searched=True) as world:
        filled(world)
        lines = ["\t".join([q, *found(world, q)]) for q in dict.fromkeys(_asked())]
        GOLDEN.write_text("\n".join(lines) + "\n")
        sys.stdout.write(f"{len(lines)} queries\n")
