"""A mutated model is refused or answers the same; nothing else. 2,000 of them: tests/benchmarks/hostile_models.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from exoclassify.model.about import About
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.card import card
from hostile import tried

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1] / "models" / "pain-state-demo"


@pytest.mark.slow
@pytest.mark.parametrize(("version", "seeds"), [("1.0.0", range(100)), ("3.0.0", range(100, 200))])
def test_mutated_models_are_refused_or_answer_the_same(version: str, seeds: range, tmp_path: Path) -> None:
    outcomes = {seed: found for seed, _, found in tried(ROOT / version, seeds, tmp_path)}
    assert set(outcomes.values()) == {"refused", "loaded, equal answers"}, outcomes


def test_labels_put_neither_tags_nor_links_into_the_card() -> None:
    bundle = ModelBundle.load(ROOT / "3.0.0")
    label = "<img src=x onerror=alert(1)>[a](javascript:b)</script><!--"
    about = About.model_validate_json(
        json.dumps(bundle.about.to_json()).replace("neuropathic", json.dumps(label)[1:-1])
    )
    written = card(about, bundle.panel)
    assert "&lt;img src=x" in written
    assert not re.search(r"<[a-z/!?]|[^\\]\]\(", written)
