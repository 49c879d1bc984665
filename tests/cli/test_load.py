"""Agents are found, and what is not found is explained in one line."""

from pathlib import Path

import pytest

from vivavoce.agent import Interpreter
from vivavoce.cli.load import LoadError, load_agent, load_host

ONE = 'from vivavoce.agent import Agent\nagent = Agent("Be brief.", name="{name}")\n'


def write(folder: Path, text: str, name: str = "host.py") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_file_with_one_agent(tmp_path: Path) -> None:
    assert load_agent(write(tmp_path, ONE.format(name="one"))).name == "one"


def test_an_agent_by_its_name(tmp_path: Path) -> None:
    text = ONE.format(name="one") + 'other = Agent("x", name="two")\n'
    assert load_agent(write(tmp_path, text) + ":other").name == "two"


def test_the_one_called_agent_wins_among_several(tmp_path: Path) -> None:
    text = ONE.format(name="one") + 'other = Agent("x", name="two")\n'
    assert load_agent(write(tmp_path, text)).name == "one"


def test_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ONE.format(name="three"), "some_host_module.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_agent("some_host_module:agent").name == "three"


def test_its_neighbours_can_be_imported(tmp_path: Path) -> None:
    write(tmp_path, "NAME = 'four'\n", "some_neighbour.py")
    text = (
        "from vivavoce.agent import Agent\nfrom some_neighbour import NAME\nagent=Agent(name=NAME)"
    )
    assert load_agent(write(tmp_path, text)).name == "four"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "defines no Agent"),
        ("def f(:\n", "line 1"),
        ("import vivavoce_no_such_thing\n", "line 1: ModuleNotFoundError"),
        ("\n\nraise ValueError('two\\nlines')\n", "line 3: ValueError: two lines"),
        (
            'from vivavoce.agent import Agent\na = Agent(name="a")\nb = Agent(name="b")\n',
            "several agents",
        ),
        ("from vivavoce.agent import Agent\nagent = Agent(name='no spaces')\n", "line 2"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LoadError) as caught:
        load_agent(write(tmp_path, text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("nowhere.py", "no such file"),
        ("nowhere", "name an agent as"),
        ("no_such_module_at_all:agent", "no such module"),
        ("json:agent", "nothing called agent"),
        ("json:loads", "loads is no Agent"),
    ],
)
def test_nothing_there(where: str, said: str) -> None:
    with pytest.raises(LoadError, match=said):
        load_agent(where)


TWO = (
    'from vivavoce.agent import Agent, Interpreter\nbooth = Interpreter("fr", "en", name="booth")\n'
)


def test_an_interpreter_is_found_where_one_can_work(tmp_path):
    found = load_host(write(tmp_path, TWO))
    assert isinstance(found, Interpreter)
    assert found.name == "booth"
    assert load_host(write(tmp_path, TWO) + ":booth").name == "booth"
    with pytest.raises(LoadError, match=r"is an Interpreter.*serve, phone, run, talk"):
        load_agent(write(tmp_path, TWO))
    with pytest.raises(LoadError, match="is an Interpreter"):
        load_agent(write(tmp_path, TWO) + ":booth")


def test_beside_an_interpreter_an_agent_is_found_by_what_is_wanted(tmp_path):
    text = TWO + 'clerk = Agent(name="clerk")\n'
    assert load_agent(write(tmp_path, text)).name == "clerk"
    with pytest.raises(LoadError, match="several agents"):
        load_host(write(tmp_path, text))
    both = text + "interpreter = booth\n"
    assert load_host(write(tmp_path, both)).name == "booth"
