"""exoclassify serve: the page and the REST service on this machine, without knowing BentoML."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["serve"]

_HOST = "127.0.0.1"


def serve(
    models: Annotated[Path, typer.Option(help="Folder of models (a registry); made when it is not there.")] = Path(
        "models"
    ),
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port on this machine; other machines get no answer.")
    ] = 3000,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Start the page and the REST service on this machine.

    The page answers for a table, audits and trains on your own files, and shows evidence. Ctrl-C stops it. The same service
    as `bentoml serve service.app:PainService`, in one process and for this machine alone; settings are the EXOCLASSIFY_
    variables that service/README.md lists.
    """
    from exoclassify.errors import InputError

    _check_port(port)
    if models.exists() and not models.is_dir():
        raise InputError(f"--models {models}: is a file; give the folder that holds NAME/VERSION, such as models")
    try:
        import uvicorn

        import service.app
    except ImportError as error:
        raise InputError(
            f"the service cannot start: {error.name} is not installed; run pip install 'exoclassify[service]'"
        ) from error
    models.mkdir(parents=True, exist_ok=True)
    os.environ["EXOCLASSIFY_REGISTRY"] = str(models.resolve())
    for name, value in (("STUDIES", "1"), ("LOG", "errors")):
        os.environ.setdefault(f"EXOCLASSIFY_{name}", value)
    address = f"http://localhost:{port}/"
    print(f"the page: {address}  (models: {models}; Ctrl-C stops it)", flush=True)
    server = uvicorn.Server(
        uvicorn.Config(service.app.asgi, factory=True, host=_HOST, port=port, access_log=False, log_level="warning")
    )
    if show:
        threading.Thread(target=_open_once_ready, args=(server, address), daemon=True).start()
    with suppress(KeyboardInterrupt):  # uvicorn has stopped by then, and tells the signal on
        server.run()
    if not server.started:
        sys.exit(1)


def _check_port(port: int) -> None:
    from exoclassify.errors import InputError

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            found = (error.strerror or "cannot be used").lower()
            raise InputError(
                f"--port {port}: {found}; is the page open already? Give another --port if it is not yours"
            ) from error


def _open_once_ready(server: object, address: str) -> None:
    import time
    import webbrowser

    while not getattr(server, "started", False):
        time.sleep(0.05)
    webbrowser.open(address)
