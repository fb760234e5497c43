"""The code itself: rules that a reader may rely on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "yunduan"
PUBLIC_OF_A_DOMAIN = {"commands", "agreed", "recourse", "methods", "queries", "findable", "days", "turnover", "facts", "model", "domain"}
FORBIDDEN_NAMES = {"utils", "misc", "services", "managers", "common", "helpers"}
LINES_MAX = 800


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(SOURCE.rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that a module names in an import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_domain_sees_only_the_public_face_of_another(path: Path) -> None:
    """`commands`, `queries`, `facts` and `model` are seen; store and handlers' helpers are not."""
    parts = path.relative_to(SOURCE).parts
    own = parts[1] if parts[0] == "domains" and len(parts) > 2 else None
    if own is None:
        return
    for name in imports(ast.parse(path.read_text())):
        found = re.match(r"yunduan\.domains\.(\w+)\.(\w+)", name)
        if found and found[1] != own:
            assert found[2] in PUBLIC_OF_A_DOMAIN - {"domain"}, f"{own} looks into {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_exception_is_caught_in_runtime_edges_and_testing_alone(path: Path) -> None:
    """Elsewhere a broken program must be seen."""
    if path.relative_to(SOURCE).parts[0] in {"runtime", "edges", "testing"}:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            names = {part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)} if node.type else {"Exception"}
            if names & {"Exception", "BaseException"}:
                assert isinstance(node.body[-1], ast.Raise), f"{path}:{node.lineno} swallows every exception"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_fits_a_reading_and_is_named_for_what_it_holds(path: Path) -> None:
    """A drain begins with a name that promises nothing."""
    assert path.stem not in FORBIDDEN_NAMES
    assert len(path.read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_domains_sql_is_in_its_store(path: Path) -> None:
    """So that every statement on a table is found in one place."""
    parts = path.relative_to(SOURCE).parts
    if parts[0] != "domains" or path.stem.startswith(("store", "audit")):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.match(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s", node.value), f"{path}:{node.lineno} holds SQL"


def test_texts_name_no_place_that_a_user_does_not_have() -> None:
    """A clone stands alone."""
    here = str(ROOT.parent) + "/"
    for path in [
        *ROOT.glob("*.*"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("src/**/*"),
        *ROOT.glob("tests/**/*.py"),
        *ROOT.glob("bench/**/*.py"),
    ]:
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".sql", ".txt"}:
            text = path.read_text()
            assert here not in text, f"{path} names a path of this machine"
