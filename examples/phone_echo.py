"""A telephone line that says back what it hears: the telephone without models.

python examples/phone_echo.py                       # call sip:echo@127.0.0.1:5060
python examples/phone_echo.py udp:127.0.0.1:5070
"""

import asyncio
import contextlib
import sys

from vivavoce.phone import Exposure, PhoneLine, Station


async def echo(line: PhoneLine) -> None:
    """Answer, and say every 20 ms back, until the caller hangs up. A `#` hangs up here."""
    if not await line.answer():
        return
    with line.keys(lambda key: line.hang_up("#") if key == "#" else None):
        while blocks := await line.listen():
            for pcm, _rate in blocks:
                line.say(pcm)
    print(f"{line.caller} was heard: {line.farewell}")


async def main(listen: str) -> None:
    async with Station(echo, exposure=Exposure(listen=(listen,))) as station:
        print(f"call sip:echo@{station.local[0].host}:{station.local[0].port}")
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "udp:127.0.0.1:5060"))
