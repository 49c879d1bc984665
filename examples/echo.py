"""An agent that repeats what it heard, without a model: a function answers."""

from vivavoce.agent import Agent, Call

agent = Agent(name="echo")


@agent.reply
async def echo(call: Call[None], heard: str) -> str:
    return heard
