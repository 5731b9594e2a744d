"""What may import what, read from the source."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Each package may import itself and those after it.
PACKAGES = ("stream", "ensembles", "learners")
# What speaks with an outside system; others know the protocols in stream.log and stream.store.
CONCRETE = {
    "stream.log_kafka",
    "stream.log_process",
    "stream.log_worker",
    "stream.log_embedded",
    "stream.log_database",
    "stream.kafka_topics",
    "stream.producer_kafka",
    "stream.producer_embedded",
    "stream.store_redis",
    "stream.store_embedded",
    "stream.bucket",
}
WIRING = {"stream.log_kinds", "stream.kafka_kinds", "stream.store_kinds", "stream.vault_kinds"}
# What an outside system brings with it: none of it is known to what learns.
OUTSIDE = {"kafka", "redis", "sqlite3", "socket", "time", "datetime", "pathlib", "threading"}
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).glob("**/*.py"))]
EACH = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(node: ast.AST) -> Iterator[str]:
    """Names of the modules that an import statement may bring in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports say the whole name"
        assert node.module is not None
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(tree: ast.AST) -> set[str]:
    return {name for node in ast.walk(tree) for name in imported(node)}


def top(name: str) -> str:
    return name.split(".")[0]


@EACH
def test_imports_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    above = PACKAGES[: PACKAGES.index(package)]
    outer = {*above, "tests", "benchmarks", "examples", "docker"}
    assert not {name for name in imports(tree_of(path)) if top(name) in outer}


@EACH
def test_imports_are_at_the_top(path: Path) -> None:
    hidden = {
        name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for name in imports(node)
        if top(name) in PACKAGES
    }
    assert not hidden


@EACH
def test_only_the_wiring_knows_what_is_concrete(path: Path) -> None:
    module = module_of(path)
    if module in WIRING or module in CONCRETE:
        return
    assert not imports(tree_of(path)) & CONCRETE


@EACH
def test_what_learns_knows_nothing_outside(path: Path) -> None:
    if module_of(path).startswith("stream"):
        return
    assert not {name for name in imports(tree_of(path)) if top(name) in OUTSIDE}


@EACH
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree_of(path))


@EACH
def test_every_name_that_is_offered_is_there(path: Path) -> None:
    if path.name == "__main__.py":
        return
    module = importlib.import_module(module_of(path))
    offered = getattr(module, "__all__", [])
    assert len(set(offered)) == len(offered)
    for name in offered:
        assert hasattr(module, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_has_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_modules_named_here_are_there() -> None:
    modules = {module_of(path) for path in FILES}
    assert modules >= CONCRETE | WIRING
