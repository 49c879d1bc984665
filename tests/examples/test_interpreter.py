"""Interpreter: its glossary reaches the model, and it speaks while the baker does."""

from vivavoce.agent.testing import interpret

WORDS = {"notre": "our", "pain au levain": "sourdough", "est prêt": "is ready", "bonjour": "hello"}


async def test_a_term_of_the_bakery(example):
    async with interpret(example("interpreter").interpreter, WORDS) as session:
        await session.says("Bonjour, notre pain au levain est prêt.")
        assert "sourdough" in session.heard
        assert "pain au levain = sourdough" in session.requests[0][0]["content"]
        assert session.lag < 4
