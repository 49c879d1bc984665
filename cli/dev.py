"""`vivavoce dev`: talk with an agent while it is being written."""

from __future__ import annotations

import asyncio

from rich.console import Console

from vivavoce.agent.settings import Settings
from vivavoce.cli.reload import Reloader


def develop(where: str, settings: Settings, console: Console, *, talk: bool = False) -> int:
    """Hold a call with an agent, and go on with it whenever its files change.

    Args:
        where: The agent, as `file.py`, `file.py:name` or `package.module:name`.
        settings: The settings.
        console: Where the call is shown.
        talk: At the microphone instead of in text.

    Returns:
        The exit code of the chat or talk.

    Raises:
        vivavoce.cli.load.LoadError: If there is no agent to begin with.
    """
    reloader = Reloader(where)
    files = len(reloader.files)
    console.print(
        f"[dim]{reloader.agent.name}, from {files} file{'' if files == 1 else 's'}; save one and"
        " the next reply is the new agent's[/]",
        highlight=False,
    )
    if talk:
        from vivavoce.cli.talk import talk as hold_talk

        return asyncio.run(hold_talk(reloader.agent, settings, console, reloader=reloader))
    from vivavoce.cli.chat import chat

    return asyncio.run(chat(reloader.agent, settings, console, reloader=reloader))
