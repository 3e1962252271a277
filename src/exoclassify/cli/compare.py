"""exoclassify compare: whether one model is better than another, judged in the same folds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli import options as opt

if TYPE_CHECKING:
    from exoclassify.model.evaluation import Comparison

__all__ = ["compare"]


def compare(
    first: Annotated[Path, typer.Argument(help="Folder of a model.")],
    second: Annotated[Path, typer.Argument(help="Folder of another, trained on the same table, seed and folds.")],
    as_json: opt.AsJson = False,
) -> None:
    """Compare two models, or two recipes, on held-out samples.

    Both must have been judged in the same folds (the sha256 in bundle.json): train both on the same table and sheet with the
    same seed, folds and repeats. The interval is that of a paired bootstrap over subjects; the p-value that of the corrected
    resampled t test over folds (Nadeau & Bengio).
    """
    import json

    from exoclassify.errors import ModelError
    from exoclassify.judging.compare import compare as held_against
    from exoclassify.model.bundle import ModelBundle

    pair = [ModelBundle.load(path) for path in (first, second)]
    frames, digests = [], []
    for path, bundle in zip((first, second), pair, strict=True):
        if bundle.aside is None or bundle.evaluation is None:
            raise ModelError(
                f"{path.name}: was not judged, so there is nothing to compare; train it without --no-judge"
            )
        frames.append(bundle.aside)
        digests.append(bundle.evaluation.folds)
    found = held_against(frames[0], frames[1], digests=(digests[0], digests[1]))
    names = [f"{bundle.name} {bundle.version}" for bundle in pair]
    if as_json:
        print(json.dumps({"first": names[0], "second": names[1], "figures": found.to_json()}, indent=1))
        return
    for line in _told(found, names):
        print(line)


def _told(found: Comparison, names: list[str]) -> list[str]:
    lines = [f"{'':10}{names[0]:>18}{names[1]:>18}{'difference (95 % interval)':>36}{'p over folds':>16}"]
    for name, figure in found:
        span = f"{figure.difference:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})"
        lines.append(
            f"{name.replace('_', '-'):10}{figure.first:>18.3f}{figure.second:>18.3f}{span:>36}"
            f"{figure.within_folds.p_value:>16.3g}"
        )
    auc = found.auc
    if auc.low <= 0 <= auc.high:
        lines.append("By AUC no difference can be shown; that is not proof that there is none.")
    else:
        lines.append(f"By AUC {names[0] if auc.difference > 0 else names[1]} is better on these samples.")
    return lines
