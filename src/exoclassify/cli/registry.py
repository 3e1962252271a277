"""What every command on a registry shares: its place, who asks, and answers as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from exoclassify.model.registry import Registry

__all__ = ["Key", "Place", "SignWith", "Who", "asker", "check_signing", "opened", "say"]

Place = Annotated[
    str,
    typer.Option(
        "--registry",
        envvar="EXOCLASSIFY_REGISTRY",
        help="Folder of the models, or a URL such as s3://bucket/models, which is read and never changed.",
    ),
]
Who = Annotated[str | None, typer.Option(help="Who asks; kept in the history.  [default: the name of the user]")]
Key = Annotated[
    Path | None,
    typer.Option(
        envvar="EXOCLASSIFY_REQUIRE_SIGNATURE",
        help="Public key (PEM, ed25519); refuse a version that its owner did not sign.",
    ),
]
SignWith = Annotated[
    Path | None,
    typer.Option(help="Private key (PEM, ed25519) to sign the new version with, as `exoclassify models keys` makes."),
]


def check_signing(require: Path | None, sign_with: Path | None, *, promoting: bool) -> None:
    """Refuse before any work what could not be promoted after it."""
    if promoting and require is not None and sign_with is None:
        raise typer.BadParameter(
            "a version in use must be signed, and the new one would not be; give --sign-with, or --promote never"
        )


def opened(place: str, *, change: bool = False) -> Registry:
    """Open a registry.

    Returns
    -------
    Registry
        Of a URL, a copy of the moment, checked like any other when a version is loaded.
    """
    from exoclassify.model.registry import Registry

    if "://" not in place:
        return Registry(place)
    from exoclassify.errors import FileError
    from exoclassify.model.mirror import mirrored

    if change:
        raise FileError(
            f"{place}: a registry behind a URL is read only, for nothing there keeps two changes apart; change the folder "
            "it is copied from, and copy that"
        )
    return Registry(mirrored(place))


def asker(who: str | None) -> str:
    """Name who asks: as said, else the user."""
    import getpass

    try:
        return who or getpass.getuser()
    except (OSError, KeyError) as error:
        raise typer.BadParameter("this system does not say who the user is; say it", param_hint="--who") from error


def say(plain: Any, lines: Sequence[str], *, as_json: bool) -> None:
    """Print an answer once, as lines or as JSON."""
    print(json.dumps(plain, indent=1, allow_nan=False) if as_json else "\n".join(lines))
