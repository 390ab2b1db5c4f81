"""Rules that hold over the source itself: imports run one way, one door per library, our own names."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("configs", "features", "training", "serving", "monitoring", "governance", "console")
FREE = ("creditloop", "demo")
DOORS = {
    "optuna": {"training/study.py"},
    "mlflow": {"training/registry.py"},
    "bentoml": {"serving/service.py"},
    "evidently": {"monitoring/telling/render.py"},
    "sqlalchemy": {
        "features/sources.py",
        *(f"serving/{name}.py" for name in ("appending", "database", "ledger", "store")),
    },
    "prometheus_client": {"serving/metrics.py"},
    "jinja2": {"configs/templates.py", "console/answering.py", "governance/render.py", "monitoring/customers/pages.py"},
    "playwright": set(),
    "starlette": {"console/application.py", "console/answering.py", "console/static.py"},
    "cryptography": {"training/signature.py", "serving/vault.py", "serving/verify_ledger.py"},
    "dask": {"features/distribute.py"},
    "distributed": set(),
    "pg8000": set(),
    "psycopg": set(),
    "duckdb": set(),
    "pickle": set(),
    "joblib": set(),
    "cloudpickle": set(),
    "dill": set(),
}
SOURCES = sorted([path for room in (*ROOMS, "demo") for path in (ROOT / room).rglob("*.py")] + [ROOT / "creditloop.py"])


def imports(source: str) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of every import in `source`, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "(relative)" if node.level else (node.module or "").split(".")[0]
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__") and node.args:
            named = node.args[0]
            is_text = isinstance(named, ast.Constant) and isinstance(named.value, str)
            yield node.lineno, named.value.split(".")[0] if is_text else "(computed)"


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def found_in(path: Path) -> list[tuple[int, str]]:
    return list(imports(path.read_text(encoding="utf-8")))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_a_room_imports_only_from_rooms_to_its_left(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if room in FREE:
        return
    to_the_right = {*ROOMS[ROOMS.index(room) + 1 :], *FREE}
    assert [(line, name) for line, name in found_in(path) if name in to_the_right] == []


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_an_import_names_its_room_in_full(path: Path) -> None:
    assert [(line, name) for line, name in found_in(path) if name.startswith("(")] == []


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_no_room_imports_the_tests(path: Path) -> None:
    assert [(line, name) for line, name in found_in(path) if name in ("tests", "conftest", "benchmarks")] == []


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_each_library_is_entered_by_its_one_door(path: Path) -> None:
    wrong = [(line, name) for line, name in found_in(path) if shown(path) not in DOORS.get(name, {shown(path)})]
    assert wrong == []


def test_an_import_hidden_in_a_function_is_seen() -> None:
    hidden = "def f():\n    if True:\n        import optuna.study\n        from mlflow.x import y\n"
    assert list(imports(hidden)) == [(3, "optuna"), (4, "mlflow")]


def test_an_import_by_name_is_seen() -> None:
    assert list(imports("import_module('dask.array')")) == [(1, "dask")]


@pytest.mark.parametrize("room", ROOMS)
def test_each_package_is_ours(room: str) -> None:
    if not any((ROOT / room).glob("*.py")):
        pytest.skip(f"{room}/ holds no module yet")
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin == str(ROOT / room / "__init__.py")


def test_no_folder_of_tests_is_a_package() -> None:
    # With tests/features/__init__.py, `import features` could become the test folder.
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_module_is_named_like_a_library() -> None:
    taken = {*DOORS, "pandas", "numpy", "numba", "lightgbm", "msgspec", "pydantic", "statistics", "logging"}
    assert [shown(path) for path in SOURCES if path.stem in taken] == []
