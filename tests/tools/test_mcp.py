import asyncio
import dataclasses
import json
import logging
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import types
from mistralai.client import models

from tests.ports import free_port
from vivavoce.tools import DefinitionError, Toolbox, ToolError, run, run_named, tool
from vivavoce.tools.mcp import MCPServer
from vivavoce.tools.mcp_content import fit_name, read_listed, read_result

SERVER = str(Path(__file__).with_name("mcp_server.py"))
TOKEN = "sk-hunter2"
PATIENT = 60.0  # seconds; the machine may be busy


def house(**options):
    options.setdefault("connect_timeout", PATIENT)
    return MCPServer.stdio(sys.executable, [SERVER, "stdio"], name="house", **options)


def by_name(server):
    return {each.name: each for each in server.tools}


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@asynccontextmanager
async def served(port, *token):
    process = await asyncio.create_subprocess_exec(
        sys.executable, SERVER, "http", str(port), *token
    )
    try:
        async with asyncio.timeout(PATIENT):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    await writer.wait_closed()
                    break
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_tools_over_stdio():
    async with house() as server:
        tools = by_name(server)
        # Names that no model may call are made fit.
        assert {"set_light", "rooms", "unlock", "garden_water_now"} <= tools.keys()
        for each in server.tools:
            models.Tool.model_validate(each.definition)
        light = tools["set_light"]
        assert light.description == "Set a light."
        assert light.parameters["properties"]["light"] == {"$ref": "#/$defs/Light"}
        assert light.parameters["$defs"]["Light"]["properties"]["level"]["maximum"] == 100
        assert light.parameters["required"] == ["light"]

        outcome = await run(light, None, '{"light": {"room": "hall", "level": "30"}}')
        assert (outcome.kind, outcome.content) == ("result", "hall on at 30")
        # What is wrong is told by us where the schema says so, else by the server.
        outcome = await run(light, None, '{"light": 3, "mode": "dim"}')
        assert outcome.kind == "bad_arguments"
        assert "light: got 3, expected an object with room, level" in outcome.content
        outcome = await run(light, None, "{}")
        assert outcome.kind == "bad_arguments"
        assert "light: missing" in outcome.content
        outcome = await run(light, None, '{"light": {"room": "hall", "level": 300}}')
        assert outcome.kind == "error"
        assert "less than or equal to 100" in outcome.content

        assert json.loads((await run(tools["rooms"], None, None)).content) == ["hall", "kitchen"]
        assert (await run(tools["garden_water_now"], None, "")).content == "watered"
        failed = await run(tools["broken"], None, {"secret": "x"})
        assert (failed.kind, isinstance(failed.error, ToolError)) == ("error", True)
        assert "broken" in failed.content
        picture = await run(tools["picture"], None, None)
        assert picture.kind == "error"
        assert "a picture, image/png" in picture.content
        mixed = await run(tools["mixed"], None, None)
        assert mixed.content.startswith("The hall.\n(a picture, image/png")


async def test_progress_and_parallel_calls():
    async with house() as server:
        tools = by_name(server)
        news = []

        async def heard(text):
            news.append(text)

        outcomes = await asyncio.gather(
            run(tools["counted"], None, None, on_progress=heard),
            *(run(tools["unlock"], None, {"door": str(number)}) for number in range(10)),
        )
        assert news == ["0 of 3", "1 of 3", "2 of 3"]
        assert outcomes[0].content == "counted"
        assert [each.content for each in outcomes[1:]] == [
            f"{number} is unlocked" for number in range(10)
        ]


async def test_a_time_out_stops_it_on_the_server(tmp_path):
    note = tmp_path / "note"
    async with house() as server:
        # It has begun for certain when it times out: its news came.
        begun = asyncio.Event()

        async def heard(_text):
            begun.set()

        slow = by_name(server)["slow"]
        work = asyncio.create_task(run(slow, None, {"note": str(note)}, on_progress=heard))
        async with asyncio.timeout(PATIENT):
            await begun.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            while not (note.exists() and note.read_text() == "stopped"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        short = dataclasses.replace(slow, timeout=0.05)
        outcome = await run(short, None, {"note": str(note)})
        assert outcome.kind == "timeout"
        assert (await run(by_name(server)["rooms"], None, None)).ok


async def test_a_server_that_dies_at_work_is_started_again(caplog):
    async with house() as server:
        tools = by_name(server)
        outcome = await run(tools["die"], None, None)
        assert outcome.kind == "error"
        assert outcome.content == (
            "The server that runs die went away meanwhile; it may or may not have taken effect."
        )
        both = await asyncio.gather(*(run(tools["rooms"], None, None) for _ in range(2)))
        assert [each.kind for each in both] == ["result", "result"]
        assert "MCP server house is gone" in caplog.text


async def test_options_names_and_confirmation():
    async with house(allow=["unlock", "rooms"], confirm_only=["unlock"], timeout=7) as server:
        assert {each.name: each.confirm for each in server.tools} == {
            "unlock": True,
            "rooms": False,
        }
        assert {each.timeout for each in server.tools} == {7}

        @tool
        def rooms() -> str:
            """List the rooms of the hotel."""
            return "17"

        box = Toolbox([rooms])
        server.add_to(box)
        assert box.names == ("rooms", "house_rooms", "unlock")
        assert (await run_named(box, "rooms", None, "")).content == "17"
        assert (await run_named(box, "house_rooms", None, "")).content == '["hall", "kitchen"]'
        refused = await run_named(box, "unlock", None, '{"door": "front"}')
        assert refused.kind == "unconfirmed"
        server.add_to(box)
        assert len(box) == 3
    question = {"confirm": "Shall I open it?", "confirm_only": ["unlock"]}
    async with house(allow=["unlock", "rooms"], **question) as server:
        assert [by_name(server)[name].confirm for name in ("unlock", "rooms")] == [
            "Shall I open it?",
            False,
        ]
    async with house(deny=["unlock"]) as server:
        assert "unlock" not in by_name(server)
        assert "rooms" in by_name(server)


async def test_names_that_the_server_does_not_have():
    with pytest.raises(DefinitionError, match=r"allow names rom, which it does not offer: it has"):
        async with house(allow=["rom"]):
            pass


async def test_the_environment_reaches_the_process_and_no_log(caplog):
    with caplog.at_level(logging.DEBUG):
        async with house(env={"HOUSE_KEY": TOKEN}) as server:
            read = by_name(server)["environment"]
            outcome = await run(read, None, {"name": "HOUSE_KEY"})
            await run(by_name(server)["die"], None, None)
            text = repr(server) + str(server)
    assert outcome.content == TOKEN
    assert TOKEN not in text
    # What the protocol's package logs of a tool's result is not ours, and is only said on DEBUG.
    ours = [record for record in caplog.records if record.name.startswith("vivavoce")]
    assert ours
    assert all(TOKEN not in record.getMessage() for record in ours)


async def test_close_is_idempotent_and_ends_the_calls(tmp_path):
    server = house()
    async with server:
        slow = by_name(server)["slow"]
        begun = asyncio.Event()

        async def heard(_text):
            begun.set()

        work = asyncio.create_task(
            run(slow, None, {"note": str(tmp_path / "note")}, on_progress=heard)
        )
        async with asyncio.timeout(PATIENT):
            await begun.wait()
        await server.close()
        await server.close()
        async with asyncio.timeout(PATIENT):
            assert (await work).kind == "error"
    outcome = await run(slow, None, {"note": "x"})
    assert outcome.kind == "error"
    assert "cannot be reached just now" in outcome.content


async def test_several_may_have_it_open():
    server = house()
    async with server:
        rooms = by_name(server)["rooms"]
        async with server:
            assert by_name(server)["rooms"] is rooms
        assert (await run(rooms, None, None)).ok
    assert not (await run(rooms, None, None)).ok
    async with server:
        assert (await run(rooms, None, None)).ok


async def test_a_process_that_does_not_answer_is_ended(tmp_path):
    note = tmp_path / "pid"
    deaf = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    server = MCPServer.stdio(sys.executable, ["-c", deaf], name="deaf", connect_timeout=PATIENT)
    opening = asyncio.create_task(server.__aenter__())
    async with asyncio.timeout(PATIENT):
        while not (note.exists() and note.read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        # Closed: it has no ear for anything, and is ended by force.
        while runs(int(note.read_text())):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_what_cannot_be_started():
    with pytest.raises(ConnectionError, match="MCP server no-such-program cannot be reached"):
        async with MCPServer.stdio("no-such-program"):
            pass
    # It runs, but says nothing.
    silent = MCPServer.stdio(
        sys.executable, ["-c", "import sys; sys.stdin.read()"], name="silent", connect_timeout=0.2
    )
    with pytest.raises(TimeoutError, match=r"MCP server silent did not answer within 0\.2 s"):
        async with silent:
            pass
    # It runs, and ends at once.
    with pytest.raises(ConnectionError):
        async with MCPServer.stdio(sys.executable, ["-c", ""], connect_timeout=PATIENT):
            pass


async def test_tools_over_http_with_a_token(caplog):
    port = free_port()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with caplog.at_level(logging.DEBUG):
        async with served(port, TOKEN) as url:
            async with MCPServer.http(url, headers=headers, connect_timeout=PATIENT) as server:
                assert server.name == "127.0.0.1"
                tools = by_name(server)
                outcome = await run(tools["set_light"], None, {"light": {"room": "hall"}})
                assert outcome.content == "hall on at 100"
                news = []

                async def heard(text):
                    news.append(text)

                outcome = await run(tools["counted"], None, None, on_progress=heard)
                assert (outcome.content, len(news)) == ("counted", 3)
            with pytest.raises(ConnectionError, match="cannot be reached"):
                async with MCPServer.http(url, connect_timeout=PATIENT):
                    pass
    assert TOKEN not in caplog.text


async def test_an_http_server_that_dies_and_comes_back():
    port = free_port()
    async with served(port) as url:
        server = MCPServer.http(url, connect_timeout=PATIENT)
        await server.__aenter__()
        tools = by_name(server)
        assert (await run(tools["rooms"], None, None)).ok
        died = await run(tools["die"], None, None)
        assert died.kind == "error"
        assert "went away meanwhile" in died.content
        gone = await run(tools["rooms"], None, None)
        assert gone.kind == "error"
    async with served(port):
        async with asyncio.timeout(PATIENT):
            while not (await run(tools["rooms"], None, None)).ok:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    # Something else is there in its place, and does not let us in.
    async with served(port, TOKEN):
        for said in ("went away meanwhile", "cannot be reached just now"):
            refused = await run(tools["rooms"], None, None)
            assert refused.kind == "error"
            assert said in refused.content
    async with served(port):
        async with asyncio.timeout(PATIENT):
            while not (await run(tools["rooms"], None, None)).ok:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await server.close()


@pytest.mark.parametrize(
    ("make", "fix"),
    [
        (lambda: MCPServer.stdio(""), "give the program"),
        (lambda: MCPServer.stdio("uvx", "mcp-server-time"), "its arguments as a list"),
        (lambda: MCPServer.http("home.example/mcp"), "as in https://home.example/mcp"),
        (lambda: MCPServer.http("https://[home/mcp"), "as in https://home.example/mcp"),
        (lambda: MCPServer.http("https://me:pw@home.example/mcp"), "give it in headers="),
        (lambda: MCPServer.stdio("x", allow="rooms"), 'give a list, ["rooms"]'),
        (lambda: MCPServer.stdio("x", connect_timeout=0), "give seconds"),
        (lambda: MCPServer.stdio("x", confirm=False, confirm_only=["a"]), "contradict"),
        (lambda: MCPServer.stdio("x", description="y"), "leave it out"),
    ],
)
def test_wrong_use(make, fix):
    with pytest.raises(DefinitionError) as caught:
        make()
    assert fix in str(caught.value)
    assert "pw" not in str(caught.value)


async def test_an_option_out_of_range_is_told_when_the_tools_are_made():
    with pytest.raises(DefinitionError, match=r"tool 'set_light' \(MCP server house\): timeout"):
        async with house(timeout=-1):
            pass


def listed(schema, **fields):
    return types.Tool(name=fields.pop("name", "x"), input_schema=schema, **fields)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "object", "properties": [1]}, "properties"),
        ({"type": "object", "required": "x"}, "requires"),
        ({"type": "object", "properties": {"x": {"enum": ["y" * 70_000]}}}, "are the most"),
        ({"type": "object", "default": float("nan")}, "no JSON"),
    ],
)
def test_a_schema_that_cannot_be_offered(schema, problem):
    with pytest.raises(ValueError, match=problem):
        read_listed(listed(schema), "house")


def test_a_strangers_words_are_bounded():
    schema = read_listed(listed({"type": "object"}, description="so \n much " * 999), "house")
    assert len(schema.description) == 1_024
    assert "\n" not in schema.description
    assert schema.parameters == {"type": "object", "properties": {}}
    assert fit_name("a b", "c/d" * 99) == ("a_b_" + "c_d" * 99)[:64]


@pytest.mark.parametrize(
    "odd",
    [
        {"type": 7},
        {"anyOf": 3},
        {"type": ["integer", "null"]},
        {"$ref": "#/definitions/gone"},
        {"type": "array", "items": [{"type": "integer"}], "minItems": "many"},
        {"type": "object", "properties": 3, "required": 4},
        {"enum": 5},
        {"type": "integer", "minimum": "low"},
        True,
    ],
    ids=str,
)
@pytest.mark.parametrize("value", [1, "1", None, [1], {"a": 1}])
async def test_an_odd_schema_does_no_harm(odd, value):
    schema = read_listed(listed({"type": "object", "properties": {"x": odd}}), "house")
    got = {}

    async def take(**arguments):
        got.update(arguments)

    from vivavoce.tools.tool import make_tool

    outcome = await run(make_tool(take, schema, {}), None, json.dumps({"x": value}))
    assert outcome.kind in {"result", "bad_arguments"}
    if outcome.ok and value is not None:
        assert got["x"] in (value, 1, "1")


def result(*content, **fields):
    return types.CallToolResult(content=list(content), **fields)


def test_results():
    text = types.TextContent(type="text", text="two")
    link = types.ResourceLink(type="resource_link", name="menu", uri="https://x.test/menu")
    page = types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri="x://y", text="soup")
    )
    blob = types.EmbeddedResource(
        type="resource", resource=types.BlobResourceContents(uri="x://y", blob="aGk=")
    )
    sound = types.AudioContent(type="audio", data="aGk=", mime_type="audio/wav")
    assert read_result("x", result(text, link, page)) == "two\nmenu: https://x.test/menu\nsoup"
    assert "a file, of an unknown kind" in read_result("x", result(blob))
    assert read_result("x", result()) is None
    assert read_result("x", result(text, structured_content={"result": [1]})) == [1]
    assert read_result("x", result(text, structured_content={"a": 1})) == {"a": 1}
    with pytest.raises(ToolError, match="a sound, audio/wav"):
        read_result("x", result(sound))
    with pytest.raises(ToolError, match="two"):
        read_result("x", result(text, is_error=True))
    with pytest.raises(ToolError, match="does not say why"):
        read_result("x", result(is_error=True))
