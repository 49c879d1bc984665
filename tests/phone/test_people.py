"""The list of a campaign's people."""

from __future__ import annotations

import pytest

from vivavoce.phone import PhoneError
from vivavoce.phone.people import Person, read_people


def test_a_list_is_read(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("\ufeffnumber;name;city\n+331; Ann ;Lyon\n+332;;Nice\n;;\n", encoding="utf-8")
    first, second = read_people(path)
    assert first == Person("+331", "Ann", {"city": "Lyon"})
    assert first.memory == {"name": "Ann", "city": "Lyon"}
    assert second.memory == {"city": "Nice"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name\nAnn\n", "one is `number`"),
        ("number,number\n1,2\n", "each once"),
        ("number,name\n1\n", "line 2: as many values"),
        ("number,name\n1,a,b\n", "line 2: as many values"),
        ("number,name\n,Ann\n", "line 2: '' is no number"),
        ("number\n1\n2\n1\n", "line 4: 1 is there twice"),
        ("number,name\n", "nobody to call"),
    ],
)
def test_lists_that_make_no_sense(tmp_path, text, why):
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(PhoneError, match=why):
        read_people(path)
    with pytest.raises(PhoneError, match="cannot read"):
        read_people(tmp_path / "none.csv")
