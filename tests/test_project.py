"""The habits of the project: layers, lint, types, docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from numpydoc.validate import validate

import exoclassify

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "exoclassify"
LAYERS = [
    "errors",
    "typing",
    "tables",
    "data",
    "simulation",
    "evidence",
    "methods",
    "model",
    "report",
    "learning",
    "judging",
    "auditing",
    "discovery",
    "lifecycle",
    "scoring",
    "monitoring",
    "cli",
    "__init__",
]
PEERS = {frozenset(("scoring", "monitoring"))}
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
BIN = Path(sys.executable).parent


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((SOURCE / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield str(node.module)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_down_the_layers_only(path: Path) -> None:
    mine = path.parts[0].removesuffix(".py")
    for name in imports(path):
        if name == "exoclassify":
            pytest.fail(f"{path} imports the package root")
        if name.startswith("exoclassify."):
            theirs = name.split(".")[1]
            assert LAYERS.index(theirs) <= LAYERS.index(mine), f"{path} imports {name}"
            assert frozenset((mine, theirs)) not in PEERS, f"{path} imports {name}"


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] != "cli"], ids=str)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    for node in ast.walk(ast.parse((SOURCE / path).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "exit", "quit"), f"{path}:{node.lineno}"
    assert not {"bentoml", "typer", "rich", "pickle", "cloudpickle"} & {name.split(".")[0] for name in imports(path)}


def loaded_by(code: str) -> set[str]:
    code = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    loaded = loaded_by("import exoclassify.cli.main")
    assert not loaded & {"numpy", "pandas", "sklearn", "xgboost", "pyarrow", "scipy", "joblib"}


def test_a_model_answers_without_the_libraries_that_fit_models() -> None:
    loaded = loaded_by(
        "import exoclassify.scoring.stream; from exoclassify.model.bundle import ModelBundle; "
        "ModelBundle.load('models/pain-state-demo/3.0.0').golden_probabilities()"
    )
    assert "exoclassify.model.compiled" in loaded
    assert not loaded & {"sklearn", "xgboost", "scipy", "joblib"}


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], pytest.param(["mypy"], marks=pytest.mark.slow)],
    ids=["lint", "format", "types"],
)
def test_the_source_is_clean(command: list[str]) -> None:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def public_names() -> Iterator[str]:
    for path in MODULES[1:]:  # the root only gives names of the others
        name = ".".join(("exoclassify", *path.with_suffix("").parts)).removesuffix(".__init__")
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            if (inspect.isfunction(thing) or inspect.isclass(thing)) and not name.startswith("exoclassify.cli"):
                yield f"{name}.{public}"


@pytest.mark.parametrize("name", list(public_names()))
def test_public_docstrings_are_numpydoc(name: str) -> None:
    # One clear line says what a function inside does; those that users call, and all classes, name their parameters.
    inner = name.rpartition(".")[2] not in exoclassify.__all__ and name.rpartition(".")[2].islower()
    asked = {"GL03", "GL08", "PR02", "SS03"} | (set() if inner else {"PR01"})
    found = {code: text for code, text in validate(name)["errors"] if code in asked}
    assert not found, f"{name}: {found}"


def test_every_command_is_in_the_guide() -> None:
    text = (ROOT / "docs" / "guide" / "commands.md").read_text()
    listed = subprocess.run([str(BIN / "exoclassify"), "--help"], capture_output=True, text=True, check=True).stdout
    commands = [
        path.stem for path in (SOURCE / "cli").glob("*.py") if re.search(rf"^\W*{path.stem}\b", listed, re.MULTILINE)
    ]
    assert len(commands) >= 5
    for command in commands:
        assert f"exoclassify {command}" in text


def test_no_path_of_a_machine_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split("\n"):
        path = ROOT / name
        if path.suffix in {".py", ".toml", ".md", ".json", ".yaml"} and path.is_file():
            assert not re.search(r"/(home|root|work|Users)/\w", path.read_text()), name
