"""Hello: an agent in five lines."""

from vivavoce.agent.testing import simulate


async def test_it_greets_and_talks(example):
    async with simulate(example("hello").agent, ["I like the sea."]) as caller:
        assert caller.heard == "Hello! How are you?"
        await caller.says("Fine. What do you like?")
        assert caller.heard == "I like the sea."
    assert "You are a friendly voice." in caller.requests[0][0][0]["content"]


def test_it_is_five_lines(example):
    from pathlib import Path

    assert len(Path(example("hello").__file__).read_text().splitlines()) <= 5
