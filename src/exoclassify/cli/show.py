"""exoclassify show: the model card."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from exoclassify.cli import options as opt

__all__ = ["show"]


def show(
    model: opt.ModelFolder,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print bundle.json instead, without the fitted numbers.")
    ] = False,
) -> None:
    """Show what a model is, and how it was judged.

    The model's checksums are checked first.
    """
    import json

    from exoclassify.model.bundle import ModelBundle

    bundle = ModelBundle.load(model)
    if as_json:
        described = json.loads((model / "bundle.json").read_text(encoding="utf-8"))
        del described["fitted"]
        print(json.dumps(described, indent=1))
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(bundle.card))
    else:
        print(bundle.card, end="")
