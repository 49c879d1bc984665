"""Kinds of parameters that tools take, beyond plain ones."""

import dataclasses
import datetime as dt
import enum

from pydantic import BaseModel
from typing_extensions import TypedDict


class Seat(enum.Enum):
    INSIDE = "inside"
    TERRACE = "terrace"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    street: str
    number: int | None = None


@dataclasses.dataclass(frozen=True)
class Guest:
    name: str
    born: dt.date


class Window(TypedDict):
    opens: dt.time
