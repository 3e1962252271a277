"""exoclassify models: the registry of models, which one is in use, and how it came to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.models_compare import compare
from exoclassify.cli.models_exchange import export_bento, import_, keys, sign
from exoclassify.cli.outputs import columns
from exoclassify.cli.registry import Key, Place, Who, asker, opened, say

if TYPE_CHECKING:
    from exoclassify.model.promotions import Promotion
    from exoclassify.model.registry import Registry

__all__ = ["models"]

models = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(help="Name of the model.")]
Version = Annotated[str | None, typer.Argument(help="Three numbers.  [default: the one in use]")]
Why = Annotated[str, typer.Option(help="Why; kept in the history.")]


@models.callback()
def _models() -> None:
    """Keep models: list, compare, promote, roll back, verify, sign, prune.

    A version is written once and never changed; which one is in use is a pointer with a history.
    """


@models.command("list")
def list_(registry: Place = "models", as_json: opt.AsJson = False) -> None:
    """List all models and versions; * marks the one in use."""
    place = opened(registry)
    found = [_listed(place, name, version) for name in place.names() for version in place.versions(name)]
    header = ("", "model", "version", "made", "samples", "headline", "gate", "signed")
    rows = [
        (
            "*" if each["champion"] else "",
            each["name"],
            each["version"],
            each.get("created", "-")[:10],
            str(each.get("samples", "-")),
            each.get("headline", each.get("broken", "")),
            {None: "-", True: "passed", False: "failed"}[each["gate"]],
            "yes" if each["signed"] else "no",
        )
        for each in found
    ]
    say(found, columns(header, rows) if rows else [f"{registry} holds no model"], as_json=as_json)


def _listed(place: Registry, name: str, version: str) -> dict[str, Any]:
    from exoclassify.errors import ExoclassifyError
    from exoclassify.model.about import About
    from exoclassify.model.card import headline
    from exoclassify.model.folder import describe, only_refusals

    known: dict[str, Any] = {"name": name, "version": version, "champion": False, "gate": None}
    known["signed"] = place.path(name, version).with_name(f"{version}.signature.json").exists()
    try:
        with only_refusals(f"{name} {version}"):
            history, decision = place.history(name), place.decision(name, version)
            known["champion"] = bool(history) and history[-1].version == version
            known["gate"] = None if decision is None else bool(decision.get("passed"))
            about = About.model_validate(describe(place.path(name, version)))
            return {
                **known,
                "created": about.created,
                "samples": about.training.n_samples,
                "headline": headline(about).replace("**", "").split(":")[0].rstrip("."),
            }
    except ExoclassifyError as error:
        return {**known, "broken": f"broken: {error}"}


@models.command(no_args_is_help=True)
def show(name: Name, version: Version = None, registry: Place = "models", as_json: opt.AsJson = False) -> None:
    """Show a version: where it is, what the gate decided of it, and the history of its name.

    Its card is shown by `exoclassify show` with the folder.
    """
    place = opened(registry)
    folder = place.path(name, version)
    listed = _listed(place, name, folder.name)
    decision, history = place.decision(name, folder.name), place.history(name)
    lines = [
        f"{name} {folder.name}{', in use' if listed['champion'] else ''}: {listed.get('headline', listed.get('broken'))}",
        f"card: exoclassify show {folder}",
        f"signed: {'yes' if listed['signed'] else 'no'}",
        "gate: never asked" if decision is None else f"gate: {decision.get('sentence', 'its record says nothing')}",
        *(["history:", *(f"  {_told(promotion)}" for promotion in history)] if history else ["never promoted"]),
    ]
    plain = {
        **listed,
        "folder": str(folder),
        "decision": decision,
        "history": [vars(promotion) for promotion in history],
    }
    say(plain, lines, as_json=as_json)


def _told(promotion: Promotion) -> str:
    before = f" (before: {promotion.previous})" if promotion.previous else ""
    source = f", from {promotion.source}" if promotion.source else ""
    what = "back to" if promotion.back else "to"
    return f"{promotion.when} {what} {promotion.version}{before}, by {promotion.who}: {promotion.why}{source}"


@models.command(no_args_is_help=True)
def promote(
    name: Name,
    version: Annotated[str, typer.Argument(help="Three numbers.")],
    why: Why,
    who: Who = None,
    source: Annotated[str | None, typer.Option(help="From what: a run, a ticket; kept in the history.")] = None,
    require_signature: Key = None,
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Put a version into use, after it has given its golden answers again."""
    place = opened(registry, change=True)
    done = place.promote(name, version, who=asker(who), why=why, source=source, require_signature=require_signature)
    say(vars(done), [f"in use: {name} {_told(done)}"], as_json=as_json)


@models.command(no_args_is_help=True)
def rollback(
    name: Name,
    why: Why,
    who: Who = None,
    require_signature: Key = None,
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Return to the version that was in use before; again, to the one before that."""
    place = opened(registry, change=True)
    done = place.rollback(name, who=asker(who), why=why, require_signature=require_signature)
    say(vars(done), [f"in use: {name} {_told(done)}"], as_json=as_json)


@models.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="Name of the model.  [default: all]")] = None,
    version: Annotated[str | None, typer.Argument(help="Three numbers.  [default: all]")] = None,
    require_signature: Key = None,
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Check checksums, golden answers and, if asked, signatures; stops with exit code 2 at the first that fails."""
    place = opened(registry)
    names = place.names() if name is None else (name,)
    found = []
    for each in names:
        if not place.versions(each) or version is not None:
            place.path(each, version)  # says what is there instead
        for one in place.versions(each) if version is None else (version,):
            place.load(each, one, verify=True, require_signature=require_signature)
            found.append({"name": each, "version": one, "verified": True})
            if not as_json:
                print(f"{each} {one}: as it was made, and gives its golden answers", flush=True)
    if as_json or not found:
        say(found, [f"{registry} holds no model"], as_json=as_json)


@models.command(no_args_is_help=True)
def prune(
    name: Name,
    keep: Annotated[int, typer.Option(min=0, help="How many of the newest versions stay, beside the one in use.")] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Remove old versions; never the one in use, nor the one that a rollback would return to."""
    old = opened(registry, change=True).prune(name, keep=keep, dry_run=dry_run)
    what = "would remove" if dry_run else "removed"
    lines = [f"{what} {name} {version}" for version in old] or ["nothing to remove"]
    say({"name": name, "removed": list(old), "dry_run": dry_run}, lines, as_json=as_json)


models.command(no_args_is_help=True)(compare)
models.command(no_args_is_help=True)(sign)
models.command(no_args_is_help=True)(keys)
models.command("export-bento", no_args_is_help=True)(export_bento)
models.command("import", no_args_is_help=True)(import_)
