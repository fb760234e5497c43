"""No statement is made from what somebody has sent: every text that reaches a store is a constant of some module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from yunduan.cloud import DOMAINS
from yunduan.runtime.registry import Registry

SOURCE = Path(__file__).parents[2] / "src" / "yunduan"
RUNS_SQL = {"row", "rows", "write", "write_one", "append", "script", "execute", "executemany", "_row", "_rows", "_execute"}
"""Methods whose first argument is a statement."""
STORES = {"tx", "at", "reader", "store", "look", "connection", "self"}
"""What they are methods of."""
VERBS = (
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "WITH ",
    "CREATE ",
    "DROP ",
    "ALTER ",
    "PRAGMA ",
    "VACUUM",
    "ATTACH ",
    "COPY ",
    "LOCK ",
    "SET ",
)
BUILDERS = {"backends", "runtime", "testing"}
"""Where the shapes of declared tables are turned into statements; nothing of a message ever comes there."""


def modules(*names: str) -> list[Path]:
    """Every module of these packages."""
    return sorted(path for name in names for path in (SOURCE / name).rglob("*.py"))


def shown(path: Path) -> str:
    """Its name."""
    return str(path.relative_to(SOURCE))


def constants(tree: ast.Module) -> set[str]:
    """Names that a module gives a value once, at its top, and writes in capitals."""
    found = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        found |= {target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()}
    return found


def made_texts(tree: ast.AST) -> Iterator[tuple[ast.AST, list[ast.expr]]]:
    """Every text that is put together, with what is put into it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node, [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
            yield node, [node.left, node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "replace", "join"}:
            yield node, [node.func.value, *node.args]


def is_sql(node: ast.AST) -> bool:
    """Whether some text in it begins like a statement."""
    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return any(text.lstrip().startswith(VERBS) for text in texts)


def is_constant(node: ast.expr, known: set[str]) -> bool:
    """Whether it is made of constants alone, such as the columns of a declared table."""
    if isinstance(node, ast.Name):
        return node.id.isupper() and node.id in known
    inside: dict[type, tuple[str, ...]] = {
        ast.Constant: (),
        ast.Attribute: ("value",),
        ast.FormattedValue: ("value",),
        ast.JoinedStr: ("values",),
        ast.BinOp: ("left", "right"),
        ast.Call: ("func", "args"),
    }
    if type(node) not in inside or (isinstance(node, ast.Call) and not isinstance(node.func, ast.Attribute)):
        return False
    found = [getattr(node, name) for name in inside[type(node)]]
    return all(is_constant(part, known) for value in found for part in (value if isinstance(value, list) else [value]))


def made_at_import(tree: ast.Module) -> set[int]:
    """The lines of functions that are called from the top of their module alone: they are over before anybody asks anything."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    later = {
        name.id
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        for name in ast.walk(node)
        if isinstance(name, ast.Name)
    }
    return {
        line
        for name, node in functions.items()
        if name.startswith("_") and name not in later and not node.decorator_list
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def offences(source: str) -> list[int]:
    """The lines on which a statement is made of more than constants."""
    tree = ast.parse(source)
    known = constants(tree) | {alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    at_top = {id(part) for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign)) for part in ast.walk(node)}
    lines = {
        node.lineno
        for node, parts in made_texts(tree)
        if is_sql(node) and id(node) not in at_top and not all(is_constant(part, known) for part in parts)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUNS_SQL and node.args:
            names = {part.id for part in ast.walk(node.func.value) if isinstance(part, ast.Name)}
            first = node.args[0]
            if names & STORES and isinstance(first, (ast.JoinedStr, ast.BinOp)) and is_sql(first) and not is_constant(first, known):
                lines.add(node.lineno)
    return sorted(lines - made_at_import(tree))


@pytest.mark.parametrize("path", [*modules("domains", "edges", "kernel"), SOURCE / "cloud.py"], ids=shown)
def test_no_statement_is_made_from_data(path: Path) -> None:
    """F-strings, sums, `%`, `format`, `join` and `replace` in a statement take constants of modules, and nothing that has a value."""
    assert offences(path.read_text()) == []


@pytest.mark.parametrize("path", modules(*sorted(BUILDERS)), ids=shown)
def test_what_turns_tables_into_statements_knows_no_message(path: Path) -> None:
    """Only names that `Table` declarations and migrations give: a module that makes statements imports no domain and no message."""
    if path.parts[len(SOURCE.parts)] == "testing" or not offences(path.read_text()):
        return
    tree = ast.parse(path.read_text())
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert not {name for name in names if name.startswith(("yunduan.domains", "yunduan.edges", "yunduan.kernel.messages"))}


@pytest.mark.parametrize(
    "source",
    [
        "def f(at, name):\n    return at.rows(f'SELECT * FROM x WHERE name = {name}')",
        "def f(at, name):\n    return at.rows('SELECT * FROM x WHERE name = ' + name)",
        "def f(at, name):\n    return at.rows('SELECT * FROM x WHERE name = %s' % name)",
        "def f(at, name):\n    return at.rows('SELECT * FROM x WHERE name = {}'.format(name))",
        "def f(at, order):\n    sql = 'SELECT * FROM x ORDER BY @'.replace('@', order)\n    return at.rows(sql)",
        "def f(at, names):\n    return at.rows('SELECT ' + ', '.join(names) + ' FROM x')",
        "def f(tx, table):\n    tx.write(f'DELETE FROM {table}')",
        "_t = 'x'\ndef f(tx):\n    tx.write(f'DELETE FROM {_t}')",
    ],
)
def test_the_rule_sees_each_way_of_making_one(source: str) -> None:
    """Proof that it can fail."""
    assert offences(source)


def test_the_rule_lets_constants_through() -> None:
    """Columns of a table, written once."""
    assert (
        offences("COLUMNS = 'a, b'\nALL = f'SELECT {COLUMNS} FROM x' + ' WHERE a = ?'\ndef f(at, a):\n    return at.rows(ALL, (a,))") == []
    )


def test_every_domain_is_read() -> None:
    """No package with a store is left out."""
    packages = {Path(domain.package.replace(".", "/")) for domain in Registry(DOMAINS).domains if ".domains." in domain.package}
    assert packages == {Path("yunduan/domains") / path.parent.name for path in modules("domains") if path.name == "domain.py"}
