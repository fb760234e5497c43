"""What identity costs: statements a command, and no query that walks a table."""

from support.people import HOME, PHONE, People
from yunduan.domains.identity import store
from yunduan.domains.identity.commands import AddAddress, OpenSession, RegisterPerson, RequestCode, TouchSession
from yunduan.domains.identity.model import DAY_MS
from yunduan.kernel.actors import ANONYMOUS, Actor
from yunduan.kernel.messages import Command

WALKS = {"_PEOPLE_COUNT", "_NEWEST_LETTERS", "_WHOLE_STAFF"}
"""A job about everybody; the first fifty rows of an index from its end; and ten thousand from its beginning, after a role has changed."""


def _cost(people: People, command: Command[object], actor: Actor = ANONYMOUS) -> int:
    before = people.cloud.writer.statements
    people.send(command, actor=actor)
    return people.cloud.writer.statements - before


def test_each_statement_finds_its_rows_by_an_index(people: People) -> None:
    """None of them grows with the number of people."""
    statements = {name: sql for name, sql in vars(store).items() if isinstance(sql, str) and sql.startswith(("SELECT", "DELETE"))}
    assert len(statements) == 21
    for name, sql in statements.items():
        plan = [row[3] for row in people.rows(f"EXPLAIN QUERY PLAN {sql}", *([None] * sql.count("?")))]
        walks = [step for step in plan if step.startswith("SCAN")]
        assert bool(walks) == (name in WALKS), (name, plan)


def test_what_each_command_costs(people: People) -> None:
    """Counted in statements that a batch of one sends to the store, the head's own move not included."""
    people.send(RequestCode(contact="+8613800000001"))  # the row of the day
    assert _cost(people, RequestCode(contact=PHONE, device="d"), Actor(origin="192.0.2.1")) == 5
    id, code = people.code_for(PHONE)
    assert _cost(people, OpenSession(challenge_id=id, code=code)) == 8
    id, code = people.code_for("+8613800000003", device="a device's own secret")
    assert _cost(people, OpenSession(challenge_id=id, code=code)) == 11
    mei = people.signed_in("+8613800000002")
    assert _cost(people, TouchSession(session_id=mei.session)) == 0
    assert _cost(people, AddAddress(address=HOME), mei) == 2
    assert _cost(people, RegisterPerson(email="a@example.com"), Actor(is_system=True)) == 4
    people.clock.advance(DAY_MS)
    assert _cost(people, AddAddress(address=HOME), mei) == 2 + 1, "the time that is believed is noted once a minute"
    assert _cost(people, TouchSession(session_id=mei.session)) == 1
