"""The weights in an ONNX file, as arrays.

onnxruntime runs models and does not hand out what is in them; the package onnx would be one more
dependency for a file format of three nested messages. So this reads just those: ONNX is protocol
buffers (onnx.proto3), in which every value is preceded by its number and kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .weights import ModelFileError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT = 1  # TensorProto.DataType
# Numbers of the fields that lead to tensors.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE = 2, 4, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH = 5, 6
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9

Tensor = NDArray[np.float32]


def read(path: Path) -> dict[str, Tensor]:
    """Return all float32 tensors of a model, by name; constants by their output's name.

    Graphs within graphs (the branches of an `If`) are read as well.

    Raises:
        ModelFileError: The file is missing, or is no ONNX model.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise ModelFileError(f"There is no model file {path}.") from error
    found: dict[str, Tensor] = {}
    try:
        for number, value in _fields(data):
            if number == _MODEL_GRAPH and isinstance(value, memoryview):
                _graph(value, found)
    except (ValueError, IndexError) as error:
        raise ModelFileError(f"The model file {path} cannot be read as ONNX: {error}") from error
    return found


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that does not end")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield a message's fields: their number, and their bytes or whole number."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {kind}")
        if at + size > len(data):
            raise ValueError("a field that is cut off")
        yield tag >> 3, data[at : at + size]
        at += size


def _graph(data: memoryview, found: dict[str, Tensor]) -> None:
    for number, value in _fields(data):
        if not isinstance(value, memoryview):
            continue
        if number == _GRAPH_INITIALIZER:
            _tensor(value, "", found)
        elif number == _GRAPH_NODE:
            _node(value, found)


def _node(data: memoryview, found: dict[str, Tensor]) -> None:
    fields = list(_fields(data))
    texts = {number: bytes(value) for number, value in fields if isinstance(value, memoryview)}
    output = texts.get(_NODE_OUTPUT, b"").decode()
    for number, attribute in fields:
        if number != _NODE_ATTRIBUTE or not isinstance(attribute, memoryview):
            continue
        for inner, value in _fields(attribute):
            if not isinstance(value, memoryview):
                continue
            if inner == _ATTRIBUTE_GRAPH:
                _graph(value, found)
            elif inner == _ATTRIBUTE_TENSOR and texts.get(_NODE_OP) == b"Constant":
                _tensor(value, output, found)


def _tensor(data: memoryview, name: str, found: dict[str, Tensor]) -> None:
    shape: list[int] = []
    kind, raw, floats = 0, memoryview(b""), memoryview(b"")
    for number, value in _fields(data):
        if isinstance(value, int):
            if number == _TENSOR_DIMS:
                shape.append(value)
            elif number == _TENSOR_TYPE:
                kind = value
        elif number == _TENSOR_DIMS:  # packed
            at = 0
            while at < len(value):
                size, at = _varint(value, at)
                shape.append(size)
        elif number == _TENSOR_NAME:
            name = name or bytes(value).decode()
        elif number == _TENSOR_RAW:
            raw = value
        elif number == _TENSOR_FLOATS:
            floats = value
    if kind != _FLOAT or not name:
        return
    values = np.frombuffer(raw or floats, "<f4")
    if values.size != math.prod(shape):
        raise ValueError(f"{name} holds {values.size} numbers instead of {shape}")
    found[name] = values.reshape(shape).astype(np.float32)
