"""A Prometheus of one's own, from Debian's package, with the configuration that is shipped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
WITHIN = 60.0
"""Seconds in which it must be there: a loaded machine is slow to start it."""


class PrometheusMissingError(RuntimeError):
    """There is none here; the message says what to install."""


def program(name: str) -> str:
    """Return where a program of the package is.

    Raises:
        PrometheusMissingError: It is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise PrometheusMissingError(f"needs Debian's prometheus ({name}): apt install prometheus")
    return found


def configured(target: str, *, key: Path | None, interval: str) -> str:
    """Return the shipped configuration for another target, key and pace."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    text = re.sub(r"(_interval:) 15s", rf"\1 {interval}", text)
    text = text.replace("- rules.yml", f"- {DEPLOY / 'prometheus' / 'rules.yml'}")
    text = text.replace('["127.0.0.1:7860"]', f'["{target}"]')
    if key is not None:
        text = text.replace("    # authorization:", "    authorization:")
        text = re.sub(r"    #   credentials_file: .*", f"      credentials_file: {key}", text)
    return text


class Prometheus:
    """Scrapes one server. Use it as an async context manager; its process ends with the block.

    Args:
        target: What it scrapes: `HOST:PORT`.
        folder: Where it keeps its files.
        key: The scrape key, where one is needed.
        interval: How often it scrapes and evaluates its rules.
    """

    def __init__(self, target: str, folder: Path, *, key: str = "", interval: str = "1s") -> None:
        self._folder = folder
        credentials = folder / "scrape.key" if key else None
        if credentials is not None:
            credentials.write_text(key)
        self._config = folder / "prometheus.yml"
        self._config.write_text(configured(target, key=credentials, interval=interval))
        self._process: subprocess.Popen[bytes] | None = None
        self._http: aiohttp.ClientSession | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        process = self._process = self._start(port)
        self._http = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(WITHIN):
                while process.poll() is None and not await self._is_there():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except BaseException:
            await self.__aexit__()
            raise
        if process.poll() is not None:
            await self.__aexit__()
            raise RuntimeError((self._folder / "prometheus.log").read_text())
        return self

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        with (self._folder / "prometheus.log").open("wb") as log:
            return subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--enable-feature=exemplar-storage",
                    "--log.level=warn",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def __aexit__(self, *_: object) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.close()
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 20)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)

    async def _is_there(self) -> bool:
        assert self._http is not None
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with self._http.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        return False

    async def ask(self, path: str, **given: str | float) -> Any:
        """Ask its API; return the data.

        Raises:
            RuntimeError: It refuses the question.
        """
        query = {name: str(value) for name, value in given.items()}
        assert self._http is not None
        async with self._http.get(f"{self.url}/api/v1/{path}", params=query) as response:
            answer = await response.json()
        if answer["status"] != "success":
            raise RuntimeError(f"{path} {given}: {answer.get('error')}")
        return answer["data"]

    async def now(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression is now: series with a `value` that is a number."""
        found = (await self.ask("query", query=expression))["result"]
        return [series for series in found if series["value"][1] != "NaN"]

    async def over(self, expression: str, seconds: float, step: float) -> list[dict[str, Any]]:
        """Return what an expression was over the last seconds: series with `values`."""
        end = time.time()
        data = await self.ask(
            "query_range", query=expression, start=end - seconds, end=end, step=step
        )
        found: list[dict[str, Any]] = data["result"]
        return found


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels that show something."""
    board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expression(target: dict[str, Any], window: str = "30s") -> str:
    """Return a panel's expression as Grafana would ask it: of all instances."""
    text = str(target["expr"]).replace("$job", "vivavoce").replace("$instance", ".*")
    return text.replace("$__rate_interval", window)
