"""What somebody searches for is remembered for whoever wants that, sealed, and gone when they say so."""

import asyncio
from typing import Any

import msgspec
import pytest

from support.stores import rows_of, tables
from unit.search.market import Market
from unit.search.test_keeping import HOSTILE
from yunduan.backends.vault import FileVault
from yunduan.domains.identity.commands import ErasePerson, RegisterPerson
from yunduan.domains.identity.model import Vault
from yunduan.domains.search.asked import Counting, NoteQueries, Noting, Own, QueriesOn
from yunduan.domains.search.model import Suggested, Suggestion
from yunduan.domains.search.queries import SearchMine, SuggestMine, SuggestWords
from yunduan.domains.search.recents import Entry, ForgetQueries, ForgetQuery, MyRecentQueries, RememberQueries, remembered
from yunduan.kernel.actors import SYSTEM, Actor


class Person:
    """Somebody who searches."""

    def __init__(self, market: Market, number: int, *, remembers: bool = True) -> None:
        """Register, and say whether it is to be remembered."""
        self.market = market
        self.world = market.world
        self.actor = Actor(person=self.world.send(RegisterPerson(phone=f"+861380000{number:04d}")).person_id)
        if remembers:
            self.send(RememberQueries(remembers=True))

    def send(self, command: Any) -> None:
        """Have something done, a moment later."""
        self.wait()
        self.world.send(command, actor=self.actor)

    def wait(self, ms: int = 1_000) -> None:
        """Let time pass."""
        self.world.clock.advance_to(self.world.clock.wall_ms() + ms)

    def search(self, *texts: str, **more: Any) -> None:
        """Search for one thing after the other."""
        for text in texts:
            self.wait()
            self.world.ask(SearchMine(q=text, **more), actor=self.actor)

    def noted(self) -> list[str]:
        """What is remembered, once it is noted."""
        self.world.settle()
        return self.recent()

    def recent(self) -> list[str]:
        """What is remembered."""
        return [one.text for one in self.world.ask(MyRecentQueries(), actor=self.actor).items]

    def suggested(self, q: str = "", kind: Suggested | None = Suggested.RECENT) -> list[str]:
        """What is suggested of a kind, or of every kind."""
        items: tuple[Suggestion, ...] = self.world.ask(SuggestMine(q=q), actor=self.actor).items
        return [one.text for one in items if kind is None or one.kind is kind]


def test_nothing_is_remembered_of_whoever_has_not_said_so(market: Market) -> None:
    """Nor of what was asked before, nor once they have said otherwise."""
    mei = Person(market, 1, remembers=False)
    assert not mei.world.ask(MyRecentQueries(), actor=mei.actor).remembers
    mei.search("葡萄", "龙井")
    assert mei.world.cloud.port(Counting).own(mei.actor.person) == ()
    assert mei.noted() == mei.suggested() == []
    assert rows_of(mei.world, "search_recent") == []
    mei.send(RememberQueries(remembers=True))
    mei.search("葡萄")
    assert mei.noted() == ["葡萄"]
    mei.send(RememberQueries(remembers=True))  # harmless
    assert mei.recent() == ["葡萄"]
    mei.search("龙井")  # on its way
    mei.send(RememberQueries(remembers=False))
    assert mei.noted() == mei.suggested() == []
    assert not mei.world.ask(MyRecentQueries(), actor=mei.actor).remembers
    mei.send(RememberQueries(remembers=True))
    assert mei.noted() == []


def test_the_latest_twenty_are_kept_each_once(market: Market) -> None:
    """A query that comes again moves up, however it is written; what only leafs through, or says nothing, is none."""
    mei = Person(market, 1)
    mei.search(*(f"葡萄 {number}" for number in range(25)))
    assert mei.noted() == [f"葡萄 {number}" for number in range(24, 4, -1)]
    mei.search("龙井 茶", "葡萄 7", "  龙井　茶 ", "!!!", "", "ＴＥＡ", "tea")
    assert mei.noted()[:4] == ["tea", "龙井 茶", "葡萄 7", "葡萄 24"]
    assert len(mei.recent()) == 20
    mei.wait()
    first = mei.world.ask(SearchMine(q="葡萄", limit=1), actor=mei.actor)
    assert mei.noted()[0] == "葡萄"
    mei.search("tea")
    mei.search("葡萄", limit=1, after=first.after)
    assert mei.noted()[:2] == ["tea", "葡萄"]
    (row,) = rows_of(mei.world, "search_recent")
    assert len(row[1]) < 2_000
    mei.search("白茶", *(f"葡萄 {number}" for number in range(19)), "白茶", "红茶")  # all of it between two notes
    assert mei.noted() == ["红茶", "白茶", *[f"葡萄 {number}" for number in range(18, 0, -1)]]


def test_one_can_be_removed_or_all_though_a_batch_is_on_its_way(market: Market) -> None:
    """What was asked before comes not again by it; what is asked after does."""
    mei = Person(market, 1)
    mei.search("葡萄", "龙井", "普洱")
    assert mei.noted() == ["普洱", "龙井", "葡萄"]
    mei.search("龙井")  # counted, and not noted
    late = mei.world.cloud.port(Counting).take()
    assert late is not None
    mei.send(ForgetQuery(text=" 龙井 "))
    mei.world.send(late)
    assert mei.noted() == ["普洱", "葡萄"] == mei.suggested()
    mei.send(ForgetQuery(text="手表"))  # harmless
    mei.search("龙井")
    assert mei.noted() == ["龙井", "普洱", "葡萄"]
    mei.search("白茶")
    late = mei.world.cloud.port(Counting).take()
    assert late is not None
    mei.send(ForgetQueries())
    mei.world.send(late)
    mei.world.send(late)
    assert mei.noted() == mei.suggested() == []
    assert mei.world.ask(MyRecentQueries(), actor=mei.actor).remembers
    mei.search("白茶")
    assert mei.noted() == ["白茶"]


def test_one_that_is_noted_twice_or_late_changes_nothing(market: Market) -> None:
    """Through several processes, in any order."""
    mei = Person(market, 1)
    now = mei.world.clock.wall_ms()
    own = [Own(person_id=mei.actor.person, entries=(Entry(text, now + later),)) for text, later in (("a", 5), ("b", 6), ("a", 7))]
    for one in (own[2], own[0], own[1], own[0], own[2]):
        mei.world.send(NoteQueries(own=(one,)))
    assert mei.recent() == ["a", "b"]


def test_they_are_suggested_before_others(market: Market) -> None:
    """Three that go on like what was typed, before what many ask, and no text twice; before anything is typed, the latest of all."""
    mei, world = Person(market, 1), market.world
    world.run(_noted(world.cloud, ("葡萄干", "葡萄酒")))
    mei.search("葡萄酒", "龙井", "葡萄 一", "葡萄 二", "葡萄 三")
    for settles in (False, True):
        if settles:
            world.settle()
        assert mei.suggested() == ["葡萄 三", "葡萄 二", "葡萄 一", "龙井", "葡萄酒"]
        assert mei.suggested("葡萄") == ["葡萄 三", "葡萄 二", "葡萄 一"]
        assert mei.suggested("葡萄酒") == ["葡萄酒"]
        assert mei.suggested("葡萄酒", Suggested.QUERY) == []
        assert mei.suggested("葡萄", Suggested.QUERY) == ["葡萄干", "葡萄酒"]
        assert mei.suggested("葡萄", None)[:5] == ["葡萄 三", "葡萄 二", "葡萄 一", "葡萄干", "葡萄酒"]
    assert "巨峰葡萄" in mei.suggested("葡萄", Suggested.GOODS)
    everybody = world.ask(SuggestWords(q="葡萄"))
    assert all(one.kind is not Suggested.RECENT for one in everybody.items)
    mei.search("葡萄酒")
    assert mei.suggested("葡萄", Suggested.QUERY) == ["葡萄干"]
    mei.search(*(f"茶 {number}" for number in range(15)))
    assert len(mei.suggested()) == 10


async def _noted(cloud: Any, texts: tuple[str, ...]) -> None:
    for text in texts:
        for _ in range(4):
            cloud.port(Counting).note(text, is_empty=False)
    await Noting(cloud, cloud.port(Counting)).run_once()


def test_nobody_sees_anybody_elses(market: Market) -> None:
    """Not by asking, not by suggestions, and operators neither."""
    mei, wang = Person(market, 1), Person(market, 2)
    mei.search("葡萄")
    assert mei.noted() == ["葡萄"]
    assert wang.recent() == wang.suggested() == wang.suggested("葡") == []
    wang.send(ForgetQueries())
    wang.send(ForgetQuery(text="葡萄"))
    assert mei.recent() == ["葡萄"]
    for nobody in (Actor(), SYSTEM):
        assert market.world.ask(MyRecentQueries(), actor=nobody).items == ()
        assert market.world.ask(SuggestMine(), actor=nobody).items == ()


def test_they_lie_sealed_and_are_told_in_no_fact(market: Market) -> None:
    """And go with their person: the row at once, and what an old copy has with the key."""
    mei = Person(market, 1)
    mei.search("我的秘密 13800138000")
    assert mei.noted() == ["我的秘密 13800138000"]
    for name in tables(mei.world):
        for row in rows_of(mei.world, name):
            for value in row:
                said = bytes(value) if isinstance(value, bytes) else str(value).encode()
                assert b"13800138000" not in said
                assert "我的秘密".encode() not in said or name == "toy"
    ((person, sealed, _),) = rows_of(mei.world, "search_recent")
    mei.search("龙井")  # on its way
    mei.world.send(ErasePerson(person_id=mei.actor.person))
    assert mei.noted() == []
    assert rows_of(mei.world, "search_recent") == []
    vault: FileVault = mei.world.cloud.port(Vault)  # type: ignore[type-abstract, assignment]
    assert vault.unseal(person, sealed) is None


def test_a_search_writes_nothing(market: Market) -> None:
    """What is remembered is noted with the counts, and counts for nothing by itself."""
    mei = Person(market, 1)
    ((before,),) = mei.world.rows("SELECT fact_seq FROM head")
    everything = [rows_of(mei.world, name) for name in tables(mei.world)]
    mei.search("葡萄", "葡萄", "龙井")
    mei.suggested("葡")
    assert [rows_of(mei.world, name) for name in tables(mei.world)] == everything
    mei.world.run(Noting(mei.world.cloud, mei.world.cloud.port(Counting)).run_once())
    ((after,),) = mei.world.rows("SELECT fact_seq FROM head")
    assert after == before + 1
    assert sorted((one.text, one.times) for one in mei.world.ask(QueriesOn()).items) == [("葡萄", 2), ("龙井", 1)]


def test_very_many_people_are_noted_some_at_a_time_and_no_more_than_so_many_kept() -> None:
    """Memory has an end, whoever searches."""
    counting = Counting()
    for number in range(6_000):
        for turn in range(25):
            counting.note_own(f"per_{number}", f"q {turn}", at_ms=turn)  # type: ignore[arg-type]
    people = set()
    while (noted := counting.take()) is not None:
        assert len(noted.own) <= 100
        assert all(len(own.entries) <= 20 for own in noted.own)
        people |= {own.person_id for own in noted.own}
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(noted), type=NoteQueries) == noted
    assert len(people) == 5_000


@pytest.mark.parametrize("q", [q for q in HOSTILE if len(q) <= 200], ids=lambda q: ascii(q)[:20])
def test_whatever_is_typed_is_remembered_as_text(market: Market, q: str) -> None:
    """Or not at all, if it says nothing; it is shown without what cannot be seen, and can be removed by itself."""
    mei = Person(market, 1)
    mei.search(q)
    for text in mei.noted():
        assert text.isprintable()
        assert mei.suggested() == [text]
        mei.suggested(q)
        mei.send(ForgetQuery(text=text))
    assert mei.recent() == []


def test_what_is_remembered_is_the_latest_in_whatever_order_it_comes() -> None:
    """A law: of any notes the newest of each, but for what was removed later."""
    a, b, gone = Entry("a", 5), Entry("b", 3), Entry("a", 6, is_gone=True)
    assert remembered((), (a, b), after=0) == remembered((b,), (a,), after=0) == remembered((a, b), (a, b), after=0) == (a, b)
    assert remembered((gone,), (a, b), after=0) == (b, gone)
    assert remembered((gone,), (Entry("A", 7),), after=0) == (Entry("A", 7),)
    assert remembered((), (a, b), after=4) == (a,)
    many = tuple([Entry(f"x{number}", number + 1, is_gone=number % 2 == 0) for number in range(100)])
    kept = remembered(many, (), after=0)
    assert (sum(one.is_gone for one in kept), len(kept)) == (20, 40)
    assert asyncio.iscoroutinefunction(Noting.run_once)
