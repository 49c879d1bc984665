"""The pytest plugin: a failed test shows the calls that it made, drawn.

It stands here and not beside the kit because that room imports neither pytest nor the pipeline;
pytest loads it for every project that vivavoce is installed for, so it imports little.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vivavoce.agent.agent import Agent
    from vivavoce.agent.testing.caller import Caller
    from vivavoce.agent.testing.guard import Allowance
    from vivavoce.agent.testing.steps import Replies

OPTION = "vivavoce_allow_models"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that blocks real models."""
    parser.addini(
        OPTION,
        "Whether tests may reach real Voxtral models (those on this machine are always allowed).",
        type="bool",
        default=True,
    )


@pytest.fixture
def simulate() -> Callable[..., Any]:
    """Give `simulate`, to call an agent."""
    from vivavoce.agent.testing import simulate

    return simulate


@pytest.fixture
def replies() -> Replies | None:
    """What the model of `caller` answers: override it, or give it as a parameter."""
    return None


if importlib.util.find_spec("pytest_asyncio"):
    import pytest_asyncio

    @pytest_asyncio.fixture
    async def caller(agent: Agent[Any], replies: Replies | None) -> AsyncGenerator[Caller[Any]]:
        """Call the project's own fixture `agent`, whose model answers what `replies` gives."""
        from vivavoce.agent.testing import simulate

        async with simulate(agent, replies) as caller:
            yield caller


@pytest.fixture
def allow_models() -> Generator[Callable[[bool], Allowance]]:
    """Allow real models, or block them, for the rest of this test: `allow_models(False)`."""
    from vivavoce.agent.testing import guard

    before = guard.allowed()
    yield guard.allow_models
    guard.restore(before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Forget the calls of the test before; block real models where the project says so."""
    if not item.config.getini(OPTION):
        from vivavoce.agent.testing.guard import allow_models

        allow_models(False)
    if (calls := _calls()) is not None:
        calls.clear()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Draw the calls of a test that failed."""
    del item
    report = yield
    calls = _calls()
    if call.when == "call" and report.failed and calls:
        for number, caller in enumerate(calls, 1):
            which = f" {number} of {len(calls)}" if len(calls) > 1 else ""
            report.sections.append((f"the simulated call{which}", caller.draw()))
    return report


def _calls() -> list[Any] | None:
    """Return the calls that were simulated; None if nobody has imported the kit."""
    import sys

    module = sys.modules.get("vivavoce.agent.testing.caller")
    return None if module is None else module.RECENT
