"""The text of what a tool returned."""

import dataclasses
import datetime as dt
import json
import math
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel, TypeAdapter
from pydantic.dataclasses import is_pydantic_dataclass

RESULT_LIMIT = 16_384
"""The most bytes of UTF-8 that a model is given as a result, unless told otherwise."""

DEPTH_LIMIT = 64
"""The most levels of lists and objects in a result; deeper is taken for a circle."""

_ANY: TypeAdapter[Any] = TypeAdapter(Any)
# As pydantic writes them.
_SCALARS = (dt.date, dt.time, dt.timedelta, UUID, Decimal)


class BadResultError(TypeError):
    """A tool returned what has no text; the message tells the tool's author what to return."""


def write_result(value: Any, *, limit: int = RESULT_LIMIT) -> str:
    """Write what a tool returned as text for a model.

    A string stays as it is and None is `done`. Everything else is JSON: pydantic models and
    dataclasses are objects, dates are ISO 8601, sets are lists (sorted where they can be),
    NaN and infinities are null. An object with a method `__tool_result__` says by it, in words,
    what the model is told.

    Args:
        value: What the tool returned.
        limit: The most bytes of UTF-8, the mark of a cut included. What lies beyond is not
            even looked at.

    Returns:
        The text; cut, with a mark that says so, when it would be longer.

    Raises:
        BadResultError: It has parts without a JSON form (bytes, generators, open files,
            unknown classes), or contains itself.
        ValueError: The limit is too small for the mark.
    """
    mark = f" … [cut: longer than {limit} bytes]"
    room = limit - len(mark.encode())
    if room < 0:
        raise ValueError(f"limit is {limit} bytes: give at least {len(mark.encode())}")
    pieces: list[bytes] = []
    size = 0
    for piece in _pieces(value, limit):
        # A tool may pass on half a surrogate pair; a request cannot carry it.
        pieces.append(piece.encode(errors="replace"))
        size += len(pieces[-1])
        if size > limit:
            # errors="ignore" drops the bytes of a character that the cut went through.
            return b"".join(pieces)[:room].decode(errors="ignore") + mark
    return b"".join(pieces).decode()


def _pieces(value: Any, limit: int) -> Iterator[str]:
    told = getattr(type(value), "__tool_result__", None)
    if value is None:
        yield "done"
    elif told is not None:
        yield str(told(value))[: limit + 1]
    elif isinstance(value, str) and not isinstance(value, Enum):
        yield value[: limit + 1]
    else:
        yield from _json(value, limit, 0)


def _json(value: Any, limit: int, depth: int) -> Iterator[str]:
    """JSON in pieces, so that its reader can stop when it has enough."""
    if depth > DEPTH_LIMIT:
        raise BadResultError(f"it has more than {DEPTH_LIMIT} levels, or contains itself")
    value = _plain(value)
    if isinstance(value, str):
        yield json.dumps(value[: limit + 1], ensure_ascii=False)
    elif isinstance(value, float):
        yield json.dumps(value) if math.isfinite(value) else "null"
    elif value is None or isinstance(value, int):
        yield _integer(value)
    elif isinstance(value, dict):
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield ", " if index else ""
            yield json.dumps(_key(key)[: limit + 1], ensure_ascii=False) + ": "
            yield from _json(item, limit, depth + 1)
        yield "}"
    else:
        yield "["
        for index, item in enumerate(value):
            yield ", " if index else ""
            yield from _json(item, limit, depth + 1)
        yield "]"


def _integer(value: int | None) -> str:
    try:
        return json.dumps(value)
    except ValueError as error:  # more digits than Python writes
        raise BadResultError(f"it has a number that is too long: {error}") from error


def _plain(value: Any) -> Any:
    """A value as one of str, float, int, bool, None, dict or a collection; one level only."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, str | int | float | dict | list):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        raise BadResultError("it has bytes: decode them, or describe them in words")
    if isinstance(value, type):
        raise BadResultError(f"it has the class {value.__name__}: return an instance")
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if dataclasses.is_dataclass(value):
        if is_pydantic_dataclass(type(value)):
            return TypeAdapter(type(value)).dump_python(value, mode="json", by_alias=True)
        return {part.name: getattr(value, part.name) for part in dataclasses.fields(value)}
    if isinstance(value, _SCALARS):
        return _ANY.dump_python(value, mode="json")
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, set | frozenset):
        try:
            return sorted(value)
        except TypeError:
            return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        return _plain(value.tolist())
    if isinstance(value, Collection):
        return value
    raise BadResultError(
        f"it has a {type(value).__name__}: return text, numbers, lists, dicts, dates, "
        "dataclasses or pydantic models"
    )


def _key(key: Any) -> str:
    plain = _plain(key)
    if isinstance(plain, str):
        return plain
    if plain is None or isinstance(plain, bool | int | float):
        return json.dumps(plain)
    raise BadResultError(f"it has a {type(key).__name__} as a key: use strings")
