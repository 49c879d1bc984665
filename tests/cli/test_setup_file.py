"""Set-up files: what is wrong with one is told in a line that names it."""

import pytest

from vivavoce.cli.setup_file import check_known, read_toml


class WrongError(ValueError):
    pass


def test_it_is_read_and_no_file_is_an_empty_one(tmp_path):
    path = tmp_path / "phone.toml"
    path.write_text('[phone]\nagent = "déjà"\n', encoding="utf-8")
    assert read_toml(path, WrongError) == {"phone": {"agent": "déjà"}}
    assert read_toml(None, WrongError) == {}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, r"cannot read .*phone\.toml: .*No such file"),
        (b"\xff\xfe", r"cannot read .*phone\.toml: .*decode"),
        (b"[phone\n", r"phone\.toml is not valid TOML: .*line 1"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_name(tmp_path, content, why):
    path = tmp_path / "phone.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WrongError, match=why):
        read_toml(path, WrongError)


def test_a_key_that_nobody_knows_is_refused_with_those_that_there_are():
    check_known({"host": 1}, {"port", "host"}, "[web]", WrongError)
    with pytest.raises(WrongError, match=r"^\[web\]: there is no 'hots'; known: host, port$"):
        check_known({"hots": 1, "port": 2}, {"port", "host"}, "[web]", WrongError)
