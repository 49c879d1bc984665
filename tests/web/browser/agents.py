"""Who is called by the page's tests."""

from vivavoce.agent import Agent, Call

OPENING = "Our shop opens early in the morning and closes late in the evening."
STORY = (
    "Welcome to the museum of old telephones. On the ground floor you find the first of them, "
    "made of wood and brass. On the first floor there are the public telephones of all countries. "
    "On the second floor you can listen to the voices of the past. The garden is open until dark."
)
MARKUP = "<img src=x onerror=\"window.hurt=1\"><script>window.hurt=1</script><b id='bold'>seven</b>"

bell = Agent(name="bell", greeting="Hello, this is the shop.", languages=("en", "fr"))
guide = Agent(name="guide", greeting=STORY)
clerk = Agent("You look up orders.", name="clerk")


@bell.reply
async def opening(call: Call, heard: str) -> str:
    if "<" in heard:
        await call.send({"markup": MARKUP})
        return MARKUP
    return OPENING


@guide.reply
async def stop(call: Call, heard: str) -> str:
    return "Very well, I stop."


@clerk.tool
async def look_up(order: int) -> dict[str, str]:
    """Look up the status of an order.

    Args:
        order: The order's number.
    """
    return {"order": str(order), "status": "on its way", "note": MARKUP}
