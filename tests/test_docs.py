"""README and pages: every block runs as it stands, both scripts run, and the pages build without a warning or a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import free_port
from waiting import PATIENCE

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "EXOCLASSIFY_CACHE": ""}
FIRST = ROOT / "docs" / "guide" / "two-centres.md"
PAGES = [path for path in (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md") if path != FIRST]


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of what a reader is to run, but for what sets up an environment or needs another machine (`text`)."""
    for info, code in re.findall(r"^```(\w+(?: \w+)?)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        if info in ("sh", "python", "sh service") and "pip install" not in code:
            yield info, code


def run(info: str, code: str, where: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", code] if info == "python" else ["bash", "-euc", code]
    done = subprocess.run(command, cwd=where, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, code + done.stdout + done.stderr


@pytest.fixture(scope="module")
def done_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("guide")
    for info, code in blocks(FIRST):
        run(info, code, where)
    return where


@pytest.mark.slow
def test_every_block_of_the_readme_runs_in_its_order(tmp_path: Path) -> None:
    found = [block for block in blocks(ROOT / "README.md") if block[0] != "sh service"]
    assert {info for info, _ in found} == {"sh", "python"}
    for info, code in found:
        run(info, code, tmp_path)


@pytest.mark.service
@pytest.mark.skipif(shutil.which("curl") is None, reason="the README asks with curl")
def test_the_readmes_question_over_rest_is_answered() -> None:
    [code] = [code for info, code in blocks(ROOT / "README.md") if info == "sh service"]
    done = subprocess.run(
        ["bash", "-muc", code.replace("3000", str(free_port()))],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert '"sample_id":"S-001"' in done.stdout.replace(": ", ":"), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if list(blocks(page))], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_block_of_the_guide_runs_after_the_first_page(page: Path, done_first: Path, tmp_path: Path) -> None:
    where = tmp_path / "work"
    shutil.copytree(done_first, where)
    for info, code in blocks(page):
        run(info, code, where)


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted((ROOT / "docs" / "examples").glob("*.py")), ids=lambda path: path.name)
def test_the_scripts_of_the_guide_run(script: Path, tmp_path: Path) -> None:
    run("python", script.read_text(), tmp_path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(to / "trees"), str(ROOT / "docs")]
    done = subprocess.run([*command, str(to / "html")], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return to / "html"


@pytest.mark.slow
def test_the_pages_build_without_a_warning_and_fetch_nothing(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for path in pages:
        text = path.read_text()
        assert not re.search(r"<(?:script|img|iframe|source)[^>]+src=\"(?:https?:)?//", text), path
        assert not re.search(r"<link[^>]+rel=\"(?:stylesheet|preconnect|preload)\"[^>]+href=\"(?:https?:)?//", text), (
            path
        )
    for path in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", path.read_text()), path


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(site: Path) -> None:
    import exoclassify as exo

    text = (site / "api" / "index.html").read_text()
    lacking = [name for name in exo.__all__ if name != "__version__" and f'.{name}"' not in text]
    assert not lacking


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (ROOT / target).exists(), f"{page.name}: {target}"


def test_where_novelty_p_is_computed_is_two_steps_from_the_readme() -> None:
    [link] = re.findall(
        r"\[where each is computed\]\((\S+?)#where-each-column-is-computed\)", (ROOT / "README.md").read_text()
    )
    [row] = [line for line in (ROOT / link).read_text().splitlines() if line.startswith("| `novelty_p` |")]
    module, function = re.findall(r"`([\w/.]+)`", row)[1:3]
    assert f"def {function}(" in (ROOT / "src" / "exoclassify" / module).read_text()
