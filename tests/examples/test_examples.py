"""All examples: short, whole, and one agent object each, as the commands find it."""

import sys
from pathlib import Path

import pytest

from vivavoce.agent import Agent
from vivavoce.cli.load import load_agent

ROOT = Path(__file__).parents[2]
TEN = "restaurant support appointments banking form concierge home notes line compliance".split()
AGENTS = [*TEN, "hello", "echo"]


@pytest.mark.parametrize("name", AGENTS)
def test_it_is_one_agent_under_a_name(name):
    agent = load_agent(str(ROOT / "examples" / f"{name}.py"))
    assert isinstance(agent, Agent)
    assert agent is sys.modules[f"_vivavoce_agent_{name}"].agent


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_it_is_short(path):
    lines = path.read_text().splitlines()
    assert len(lines) < 80
    assert lines[0].startswith(('"""', "#!")), "the first line says what it is"


def test_agents_have_names_of_their_own():
    # Several may answer one telephone, by name.
    names = [load_agent(str(ROOT / "examples" / f"{name}.py")).name for name in TEN]
    assert len(set(names)) == len(TEN)


@pytest.mark.parametrize("name", TEN)
def test_the_page_tells_of_it(name):
    page = (ROOT / "docs" / "examples.md").read_text()
    assert f"(../examples/{name}.py)" in page
    assert (ROOT / "tests" / "examples" / f"test_{name}.py").is_file()
