"""The model card: what a person should know before trusting an answer, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from exoclassify.model.about import About
from exoclassify.model.answers import REASONS
from exoclassify.model.figures import Figure
from exoclassify.model.panel import Panel
from exoclassify.model.told import carries_over, layers_add, use_lines, used_in, visits_add

__all__ = ["card", "headline", "label_of"]

_TAG, _LINK = re.compile(r"<(?=[A-Za-z/!?])"), re.compile(r"\](?=\()")
"""What a label or a batch could smuggle into a page made of the card; the card itself holds neither tags nor links."""

_NAMES = {
    "auc": "AUC",
    "auc_within_folds": "AUC within batches",
    "auc_pooled": "AUC, folds pooled",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier score",
    "log_loss": "log-loss",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
}


def card(about: About, panel: Panel) -> str:
    """Write the card.

    Returns
    -------
    str
        Markdown; a model trained on simulated samples says so in the first line.
    """
    parts = [
        f"# {about.name} {about.version}{_simulated(about)}",
        headline(about) + _first_warning(about),
        *_recalibrated(about),
        "Support for a decision by a person, not a diagnosis and not a medical device.",
        "## What it was shown",
        _training(about, panel),
        "## How it was judged",
        _evaluation(about),
        "## What could fool a reader",
        _audit(about),
        "## What it answers",
        _answers(about, panel),
        "## What it is made of",
        _voices(about),
        "## Where it came from",
        _origin(about),
    ]
    return _TAG.sub("&lt;", _LINK.sub(r"\\]", "\n\n".join(parts))) + "\n"


def _recalibrated(about: About) -> list[str]:
    found = about.recalibration
    if found is None:
        return []
    counts = ", ".join(f"{n} {state}" for state, n in found.samples.items() if n)
    lines = [
        f"**For {found.site} alone**: {found.source}, recalibrated on {counts} of that site. All figures below are "
        "those of the original model in its own training batches.",
        "",
        f"- learned there: {', '.join(found.steps)}",
        *(f"- {step} needs {what}" for step, what in found.needs.items()),
    ]
    judged = found.judged
    if judged is not None:
        lines.append(
            f"- by cross-validation there: log-loss {judged.log_loss:.3f} (before {judged.log_loss_before:.3f}, guessing "
            f"the mix {judged.log_loss_of_guessing:.3f}), AUC {judged.auc:.3f}"
        )
    if found.distance is None:
        return ["\n".join(lines)]
    lines += [
        f"- it lies {found.distance:.1f} times as far from the training batches as they usually lie from each other "
        f"(known to ± {found.uncertainty:.1f})",
        "- it makes no calls there"
        if found.calls_from is None
        else f"- it makes a call there from a probability of {found.calls_from:.2f} on",
    ]
    return ["\n".join(lines)]


def _simulated(about: About) -> str:
    return " — trained on simulated samples: not for use on patients" if about.training.simulated else ""


def _first_warning(about: About) -> str:
    """Say with the headline, not below it, when the cohort cannot carry the claim."""
    audit = about.audit
    if audit is None or all(finding["severity"] != "critical" for finding in audit["findings"]):
        return ""
    return f" **{audit['verdict']}**"


def headline(about: About) -> str:
    """Give the one sentence to quote: within left-out batches where there are any, or that nothing was judged."""
    evaluation = about.evaluation
    if evaluation is None:
        return "**Not judged**: how good it is on new samples is not known."
    found = evaluation.headline
    source = "in cross-validation"
    if found.source == "leave_one_batch_out":
        n = found.n_batches
        source = f"within batches that were left out ({n})" if n else "in batches that were left out"
    macro = ", averaged over the states" if len(about.states) > 2 else ""
    return f"**AUC {found.value:.3f}** ({found.low:.3f} to {found.high:.3f}) {source}{macro}."


def _training(about: About, panel: Panel) -> str:
    training = about.training
    lines = [
        f"- {training.n_samples} samples: {training.mix}",
        f"- {len(panel.molecules)} molecules of {training.molecules_in_table} measured ({panel.measured_in})",
    ]
    if panel.not_detected is not None:
        lines.append(f"- Ct values of {panel.not_detected:g} and above count as not detected")
    if training.subjects is None:
        lines.append("- **No subject ids were given**: if a person was sampled twice, every figure below is optimistic")
    else:
        lines.append(f"- {training.subjects} subjects, never on both sides of a split")
    if training.batches is None:
        lines.append("- **No batches were given**: whether it holds in another batch or laboratory was not tested")
    else:
        lines.append("- batches: " + ", ".join(f"{batch} ({n})" for batch, n in training.batches.items()))
    return "\n".join(lines + [f"- {note}" for note in training.notes])


def _evaluation(about: About) -> str:
    evaluation = about.evaluation
    if evaluation is None:
        return "Not judged. Train it without `--no-judge` to find out."
    columns = evaluation.ways()
    lines = ["| | " + " | ".join(name for name, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for figure in dict.fromkeys(key for _, found in columns for key, _ in found.figures.items()):
        cells = [_cell(found.figures.get(figure)) for _, found in columns]
        lines.append(f"| {label_of(figure)} | " + " | ".join(cells) + " |")
    for state in about.states:
        cells = [f"{found.sets.coverage[state]:.2f}" for _, found in columns]
        lines.append(f"| {columns[0][1].sets.level:.0%} sets that hold {state} | " + " | ".join(cells) + " |")
    for label, shares in (
        ("share called", [found.calls.called for _, found in columns]),
        ("share wrong among the calls", [found.calls.wrong_among_called for _, found in columns]),
        ("share novel", [found.calls.novel for _, found in columns]),
    ):
        lines.append(f"| {label} | " + " | ".join(_share(share) for share in shares) + " |")
    lines += ["", *(f"- {sentence}" for sentence in (*layers_add(about), *visits_add(about)))]
    uses = use_lines(about)
    if uses:
        lines += ["", "| where it is used | batches judged on | log-loss | slope | called | wrong among calls |"]
        lines += ["|---" * 6 + "|", *("| " + " | ".join(row) + " |" for row in uses)]
    return "\n".join([*lines, "", *_warnings(about)])


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def label_of(figure: str) -> str:
    """Name a figure for a reader: ``auc:pain`` is AUC, pain."""
    name, _, state = figure.partition(":")
    return _NAMES.get(name, name) + (f", {state}" if state else "")


def _cell(found: Figure | None) -> str:
    return "–" if found is None else found.told()


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _warnings(about: About) -> list[str]:
    training = about.training
    lines = [
        "Intervals are 95 %, by subject, and allow for folds that share training samples. "
        "Cross-validation mixes batches: it says nothing about a new batch."
    ]
    batched = None if about.evaluation is None else about.evaluation.leave_one_batch_out
    if training.batches and len(training.batches) > 1 and batched is None:
        lines.append(
            "**No batch could be left out**, for a state is missing without it: batch and state cannot be separated."
        )
    if batched is not None:
        each = [f"{batch} {_plain(found.auc)} (n = {found.n_samples})" for batch, found in batched.batches.items()]
        lines.append("AUC in each batch, trained on the others: " + ", ".join(each) + ".")
        lines.append(carries_over(about))
    return lines


def _audit(about: About) -> str:
    audit = about.audit
    if audit is None:
        return "Not audited: `exoclassify audit` looks for what makes the figures look better than they are."
    found = [f for f in audit["findings"] if f["severity"] != "info"]
    lines = [f"- **{f['severity']}**, {f['check']}: {f['message']}{_to_do(f)}" for f in found]
    return "\n".join([audit["verdict"], *([""] if lines else []), *lines])


def _to_do(finding: Mapping[str, Any]) -> str:
    mend = finding["mend"]
    return f" To do: {mend}." if mend else ""


def _answers(about: About, panel: Panel) -> str:
    samples = about.training.samples if about.recalibration is None else about.recalibration.samples
    known = {state: n for state, n in samples.items() if state in about.states}
    mix = ", ".join(f"{state} {n / max(1, sum(known.values())):.2f}" for state, n in known.items())
    limits = about.answers
    lines = [
        f"Probabilities hold at the training mix ({mix}); state the prevalence of the place of use to shift them.",
        *used_in(about),
        f"A best guess is called only where at most {limits.max_wrong:.0%} of the calls are expected to be wrong, "
        f"and no flag is raised; {limits.level:.0%} prediction sets stand beside it. Else the call is `uncertain`:",
        "",
        *[f"- `{flag}`: {meaning}" for flag, meaning in REASONS.items()],
        "",
        f"Novel is a p-value of {limits.novelty_alpha:g} or less; coverage must reach {panel.min_coverage:g}.",
    ]
    return "\n".join(lines)


def _voices(about: About) -> str:
    lines = ["| base learner | weight | inner log-loss |", "|---|---|---|"]
    ordered = sorted(about.voices, key=lambda voice: -voice.weight)
    return "\n".join(lines + [f"| {v.name} | {v.weight:.3f} | {v.inner_log_loss:.3f} |" for v in ordered])


def _origin(about: About) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in about.libraries.items())
    folds = "" if about.evaluation is None else f"- sha256 of the folds: `{about.evaluation.folds}`\n"
    return (
        f"- made {about.created}, seed {about.recipe['seed']}; the whole recipe is in bundle.json\n"
        f"- sha256 of the training data: `{about.training.data_sha256}`\n{folds}- {libraries}"
    )
