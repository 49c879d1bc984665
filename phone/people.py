"""The people of a campaign: a list from a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vivavoce.phone.exposure import PhoneError


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to call.

    Attributes:
        number: Their number.
        name: Their name, "" if it is not known.
        variables: What else is known, by column.
    """

    number: str
    name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def memory(self) -> dict[str, object]:
        """What the agent knows of them."""
        return {**({"name": self.name} if self.name else {}), **self.variables}


def read_people(path: Path) -> list[Person]:
    """Read a CSV (UTF-8; commas or semicolons): `number`, `name`, and any other columns.

    Raises:
        PhoneError: It cannot be read, or a line makes no sense; the message says which.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PhoneError(f"cannot read {path}: {error}") from None
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in head else ",")
    columns = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    if "number" not in columns or len(set(columns)) != len(columns) or "" in columns:
        raise PhoneError(f"{path}: its first line names the columns, each once; one is `number`")
    people: dict[str, Person] = {}
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise PhoneError(f"{where}: as many values are needed as there are columns")
        cells = {name: value.strip() for name, value in row.items()}
        if not any(cells.values()):
            continue
        number, name = cells.pop("number"), cells.pop("name", "")
        if not number or any(c.isspace() and c != " " for c in number):
            raise PhoneError(f"{where}: {number!r} is no number")
        if number in people:
            raise PhoneError(f"{where}: {number} is there twice; nobody is called twice")
        people[number] = Person(number, name, cells)
    if not people:
        raise PhoneError(f"{path}: there is nobody to call")
    return list(people.values())
