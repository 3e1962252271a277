"""Words that people read: plain English in the field's words, in pages, help, messages, reports and the service's page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORDS = {
    r"mend(s|ed|ing)?": "fix, correct",
    r"(kept )?aside": "held out, left out, out-of-fold",
    r"dealt": "permuted labels",
    r"voices?": "base learner",
    r"pieces?|stretch(es)?": "chunk, partition, checkpoint",
    r"hopeful": "optimistic, biased upward",
    r"tell(s|ing)? (\w+ ){0,4}apart|told (\w+ ){0,4}apart": "distinguishes, separates",
    r"h(e|o)ld(s|ing)? (\S+ ){0,8}against": "compared with",
    r"could not be excluded": "remain plausible",
    r"said of the rest": "say what the model does",
}
PATTERN = re.compile("|".join(rf"\b(?:{word})\b" for word in WORDS), re.IGNORECASE)
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "service", "models/README.md", "training/README.md"]


def code_left_out(text: str) -> str:
    """Leave out what is quoted as code: names of files and keys are what they are."""
    return re.sub(r"```.*?```|``[^`]+``|`[^`\n]+`|<code>.*?</code>", " ", text, flags=re.DOTALL)


def pages() -> Iterator[tuple[str, str]]:
    for name in PAGES:
        found = [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*.md"))
        for path in found:
            yield str(path.relative_to(ROOT)), code_left_out(path.read_text())


def strings(path: Path) -> Iterator[tuple[str, str]]:
    """Sentences of a module: its texts with a blank in them, without docstrings but for a command's, which is its help."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)} | docstrings
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and id(node) not in bare
        ):
            yield f"{path.relative_to(ROOT)}:{node.lineno}", code_left_out(node.value)


def refused(where: str, text: str) -> list[str]:
    return [
        f"{where}: {found.group()!r} in {found.string[max(0, found.start() - 30) : found.end() + 30]!r}"
        for found in PATTERN.finditer(text)
    ]


def test_pages_use_the_words_of_the_field() -> None:
    found = list(pages())
    assert len(found) > 15
    assert not [hit for where, text in found for hit in refused(where, text)]


@pytest.mark.parametrize("folder", ["src/exoclassify", "service", "training"])
def test_messages_and_reports_use_the_words_of_the_field(folder: str) -> None:
    found = [pair for path in sorted((ROOT / folder).rglob("*.py")) for pair in strings(path)]
    assert found
    assert not [hit for where, text in found for hit in refused(where, text)]


def test_the_page_of_the_service_uses_the_words_of_the_field() -> None:
    page = ROOT / "service" / "page"
    html = re.sub(r"<[^>]+>", " ", (page / "index.html").read_text())
    script = " ".join(
        found
        for path in page.glob("*.js")
        for found in re.findall(r"'[^'\n]* [^'\n]*'|\"[^\"\n]* [^\"\n]*\"|`[^`]* [^`]*`", path.read_text())
    )
    assert not [*refused("index.html", html), *refused("the scripts", script)]


def test_help_uses_the_words_of_the_field() -> None:
    import typer.main

    from exoclassify.cli.main import app

    group = typer.main.get_command(app)
    commands = {("",): group} | {(name,): command for name, command in group.commands.items()}  # type: ignore[attr-defined]
    commands |= {
        (name, below): command
        for name, outer in group.commands.items()  # type: ignore[attr-defined]
        for below, command in getattr(outer, "commands", {}).items()
    }
    assert len(commands) > 25
    for name, command in commands.items():
        texts = [command.help or "", *(getattr(option, "help", "") or "" for option in command.params)]
        assert not [hit for text in texts for hit in refused(" ".join(name), code_left_out(text))]


def test_the_pattern_finds_what_it_is_for() -> None:
    for text in ("mended samples", "tells the states apart", "held its AUC against 0.5", "the voices of the blend"):
        assert PATTERN.search(text), text
    assert not PATTERN.search(code_left_out("compared with `aside.csv`, and recommended"))
