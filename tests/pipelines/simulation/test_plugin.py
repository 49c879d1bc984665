from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

FAILING = """
import pytest

from vivavoce.agent import Agent
from vivavoce.agent.testing import say
from vivavoce.agent.testing.guard import allowed

agent = Agent("Be brief.")


async def test_failing(simulate):
    async with simulate(agent, replies=[say("Two are free.")]) as caller:
        await caller.says("A table, please.")
        assert caller.heard == "Three are free."


async def test_passing(simulate):
    assert not allowed()


@pytest.fixture(name="agent")
def _agent():
    return agent


@pytest.mark.parametrize("replies", [["Two are free."]])
async def test_a_caller_is_there(caller):
    await caller.says("A table, please.")
    assert caller.heard == "Two are free."


async def test_a_caller_without_replies(caller):
    assert caller.heard == ""


def test_a_test_may_allow(allow_models):
    allow_models(True)
    assert allowed()


def test_the_next_one_may_not():
    assert not allowed()
"""


@pytest.fixture
def options(request) -> list[str]:
    """Load the plugin by name where the installed metadata does not name it yet."""
    known = request.config.pluginmanager.has_plugin("vivavoce")
    return [] if known else ["-p", "vivavoce.pipelines.simulation.plugin"]


def test_a_failed_test_shows_the_call(pytester, options):
    pytester.makepyfile(FAILING)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nvivavoce_allow_models = false\n")
    result = pytester.runpytest_subprocess(*options, "-p", "no:cacheprovider")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*'Two are free.' == 'Three are free.'*",
            "*the simulated call*",
            "*caller*|*agent*",
            "*A table, please.*|*",
            "*|*Two are free.*",
        ]
    )
    assert result.stdout.str().count("the simulated call") == 1
