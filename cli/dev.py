"""`vivavoce dev`: talk with an agent while it is being written."""

from __future__ import annotations

import asyncio
from typing import Literal

from rich.console import Console

from vivavoce.agent import Interpreter
from vivavoce.agent.settings import Settings
from vivavoce.cli.load import LoadError
from vivavoce.cli.reload import Reloader

By = Literal["browser", "talk", "chat"]


def develop(
    where: str,
    settings: Settings,
    console: Console,
    *,
    by: By = "browser",
    port: int | None = None,
    browse: bool = False,
) -> int:
    """Hold a call with an agent, and go on with it whenever its files change.

    Args:
        where: The agent, as `file.py`, `file.py:name` or `package.module:name`.
        settings: The settings.
        console: Where the call is shown.
        by: In a browser, at the microphone, or in text.
        port: Of the browser's page; None for the usual one.
        browse: Open the browser.

    Returns:
        The exit code.

    Raises:
        vivavoce.cli.load.LoadError: If there is no agent to begin with.
        vivavoce.cli.serve.ServeError: If the port is taken.
    """
    reloader = Reloader(where)
    files = len(reloader.files)
    console.print(
        f"[dim]{reloader.agent.name}, from {files} file{'' if files == 1 else 's'}; save one and"
        " the next reply is the new agent's[/]",
        highlight=False,
    )
    if by == "browser":
        return asyncio.run(_page(reloader, settings, console, port=port, browse=browse))
    agent = reloader.agent
    if isinstance(agent, Interpreter):
        raise LoadError(f"{where}: is an Interpreter: use `vivavoce dev` without --{by}, or talk")
    if by == "talk":
        from vivavoce.cli.talk import talk as hold_talk

        return asyncio.run(hold_talk(agent, settings, console, reloader=reloader))
    from vivavoce.cli.chat import chat

    return asyncio.run(chat(agent, settings, console, reloader=reloader))


async def _page(
    reloader: Reloader, settings: Settings, console: Console, *, port: int | None, browse: bool
) -> int:
    """Serve the page on this machine, until Ctrl-C."""
    from vivavoce.cli.serve import Answering, Serving, Setup, run_server
    from vivavoce.web.exposure import PORT, Exposure

    def opened(url: str) -> None:
        console.print(f"talk to it at [bold]{url}[/]  [dim](Ctrl-C ends)[/]", highlight=False)
        if browse:
            import webbrowser

            webbrowser.open(url)

    setup = Setup(Exposure(port=PORT if port is None else port))
    serving = Serving(setup, settings, console, drain=0.0, opened=opened)
    return await run_server(Answering([reloader.agent]), serving, reloader=reloader)
