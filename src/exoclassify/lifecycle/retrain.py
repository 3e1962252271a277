"""A challenger for the model in use: trained, and judged beside it on samples that are fair to both."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exoclassify.auditing.findings import Audit
from exoclassify.data.cohort import Cohort
from exoclassify.errors import InputError
from exoclassify.judging.gate import Check, check_setting
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.challenge import as_it_is, by_recipe, check_states, enough, on_external
from exoclassify.lifecycle.finish import finish, numbered
from exoclassify.lifecycle.known import recipe_of, trained_on_before
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.figures import Value
from exoclassify.model.version import next_version

__all__ = ["Decision", "Retrained", "retrain"]

Progress = Callable[[int, int], None]


class Decision(Value):
    """What the gate found, in the order in which it is kept beside the model.

    Parameters
    ----------
    format : int
        Of what is kept.
    when, champion, challenger, passed
        Versions, and whether the challenger may replace the champion.
    audit : mapping
        Verdict and findings of the challenger's samples.
    sentence, lines
        For a reader: in all, and of each check.
    checks : tuple of Check
        What was looked at.
    left_out : mapping of str to int
        Samples that the champion was trained on, by each way of knowing them.
    gate, data_sha256, folds, numbering
        What the decision rests on, and why the version is numbered as it is.
    """

    format: int
    when: str
    champion: str
    challenger: str
    passed: bool
    audit: Mapping[str, Any]
    sentence: str
    lines: tuple[str, ...]
    checks: tuple[Check, ...]
    left_out: Mapping[str, int]
    gate: Mapping[str, Any]
    data_sha256: str
    folds: str
    numbering: str


@dataclass(frozen=True, eq=False)
class Retrained:
    """A challenger and what the gate says of it.

    Parameters
    ----------
    bundle : ModelBundle
        The very model that the gate judged, numbered by how its answers differ from the champion's.
    decision : Decision
        With every check; ``to_json()`` gives plain values.
    """

    bundle: ModelBundle
    decision: Decision


def retrain(
    champion: ModelBundle,
    cohort: Cohort,
    recipe: Recipe | None = None,
    *,
    external: Cohort | None = None,
    allow_one_batch: bool = False,
    covariates: Sequence[str] = (),
    cache: Path | None = None,
    n_jobs: int = -1,
    progress: Progress | None = None,
) -> Retrained:
    """Train a challenger and hold it against the champion.

    Parameters
    ----------
    cohort : Cohort
        What the challenger learns from; it may hold what the champion learned from.
    allow_one_batch : bool
        A challenger that could not be tested across batches may replace a champion that was.

    Notes
    -----
    Where enough samples are new to the champion it answers as it is, and only those samples count. Each is judged under
    the same conditions for both: in a batch that the champion knows the challenger knows it too (cross-validation), in a
    batch new to the champion the challenger has not seen it either (that batch left out). Where too few samples are new,
    the champion's recipe is trained again in the challenger's folds, on the samples that the champion was trained on. The
    champion is asked at the mix of the cohort.
    """
    recipe = recipe_of(champion) if recipe is None else recipe
    check_states(champion, cohort)
    _check_subgroups(cohort, recipe)
    X = champion.values(cohort)  # says what is wrong before any work is done
    done = finish(
        cohort, recipe, covariates=covariates, cache=cache, name=champion.name, n_jobs=n_jobs, progress=progress
    )
    assert done.judgement is not None
    assert done.audit is not None
    version, numbering = next_version(champion, done.bundle)
    bundle, judged = numbered(done.bundle, version), done.judgement
    known = trained_on_before(champion, cohort)
    new = ~np.any(list(known.values()), axis=0)
    if enough(cohort, new):
        how = f"{int(new.sum())} samples that {champion.version} was not trained on"
        settings = [as_it_is(champion, cohort, recipe, judged, X, new)]
    else:
        how = f"all samples in the same folds, {champion.version} trained again there: too few samples are new to it"
        settings = by_recipe(champion, cohort, recipe, judged, ~new, n_jobs)
    left_out = {f"cohort, {way}": int(rows.sum()) for way, rows in known.items()}
    if external is not None:
        setting, seen = on_external(champion, bundle, external, recipe)
        settings.append(setting)
        left_out |= {f"external, {way}": count for way, count in seen.items()}
    checks = [
        check
        for setting in settings
        for check in check_setting(
            setting,
            recipe.gate,
            states=champion.states,
            level=recipe.answers.level,
            max_wrong=recipe.answers.max_wrong,
            seed=recipe.seed,
        )
    ]
    if not bundle.about.training.tested_across_batches:
        checks += _one_batch(champion, bundle, allow_one_batch)
    if recipe.gate.audit:
        checks.append(_audited(done.audit))
    decision = Decision(
        format=1,
        when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        champion=champion.version,
        challenger=version,
        passed=all(check.passed for check in checks),
        audit=done.audit.told(),
        sentence=_sentence(checks, how),
        lines=tuple(check.line() for check in checks),
        checks=tuple(checks),
        left_out=left_out,
        gate=recipe.gate.model_dump(mode="json"),
        data_sha256=bundle.training.data_sha256,
        folds=judged.evaluation.folds,
        numbering=numbering,
    )
    return Retrained(bundle, decision)


def _check_subgroups(cohort: Cohort, recipe: Recipe) -> None:
    for column in recipe.gate.subgroups:
        if column not in cohort.sheet.frame.columns:
            raise InputError(
                f"{cohort.sheet.source}: has no column {column}, which the gate names as a subgroup; add it, or take it "
                "from [gate] subgroups"
            )


def _one_batch(champion: ModelBundle, challenger: ModelBundle, allowed: bool) -> list[Check]:
    """Stop a challenger that was not tested across batches where the champion was."""
    if not champion.about.training.tested_across_batches:
        return []
    before, now = (len(model.about.training.batches or ()) for model in (champion, challenger))
    rule = (
        "allowed by --allow-one-batch" if allowed else "add samples of other batches (--add-to), or --allow-one-batch"
    )
    what = (
        f"tested across batches: {champion.version} was, on {before}; this one could not be, on {now or 'none named'}"
    )
    return [Check("batches", what, None, None, None, None, None, allowed, rule)]


def _audited(found: Audit) -> Check:
    critical = [finding for finding in found.findings if finding.severity == "critical"]
    what = "; ".join(finding.message for finding in critical[:3]) or "critical findings"
    return Check("audit", what, None, float(len(critical)), None, None, None, not critical, "no critical finding")


def _sentence(checks: list[Check], how: str) -> str:
    failed = [check for check in checks if not check.passed]
    loss, auc = checks[0], checks[1]
    figures = f"log-loss {loss.champion:.3f} → {loss.challenger:.3f}, AUC {auc.champion:.3f} → {auc.challenger:.3f}"
    named = ", ".join(check.what for check in failed[:3])
    verdict = "passed" if not failed else f"not passed, {len(failed)} of {len(checks)} checks failed ({named})"
    return f"{verdict}: {figures}, on {how}"
