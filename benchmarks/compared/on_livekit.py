"""Chez Marie on livekit-agents."""

from datetime import date, time

from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    ChatContext,
    JobContext,
    RunContext,
    cli,
    function_tool,
)
from livekit.plugins import mistralai

from benchmarks.compared.book import EVENTS, EVENTS_GREETING, GREETING, HOST, VOICE, Book


class Host(Agent):
    def __init__(self) -> None:
        super().__init__(instructions=HOST)

    async def on_enter(self) -> None:
        self.session.say(GREETING)

    @function_tool
    async def free_tables(self, context: RunContext[Book], day: date, people: int) -> str:
        """Find out when a table is free on an evening.

        Args:
            day: The evening asked for.
            people: How many will come.
        """
        return context.userdata.free(day, people)

    @function_tool
    async def book_table(
        self, context: RunContext[Book], day: date, at: time, people: int, name: str
    ) -> str:
        """Book a table.

        Args:
            day: The evening.
            at: The time.
            people: How many will come.
            name: The name for the booking.
        """
        context.disallow_interruptions()
        return context.userdata.book(day, at, people, name)

    @function_tool
    async def to_events(self, wish: str) -> Agent:
        """Hand over to the colleague for parties of more than eight.

        Args:
            wish: What the caller wants.
        """
        return Events(wish, self.chat_ctx)


class Events(Agent):
    def __init__(self, wish: str, history: ChatContext) -> None:
        super().__init__(instructions=f"{EVENTS} The caller wants: {wish}", chat_ctx=history)

    async def on_enter(self) -> None:
        self.session.say(EVENTS_GREETING)


def session() -> AgentSession[Book]:
    return AgentSession(
        stt=mistralai.STT(model="voxtral-mini-transcribe-realtime-2602"),
        llm=mistralai.LLM(model="mistral-small-latest", api_mode="chat_completions"),
        tts=mistralai.TTS(voice=VOICE, response_format="pcm"),
        userdata=Book(),
    )


# -- running it: python on_livekit.py console | dev | start
server = AgentServer()


@server.rtc_session()
async def entrypoint(ctx: JobContext) -> None:
    await session().start(agent=Host(), room=ctx.room)


if __name__ == "__main__":
    cli.run_app(server)
