"""exoclassify monitor: what a model does in use, and whether what comes in is still what it was trained on."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.cohorts import tables_for, tables_in
from exoclassify.cli.outputs import check_file
from exoclassify.cli.records import Database, database
from exoclassify.cli.registry import Place, opened, say

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.monitoring.watch import Watched

__all__ = ["monitor"]

_ALARM = 3


def monitor(
    name: opt.ModelName,
    version: Annotated[str | None, typer.Option(help="Three numbers.  [default: the one in use]")] = None,
    since: Annotated[str, typer.Option(help="A date such as 2026-03-01, or a time back such as 30d or 12h.")] = "30d",
    cargo: Annotated[
        Path | None,
        typer.Option(help="Look at this table instead of the records: drift of its molecules, novelty of its samples."),
    ] = None,
    layer: opt.LayersOfModel = None,
    out: Annotated[Path | None, typer.Option(help="Write a report, .html.")] = None,
    prometheus: Annotated[
        Path | None, typer.Option(help="Write gauges for the textfile collector, .prom; replaced each time.")
    ] = None,
    force: opt.Force = False,
    url: Database = "sqlite:///records.db",
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Look for drift, and for how right the model was.

    Without drift, a look at the molecules alarms one time in 20 at most, and each other alarm one time in 100. Exit codes:
    0 no alarm; 3 an alarm; 2 a mistake that the message says how to correct.
    """
    from exoclassify.tables.writing import write_text_atomically

    if out is not None:
        check_file(out, force=force, inputs=tables_in(cargo, layer))
    start = _since(since)
    bundle = opened(registry).load(name, version)
    found = _from_tables(bundle, cargo, layer) if cargo or layer else _from_records(url, bundle, start)
    if out is not None:
        write_text_atomically(out, _report(bundle, found, start), force=force)
    if prometheus is not None:
        write_text_atomically(prometheus, _gauges(bundle, found), force=True)
    plain = {"model": bundle.name, "version": bundle.version, "since": start.isoformat(), **vars(found)}
    say(plain, _lines(bundle, found), as_json=as_json)
    if found.alarms:
        raise typer.Exit(_ALARM)


def _since(text: str) -> datetime.datetime:
    now = datetime.datetime.now(datetime.UTC)
    back = re.fullmatch(r"(\d{1,5})([dh])", text)
    if back:
        count = int(back[1])
        return now - (datetime.timedelta(days=count) if back[2] == "d" else datetime.timedelta(hours=count))
    try:
        return datetime.datetime.combine(datetime.date.fromisoformat(text), datetime.time(), datetime.UTC)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text} is neither a date such as 2026-03-01 nor a time back such as 30d or 12h", param_hint="--since"
        ) from error


def _from_records(url: str, bundle: ModelBundle, start: datetime.datetime) -> Watched:
    with database(url) as engine:
        from exoclassify.monitoring.watch import watch

        return watch(engine, bundle, start)


def _from_tables(bundle: ModelBundle, cargo: Path | None, layers: list[str] | None) -> Watched:
    from exoclassify.monitoring.watch import watch_table
    from exoclassify.tables.asked import AS_WRITTEN

    return watch_table(bundle, tables_for(bundle, cargo, layers, AS_WRITTEN))


def _lines(bundle: ModelBundle, found: Watched) -> list[str]:
    lines = [f"{bundle.name} {bundle.version}: {found.n} predictions"]
    if found.input is None:
        lines.append("molecules: not counted")
    else:
        lines.append(
            f"molecules: {found.input['n_moved']} of {len(bundle.panel.molecules)} moved, by {found.input['n']} samples; mean "
            f"stability index {found.input['mean_psi']:.3f}, by chance alone {found.input['mean_psi_by_chance']:.3f}"
        )
    for name, share in found.calls.items():
        if share["value"] is not None:
            expected = "" if share["expected"] is None else f", expected {share['expected']:.0%}"
            lines.append(f"{name}: {share['value']:.0%} ({share['low']:.0%} to {share['high']:.0%}{expected})")
    figures = found.performance["figures"]
    if figures is None:
        lines.append(f"performance: {found.performance['needs']}")
    else:
        for name, figure in figures.items():
            lines.append(f"{name}: {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})")
    lines += [f"ALARM: {alarm}" for alarm in found.alarms] or ["no alarm"]
    return lines


def _gauges(bundle: ModelBundle, found: Watched) -> str:
    values: dict[str, float | None] = {
        "predictions": found.n,
        "alarms": len(found.alarms),
        "molecules_moved": None if found.input is None else found.input["n_moved"],
        "mean_stability_index": None if found.input is None else found.input["mean_psi"],
        "log10_capital_against_exchangeability": None if found.order is None else found.order["log10_capital"][-1],
        **{f"share_{name.replace(' ', '_')}": share["value"] for name, share in found.calls.items()},
    }
    for name, figure in (found.performance["figures"] or {}).items():
        if ":" not in name:
            values |= {f"{name}_in_use": figure["value"], f"{name}_in_use_low": figure["low"]}
    labels = f'{{model="{bundle.name}",version="{bundle.version}"}}'
    return "".join(
        f"# TYPE exoclassify_{name} gauge\nexoclassify_{name}{labels} {value}\n"
        for name, value in values.items()
        if value is not None
    )


def _report(bundle: ModelBundle, found: Watched, start: datetime.datetime) -> str:
    from exoclassify.report.html import Lead, Section, Table, page

    lead = Lead("good", "What comes in looks like the training samples.", sign="No alarm")
    if found.alarms:
        lead = Lead("warning", found.alarms[0], details=found.alarms[1:], sign="Alarm")
    sections = [*_input_section(found), *_order_section(found)]
    shares = [(n, s["value"], s["low"], s["high"], s["expected"]) for n, s in found.calls.items()]
    table = Table(("what", "share", "low", "high", "expected"), shares)
    sections.append(Section("Calls", f"{found.n} predictions; shares with 95 % intervals.", tables=[table]))
    figures = found.performance["figures"]
    if figures is None:
        sections.append(Section("Performance in use", f"Not known yet. It needs {found.performance['needs']}."))
    else:
        rows = [(name, each["value"], each["low"], each["high"]) for name, each in figures.items()]
        known = ", ".join(f"{n} {s}" for s, n in found.performance["outcomes"].items())
        table = Table(("figure", "value", "low", "high"), rows)
        sections.append(Section("Performance in use", f"By the outcomes known: {known}.", tables=[table]))
    if found.sites:
        columns = ("key", "samples", "level moved", "share novel", "low", "high", "unlike training")
        table = Table(columns, [tuple(site.values()) for site in found.sites])
        sections.append(Section("Who asked", "Samples of each key that was used.", tables=[table]))
    until = datetime.datetime.now(datetime.UTC)
    return page(
        f"{bundle.name} {bundle.version} in use", sections, lead=lead, subtitle=f"{start:%Y-%m-%d} to {until:%Y-%m-%d}, UTC",
        footer="Support for a decision by a person, not a diagnosis and not a medical device.",
    )  # fmt: skip


def _input_section(found: Watched) -> list[Any]:
    from exoclassify.report.html import Section, Table

    drift = found.input
    if drift is None:
        return [Section("Molecules", "Nothing was counted for this version in this period.")]
    rows = [tuple(each.values()) for each in drift["moved"]]
    columns = ("molecule", "stability index", "by chance", "KS distance", "p", "direction")
    summary = f"{drift['n_moved']} molecules have moved, by {drift['n']} samples against the training samples."
    notes = (
        f"False-discovery rate {drift['false_discovery_rate']:g} (Benjamini and Hochberg); p of the stability index or the "
        "Kolmogorov-Smirnov distance, whichever says more, doubled.",
    )
    return [Section("Molecules", summary, tables=[Table(columns, rows)] if rows else (), notes=notes)]


def _order_section(found: Watched) -> list[Any]:
    from exoclassify.report.html import Section
    from exoclassify.report.plots import Axis, Series, curves

    order = found.order
    if order is None:
        return []
    x = [1 + i * order["step"] for i in range(len(order["log10_capital"]))]
    capital = Series("capital", x, order["log10_capital"])
    limit = Series("alarm", [1, max(x[-1], 2)], [order["limit"]] * 2, reference=True)
    low, high = min(*order["log10_capital"], 0.0), max(*order["log10_capital"], order["limit"])
    drawn = curves(
        "Capital of a bet that samples become stranger", [capital, limit],
        Axis("sample", 1, max(x[-1], 2)), Axis("log10 of capital", low, high * 1.05),
        "Without drift it passes the line one time in a hundred, however long one looks.",
    )  # fmt: skip
    at = order["passed_at"]
    summary = "No sign that samples become stranger." if at is None else f"Surely stranger by the {at}th sample."
    return [Section("Samples in their order", summary, figures=[drawn])]
