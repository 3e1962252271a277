"""exoclassify models sign, keys, import and export-bento: versions that come from, or go to, somewhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.registry import Place, opened, say

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.registry import Registry

__all__ = ["export_bento", "import_", "keys", "sign"]


def keys(
    private: Annotated[Path, typer.Option(help="File for the private key; keep it away from the registry.")],
    public: Annotated[Path, typer.Option(help="File for the public key; for --require-signature.")],
    as_json: opt.AsJson = False,
) -> None:
    """Make a pair of keys to sign versions with."""
    from exoclassify.model.signature import make_keys

    make_keys(private, public)
    say(
        {"private": str(private), "public": str(public)},
        [f"written to {private} (keep it secret) and {public}"],
        as_json=as_json,
    )


def sign(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[str, typer.Argument(help="Three numbers.")],
    key: Annotated[Path, typer.Option(help="Private key (PEM, ed25519), as `exoclassify models keys` makes.")],
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Vouch for a version's files with a private key, after it has given its golden answers again."""
    from exoclassify.model.signature import sign as sign_folder

    place = opened(registry, change=True)
    place.load(name, version, verify=True)
    written = sign_folder(place.path(name, version), key)
    say(
        {"name": name, "version": version, "signature": str(written)},
        [f"{name} {version} is signed: {written}"],
        as_json=as_json,
    )


def import_(
    source: Annotated[str, typer.Argument(help="Folder of a model, or its tag in BentoML's store, NAME:VERSION.")],
    renumber: Annotated[
        bool, typer.Option("--renumber", help="Number it by how its answers differ from those of the one in use.")
    ] = False,
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Keep a model that was made elsewhere; it must give its golden answers, and is not in use before it is promoted."""
    from exoclassify.model.bundle import ModelBundle

    folder = Path(source)
    bundle = ModelBundle.load(folder if folder.is_dir() or ":" not in source else _bento(source), verify=True)
    place = opened(registry, change=True)
    if renumber and place.history(bundle.name):
        from exoclassify.lifecycle.finish import numbered
        from exoclassify.model.version import next_version

        bundle = numbered(bundle, next_version(place.load(bundle.name), bundle)[0])
    written = place.add(bundle)
    say(
        {"name": bundle.name, "version": bundle.version, "folder": str(written)},
        [f"{bundle.name} {bundle.version} is kept in {written}", *_stray_number(place, bundle)],
        as_json=as_json,
    )


def export_bento(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[str | None, typer.Argument(help="Three numbers.  [default: the one in use]")] = None,
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Copy a version into BentoML's own model store, file by file as it is here."""
    import shutil

    place = opened(registry)
    bundle = place.load(name, version, verify=True)
    bentoml = _bentoml()
    tag = f"{name.lower()}:{bundle.version}"
    labels = {
        "exoclassify": bundle.about.libraries["exoclassify"],
        "kind": bundle.panel.kind,
        "unit": bundle.panel.unit,
    }
    try:
        with bentoml.models.create(tag, labels=labels) as stored:
            shutil.copytree(place.path(name, bundle.version), stored.path, dirs_exist_ok=True)
    except bentoml.exceptions.BentoMLException as error:
        from exoclassify.errors import FileError

        raise FileError(f"{tag}: BentoML does not take it ({error}); remove it there first if it is old") from error
    say(
        {"tag": tag, "path": str(stored.path)},
        [f"{name} {bundle.version} is in BentoML's store as {tag}"],
        as_json=as_json,
    )


def _bentoml() -> Any:  # an optional package, typed or not
    try:
        import bentoml
    except ImportError as error:
        from exoclassify.errors import FileError

        raise FileError(
            "BentoML is not installed; pip install 'exoclassify[service]', or give a model's folder"
        ) from error
    return bentoml


def _bento(tag: str) -> Path:
    from exoclassify.errors import FileError

    bentoml = _bentoml()
    try:
        return Path(bentoml.models.get(tag).path)
    except bentoml.exceptions.BentoMLException as error:
        raise FileError(f"{tag}: is neither a folder nor in BentoML's store ({error})") from error


def _stray_number(place: Registry, bundle: ModelBundle) -> list[str]:
    """Say so when a number promises less change than there is."""
    from exoclassify.model.version import next_version, order

    if not place.history(bundle.name) or place.champion(bundle.name) == bundle.version:
        return []
    old = place.load(bundle.name)
    due, reason = next_version(old, bundle)
    if order(bundle.version)[:2] >= order(due)[:2]:
        return []
    return [f"beside {old.version}, in use, it would be {due} ({reason}); --renumber numbers it so"]
