"""Signed manifests: who vouches for a version's files, by ed25519.

The manifest beside a version, ``1.0.0.signature.json``, holds the sha256 of each of its files; the signature is over the
manifest's canonical JSON. Keys are PEM files, as ``openssl genpkey -algorithm ed25519`` writes them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exoclassify.errors import FileError, ModelError, first_three
from exoclassify.model.folder import MODEL_FILES
from exoclassify.tables.writing import write_atomically, write_text_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["check_signature", "make_keys", "sign"]


def make_keys(private: str | Path, public: str | Path) -> None:
    """Write a new pair of keys; the private one readable by its owner alone."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    for path in (Path(private), Path(public)):
        if path.exists():
            raise FileError(f"{path}: is there already, and a key is never replaced; give another name")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    open_ = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo).decode()

    def write_secret(path: Path) -> None:
        path.touch(mode=0o600)
        path.write_bytes(secret)

    write_atomically(Path(private), write_secret)
    write_text_atomically(Path(public), open_, force=False)


def sign(folder: Path, private: str | Path) -> Path:
    """Vouch for a version."""
    key = _private_key(Path(private))
    manifest = _manifest(folder)
    signature = base64.b64encode(key.sign(_canonical(manifest))).decode()
    text = json.dumps({"manifest": manifest, "algorithm": "ed25519", "signature": signature}, indent=1) + "\n"
    path = _beside(folder)
    write_text_atomically(path, text)
    return path


def check_signature(folder: Path, public: str | Path) -> None:
    """Demand that a version is signed, and as it was when it was signed."""
    from cryptography.exceptions import InvalidSignature

    key, where = _public_key(Path(public)), f"{folder.parent.name}/{folder.name}"
    try:
        signed = json.loads(_beside(folder).read_bytes())
        manifest, signature = signed["manifest"], base64.b64decode(signed["signature"], validate=True)
    except FileNotFoundError as error:
        raise ModelError(
            f"{where}: is not signed, and a signature is required; sign it with `exoclassify models sign`"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{_beside(folder).name}: cannot be read ({error}); sign the version again") from error
    try:
        key.verify(signature, _canonical(manifest))
    except InvalidSignature as error:
        raise ModelError(
            f"{where}: its signature was not made with the key {Path(public).name}; check who signed it"
        ) from error
    _compare(where, manifest, _manifest(folder))


def _compare(where: str, signed: Any, found: dict[str, Any]) -> None:
    if not isinstance(signed, dict) or (signed.get("name"), signed.get("version")) != (found["name"], found["version"]):
        raise ModelError(f"{where}: the signature is that of another version; sign this one")
    files = signed.get("files")
    if not isinstance(files, dict):
        raise ModelError(f"{where}: the signed manifest lists no files; sign the version again")
    changed = sorted(name for name in files | found["files"] if files.get(name) != found["files"].get(name))
    if changed:
        raise ModelError(
            f"{where}: {len(changed)} files were changed, added or removed after it was signed ({first_three(changed)}); "
            "fetch the version again"
        )


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        foreign = sorted({entry.name for entry in folder.iterdir()} - set(MODEL_FILES))
        if foreign:
            raise ModelError(
                f"{folder.parent.name}/{folder.name}: holds what belongs to no model ({first_three(foreign)}); remove it"
            )
        files = {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in sorted(MODEL_FILES)
            if (folder / name).is_file()
        }
    except OSError as error:
        raise FileError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return {"name": folder.parent.name, "version": folder.name, "files": files}


def _canonical(manifest: Any) -> bytes:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.signature.json")


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise FileError(f"{path}: is no private key that can be read ({error}); {_MEND}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise FileError(f"{path}: is a key of another kind; {_MEND}")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: is no public key that can be read ({error}); {_MEND}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise FileError(f"{path}: is a key of another kind; {_MEND}")
    return key


_MEND = "give an ed25519 key in PEM without a password, as `exoclassify models keys` writes it"
