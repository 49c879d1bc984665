"""Chez Marie on openai-agents, as a realtime agent: OpenAI's speech-to-speech models alone."""

import asyncio
from datetime import date, time

import sounddevice
from agents import RunContextWrapper, function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, realtime_handoff
from pydantic import BaseModel

from benchmarks.compared.book import EVENTS, EVENTS_GREETING, GREETING, HOST, Book


class Wish(BaseModel):
    wish: str


@function_tool
async def free_tables(context: RunContextWrapper[Book], day: date, people: int) -> str:
    """Find out when a table is free on an evening.

    Args:
        day: The evening asked for.
        people: How many will come.
    """
    return context.context.free(day, people)


@function_tool
async def book_table(
    context: RunContextWrapper[Book], day: date, at: time, people: int, name: str
) -> str:
    """Book a table.

    Args:
        day: The evening.
        at: The time.
        people: How many will come.
        name: The name for the booking.
    """
    return context.context.book(day, at, people, name)


async def note(_context: RunContextWrapper[Book], _wish: Wish) -> None:
    """The arguments of the hand-off stay in the history, where the other agent reads them."""


events = RealtimeAgent[Book](name="events", instructions=f"{EVENTS} Begin with: {EVENTS_GREETING}")
agent = RealtimeAgent[Book](
    name="host",
    instructions=HOST,
    tools=[free_tables, book_table],
    handoffs=[
        realtime_handoff(
            events,
            tool_name_override="to_events",
            tool_description_override="Hand over to the colleague for parties of more than eight.",
            on_handoff=note,
            input_type=Wish,
        )
    ],
)
runner = RealtimeRunner(agent)


# -- running it: python on_openai.py (headphones: there is no echo canceller)
async def talk() -> None:
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    said = bytearray()

    def listen(data: bytes, *_more: object) -> None:
        loop.call_soon_threadsafe(heard.put_nowait, bytes(data))

    def speak(data: memoryview, *_more: object) -> None:
        part = bytes(said[: len(data)])
        del said[: len(data)]
        data[:] = part.ljust(len(data), b"\0")

    sound = {"samplerate": 24_000, "channels": 1, "dtype": "int16"}
    async with await runner.run(context=Book()) as session:

        async def send() -> None:
            while True:
                await session.send_audio(await heard.get())

        with (
            sounddevice.RawInputStream(callback=listen, **sound),
            sounddevice.RawOutputStream(callback=speak, **sound),
        ):
            sending = asyncio.create_task(send())
            await session.send_message(f"Greet the caller with: {GREETING}")
            async for event in session:
                if event.type == "audio":
                    said.extend(event.audio.data)
                elif event.type == "audio_interrupted":
                    said.clear()
            sending.cancel()


if __name__ == "__main__":
    asyncio.run(talk())
