"""A registry behind a URL, copied here to be read: object stores, web servers, archives, whatever fsspec knows."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from exoclassify.errors import FileError
from exoclassify.model.folder import MODEL_FILES

__all__ = ["mirrored"]

_PARTS = re.compile(
    r"[^/]+/(champion|history\.jsonl|\d+\.\d+\.\d+\.(decision|signature)\.json|"
    rf"\d+\.\d+\.\d+/({'|'.join(map(re.escape, MODEL_FILES))}))"
)


def mirrored(url: str) -> Path:
    """Copy a registry from a URL into a folder of its own, removed when the program ends.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/models``; each protocol needs its package, which fsspec names.

    Returns
    -------
    Path
        The copy. Its pointers are fetched before its versions, so a version that they name is there.
    """
    try:
        import fsspec
    except ImportError as error:
        raise FileError(f"{url}: fsspec is not installed; pip install 'exoclassify[remote]'") from error
    try:
        system, root = fsspec.core.url_to_fs(url)
        found = [str(path) for path in system.find(root)]
        inside = {str(PurePosixPath(path).relative_to(PurePosixPath(root))): path for path in found}
        wanted = sorted((part for part in inside if _PARTS.fullmatch(part)), key=lambda part: part.count("/"))
        if not wanted:
            raise FileError(f"{url}: holds no model; give the folder above the folders of the models")
        copy = Path(tempfile.mkdtemp(prefix="exoclassify-registry-"))
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        for part in wanted:
            (copy / part).parent.mkdir(parents=True, exist_ok=True)
            system.get_file(inside[part], str(copy / part))
    except (OSError, ValueError, ImportError) as error:
        raise FileError(
            f"{url}: cannot be read ({error}); check the URL and the right to read it, or copy the folder here"
        ) from error
    return copy
