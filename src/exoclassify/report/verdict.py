"""One verdict for one result, in the same words and colour wherever it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exoclassify.model.about import About
from exoclassify.model.evaluation import Validation
from exoclassify.report.html import Lead, Table, Tone

__all__ = ["lead_of_audit", "lead_of_model", "lead_of_validation", "verdict_of_audit", "verdict_of_model"]

_MOST_STEPS = 3


def verdict_of_model(about: About) -> tuple[Tone, str]:
    """Say in one sentence what a model is good for."""
    evaluation, audit = about.evaluation, about.audit
    if evaluation is None:
        return "plain", "The model was not judged: how good it is on new samples is not known."
    if audit is not None and (sentence := _critical(audit)):
        return "critical", sentence
    if evaluation.headline.low <= 0.5:
        return "critical", f"The model was not shown to distinguish {_states(about)} better than guessing."
    return _by_calls(about)


def _by_calls(about: About) -> tuple[Tone, str]:
    """Say where a model that ranks samples rightly also calls them."""
    states, places = _states(about), about.answers.places
    if places is None:
        return "warning", f"The model distinguishes {states}. How often it makes a call was not recorded."
    known, unknown = places.trained_on, places.unknown
    at_home = "batches it was trained on" if about.training.batches else "samples like those it was trained on"
    if known.calls_from is None and unknown.calls_from is None:
        return (
            "warning",
            f"The model ranks samples of {states} better than guessing, but is never sure enough to make a call.",
        )
    if unknown.calls_from is not None:
        return "good", f"The model distinguishes {states}, also in batches it has not seen."
    if unknown.closed == "one-batch":
        untested = "It was never tested in another batch, and makes no calls there."
        return "warning", f"The model distinguishes {states} in {at_home}. {untested}"
    if _calls_with_profile(about):
        return (
            "warning",
            f"The model distinguishes {states} in {at_home}. A new site first needs a profile of 10 or more samples.",
        )
    return "warning", f"The model distinguishes {states} in {at_home}. In a new site it makes no calls."


def _calls_with_profile(about: About) -> bool:
    return about.evaluation is not None and any(site.called for site in about.evaluation.new_site)


def verdict_of_audit(audit: Mapping[str, Any]) -> tuple[Tone, str]:
    """Say in one sentence whether a cohort can carry a claim."""
    if sentence := _critical(audit):
        return "critical", sentence
    warnings = sum(finding["severity"] == "warning" for finding in audit["findings"])
    counted = "1 warning is" if warnings == 1 else f"{warnings} warnings are"
    stated = f"{counted} to be fixed, or reported with it" if warnings else "no warning was raised"
    return "good", f"This cohort can support a claim about the states; {stated}."


def _critical(audit: Mapping[str, Any]) -> str:
    critical = [finding for finding in audit["findings"] if finding["severity"] == "critical"]
    if not critical:
        return ""
    counted = "1 critical finding" if len(critical) == 1 else f"{len(critical)} critical findings"
    named = "; ".join(dict.fromkeys(f"{f['check']}: {f['subject']}" for f in critical[:3]))
    return f"This is not evidence of biology: {counted} ({named}{'; …' if len(critical) > 3 else ''})."


def lead_of_model(about: About) -> Lead:
    """Give the first screen of a trained model: verdict, figure, what to expect in use, next steps."""
    tone, sentence = verdict_of_model(about)
    evaluation, training = about.evaluation, about.training
    people = f", {training.subjects} people" if training.subjects is not None else ", number of people not known"
    details = [f"Trained on {training.n_samples} samples ({training.mix}{people}).", *_untried(about)]
    figure = None
    if evaluation is not None:
        found = evaluation.headline
        source = "in cross-validation"
        if found.source == "leave_one_batch_out":
            source = f"within the {found.n_batches} batches left out" if found.n_batches else "in batches left out"
        macro = ", mean of the states" if len(about.states) > 2 else ""
        figure = (f"AUC {source}{macro}", found.value, found.low, found.high)
    return Lead(tone, sentence, figure, _expected(about), _steps(about), details)


def _untried(about: About) -> list[str]:
    """Say that the shipped model makes calls where the models that judged it, each without one batch, made none."""
    places, uses = about.answers.places, about.evaluation.uses if about.evaluation is not None else ()
    unknown = [found for found in uses if found.use == "an unknown batch"]
    if places is None or places.unknown.calls_from is None or not unknown or unknown[0].called:
        return []
    return ["In left-out batches the test models, each trained without one batch, made no call; your final model will."]


def _expected(about: About) -> Table | None:
    """Tell what to expect in use, by where a sample is from."""
    rows = []
    for found in about.evaluation.uses if about.evaluation is not None else ():
        called, wrong = f"{found.called:.0%}", found.wrong_among_called
        rows.append([_place(found.use), called, "–" if wrong is None else f"{wrong:.0%}", str(found.n_batches or "–")])
    columns = ["sample from", "samples called", "calls that were wrong", "batches judged on"]
    return Table(columns, rows, "What to expect in use, as measured on samples that were left out") if rows else None


def _place(use: str) -> str:
    if use == "an unknown batch":
        return "a new site or batch without a profile"
    return use.replace("a new site with", "a new site with a profile of").replace(
        " local samples, not labelled", " samples"
    )


def _steps(about: About) -> list[str]:
    audit, places = about.audit, about.answers.places
    if about.evaluation is None:
        return ["Train without `--no-judge`, so that the model is judged and audited."]
    steps = [] if audit is None else _mends(audit, "critical")
    layered = about.evaluation.cross_validation.layers is not None
    given = "--layer NAME=" if layered else "--cargo "
    if not steps and places is not None and places.unknown.calls_from is None:
        profile = f"make a profile of the new site: `exoclassify recalibrate NAME --site SITE {given}local.csv"
        steps.append(
            f"Measure 10 or more samples and {profile} --mix STATE=SHARE`."
            if _calls_with_profile(about)
            else f"Train with more batches; or label 10 local samples and {profile} --samples local-sheet.csv --label STATE`."
        )
    if not steps:
        steps.append(f"Judge it on a cohort of another centre: `exoclassify evaluate MODEL {given}… --samples …`.")
    if audit is not None:
        steps += _mends(audit, "warning")
    return steps[:_MOST_STEPS]


def _mends(audit: Mapping[str, Any], severity: str) -> list[str]:
    found = [f for f in audit["findings"] if f["severity"] == severity and f["mend"]]
    return [f"{f['subject'][0].upper()}{f['subject'][1:]} ({f['check']}): {f['mend']}." for f in found]


def lead_of_audit(audit: Mapping[str, Any], samples: Mapping[str, int]) -> Lead:
    """Give the first screen of an audit alone."""
    tone, sentence = verdict_of_audit(audit)
    rows, figure = audit["drawn"].get("baselines") or (), None
    if rows:
        first = rows[0]
        figure = (f"AUC of the {first['name']}, cross-validated", first["auc"], first["low"], first["high"])
    steps = [*_mends(audit, "critical"), *_mends(audit, "warning")] or ["Train and judge a model: `exoclassify train`."]
    mix = ", ".join(f"{n} {state}" for state, n in samples.items())
    return Lead(tone, sentence, figure, None, steps[:_MOST_STEPS], (f"{sum(samples.values())} samples: {mix}.",))


def lead_of_validation(
    found: Validation, audit: Mapping[str, Any] | None, about: About, source: str, seen: str
) -> Lead:
    """Give the first screen of a model judged on another cohort.

    Parameters
    ----------
    seen : str
        What is known of samples that the model was trained on; empty for none.
    """
    auc, calls, model = found.figures.auc, found.calls, f"{about.name} {about.version}"
    mix = ", ".join(f"{n} {state}" for state, n in found.samples.items())
    tone, sentence = _validated(found, audit, about, source)
    details = [
        seen,
        f"{found.n_samples} samples of {source} ({mix}); p = {found.permutation.p_value:.2g} against permuted labels.",
    ]
    if about.evaluation is not None and found.trained_on is not None:
        quoted = about.evaluation.headline.value
        words = "below" if quoted < auc.low else "above" if quoted > auc.high else "within"
        details.append(f"The AUC quoted when {model} was made, {quoted:.3f}, lies {words} this interval.")
    details.append(
        f"{calls.novel:.0%} of the samples were unlike its training samples; {found.measured:.0%} of its panel "
        f"was measured."
    )
    if found.prevalence is not None:
        stated = ", ".join(f"{state} {share:.3g}" for state, share in found.prevalence.items())
        details.append(
            f"Probabilities, predictive values and net benefit are those at the stated prevalence ({stated})."
        )
    wrong = f"{calls.wrong_among_called:.0%}" if calls.called else "–"
    table = Table(["where", "samples called", "calls that were wrong"], [[source, f"{calls.called:.0%}", wrong]])
    steps = [] if audit is None else [*_mends(audit, "critical"), *_mends(audit, "warning")]
    if not calls.called:
        steps.insert(
            0, "Make a profile of this site, so that the model can make calls there: `exoclassify recalibrate`."
        )
    name = f"AUC on {source}"
    return Lead(
        tone,
        sentence,
        (name, auc.value, auc.low, auc.high),
        table,
        steps[:_MOST_STEPS],
        (" ".join(filter(None, details)),),
    )


def _validated(found: Validation, audit: Mapping[str, Any] | None, about: About, source: str) -> tuple[Tone, str]:
    auc = found.figures.auc
    if audit is not None and (sentence := _critical(audit)):
        return "critical", sentence
    if auc.low <= 0.5:
        return "critical", f"On {source} the model was not shown to distinguish {_states(about)} better than guessing."
    if found.trained_on is None:
        return (
            "warning",
            f"The model distinguishes {_states(about)} on {source}, but may have been trained on some of these samples.",
        )
    if not found.calls.called:
        return (
            "warning",
            f"The model ranks samples of {_states(about)} on {source} better than guessing, but makes no calls.",
        )
    return "good", f"The model distinguishes {_states(about)} on {source} too."


def _states(about: About) -> str:
    *most, last = about.states
    return f"{', '.join(most)} and {last}"
