"""Where a server listens."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from vivavoce.web.limits import Limits
from vivavoce.web.site import Site, url_of


async def test_a_site_listens_once_and_closes_twice():
    site = Site()

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    def app() -> web.Application:
        made = web.Application(middlewares=[site.watch])
        made.router.add_get("/", hello)
        return made

    assert site.port is None
    await site.open(app(), Limits(), "127.0.0.1", 0, None)
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(url_of("127.0.0.1", site.port, tls=False)) as response:
                assert await response.text() == "hello"
            assert site.connections == 1
        other = Site()
        with pytest.raises(OSError, match="in use"):
            await other.open(app(), Limits(), "127.0.0.1", site.port, None)
        assert other.port is None
        await other.close()
        port = site.port
        site.shut()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
    finally:
        await site.close()
        await site.close()
    assert (site.port, site.refused) == (None, 0)


def test_a_url_leads_to_this_machine():
    assert url_of("0.0.0.0", 80, tls=False) == "http://127.0.0.1:80"
    assert url_of("::1", 443, tls=True) == "https://[::1]:443"
