"""Tensors sent as bytes behind the JSON: the protocol's binary extension, which Triton's client uses unless told otherwise."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
from msgspec import UNSET

from service.exchange import Refusal
from service.reading import decoded
from service.schemas import InferRequest, Scalar, Tensor

__all__ = ["infer_request"]

_HEADER = "inference-header-content-length"

_TYPES = {
    "FP64": "<f8", "FP32": "<f4", "FP16": "<f2", "INT64": "<i8", "INT32": "<i4", "INT16": "<i2", "INT8": "<i1",
    "UINT64": "<u8", "UINT32": "<u4", "UINT16": "<u2", "UINT8": "<u1",
}  # fmt: skip


def infer_request(body: bytes, headers: Mapping[str, str]) -> InferRequest:
    """Read a request: JSON, or JSON and the bytes of its tensors behind it; a header says how long the JSON is.

    Every tensor of it has data; NaN of a tensor of bytes is null, not measured.
    """
    said = headers.get(_HEADER)
    if said is None:
        asked, rest = decoded(body, InferRequest), b""
    else:
        if not said.isdecimal() or len(said) > 15 or int(said) > len(body):
            raise Refusal(
                400, "length", "give the length of the JSON before the bytes", "headers.inference-header-content-length"
            )  # fmt: skip
        asked, rest = decoded(body[: int(said)], InferRequest), body[int(said) :]
    for tensor in asked.inputs:
        rest = _filled(tensor, rest)
    if rest:
        raise _wrong(f"{len(rest)} bytes follow the last tensor; give each one its binary_data_size")
    return asked


def _filled(tensor: Tensor, rest: bytes) -> bytes:
    """Give a tensor its data, and what is left of the bytes."""
    size = None if tensor.parameters is UNSET else tensor.parameters.get("binary_data_size")
    if size is None:
        if tensor.data is UNSET:
            raise _wrong(f"{tensor.name}: has neither data nor a binary_data_size")
        return rest
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(rest):
        raise _wrong(f"{tensor.name}: binary_data_size is {str(size)[:20]}, and {len(rest)} bytes are left")
    mine = rest[:size]
    tensor.data = [*(_texts(tensor, mine) if tensor.datatype == "BYTES" else _numbers(tensor, mine))]
    return rest[size:]


def _numbers(tensor: Tensor, content: bytes) -> list[Scalar]:
    kind = _TYPES.get(tensor.datatype)
    if kind is None:
        raise _wrong(f"{tensor.name}: datatype {tensor.datatype[:20]}; give FP64")
    if len(content) % np.dtype(kind).itemsize:
        raise _wrong(f"{tensor.name}: {len(content)} bytes are no whole number of {tensor.datatype}")
    values: list[Scalar] = np.frombuffer(content, dtype=kind).tolist()
    return [None if value != value else value for value in values]


def _texts(tensor: Tensor, content: bytes) -> list[Scalar]:
    """Read texts, each behind its length in four bytes."""
    texts: list[Scalar] = []
    at = 0
    try:
        while at < len(content):
            (length,) = struct.unpack_from("<I", content, at)
            if at + 4 + length > len(content):
                raise _wrong(f"{tensor.name}: a text is longer than the bytes that are there")
            texts.append(content[at + 4 : at + 4 + length].decode())
            at += 4 + length
    except (struct.error, UnicodeDecodeError) as error:
        raise _wrong(f"{tensor.name}: the bytes are no texts behind their lengths") from error
    return texts


def _wrong(message: str) -> Refusal:
    return Refusal(409, "not_usable", message, "$.inputs")
