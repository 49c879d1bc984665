"""`vivavoce serve` and `token`: set-up files, what is refused, and a page that answers."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.cli.commands import start
from tests.cli.inside import run_inside
from tests.cli.test_dev import AGENT, Session
from vivavoce.cli.serve import ServeError, read_setup
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.exposure import ExposureError
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
SETUP = """
[web]
host = "0.0.0.0"
port = 8443
names = ["voice.example.com"]
origins = ["https://shop.example.com"]
proxies = ["10.0.0.0/8"]
secret_env = "THE_SECRET"

[limits]
calls = 50
per_address = 3

[ice]
urls = ["stun:turn.example.com", "turn:turn.example.com?transport=udp"]
secret_env = "TURN_SECRET"
"""


def test_a_setup_file(tmp_path, monkeypatch):
    monkeypatch.setenv("THE_SECRET", SECRET)
    monkeypatch.setenv("TURN_SECRET", "north")
    path = tmp_path / "web.toml"
    path.write_text(SETUP)
    setup = read_setup(path, {"port": 9000, "host": None, "origins": ()})
    assert (setup.exposure.host, setup.exposure.port) == ("0.0.0.0", 9000)
    assert setup.exposure.origins == ("https://shop.example.com",)
    assert setup.limits.calls == 50
    assert setup.servers.secret == "north"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web", "valid TOML"),
        ("[wob]", "no 'wob'"),
        ("[web]\nhots = 1", "no 'hots'"),
        ("[limits]\ncalls = 0", "more than 0"),
        ("[limits]\ncalls = 'many'", "'<='"),
        ("[ice]\nurls = ['turn:x']", "needs a secret"),
        ("[web]\nsecret_env = 'NOT_THERE'", "NOT_THERE"),
        ("[web]\ncertificate = 'nothing.pem'", "certificate"),
        ("[web]\nhost = '0.0.0.0'", "anybody could call"),
    ],
)
def test_what_is_wrong_in_it_is_told(tmp_path, monkeypatch, text, said):
    monkeypatch.delenv("VIVAVOCE_WEB_SECRET", raising=False)
    path = tmp_path / "web.toml"
    path.write_text(text)
    with pytest.raises((ServeError, ExposureError), match=said):
        read_setup(path, {})


def test_a_token_by_the_command(tmp_path: Path):
    done = run_inside(tmp_path, "token", "--agent", "host", VIVAVOCE_WEB_SECRET=SECRET)
    signer = Signer(SECRET)
    assert signer.read(done.stdout.strip(), 0.0).agent == "host"
    done = run_inside(tmp_path, "token", "--key", VIVAVOCE_WEB_SECRET=SECRET)
    assert done.stdout.strip() == signer.service_key
    done = run_inside(tmp_path, "token", "--operator", "ada", VIVAVOCE_WEB_SECRET=SECRET)
    assert signer.read_operator(done.stdout.strip(), 0.0).name == "ada"
    done = run_inside(tmp_path, "token")
    assert done.returncode == 2
    assert "VIVAVOCE_WEB_SECRET" in done.stderr


def test_a_public_server_without_tokens_is_refused(tmp_path: Path):
    (tmp_path / "host.py").write_text(AGENT)
    done = run_inside(tmp_path, "serve", "host.py", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "anybody could call" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_page_is_served_until_ctrl_c(tmp_path: Path, sandbox: Sandbox):
    (tmp_path / "host.py").write_text(AGENT)
    process = start(
        tmp_path,
        "dev",
        "host.py",
        "--port",
        "0",
        VIVAVOCE_SANDBOX_URL=sandbox.url,
        VIVAVOCE_SANDBOX_KEY=sandbox.key,
    )
    session = Session(process)
    try:
        line = session.until("talk to it at")
        url = next(word for word in line.split() if word.startswith("http"))
        with urllib.request.urlopen(f"{url}/api/agents", timeout=20) as response:
            assert json.load(response)["default"] == "host"
        with urllib.request.urlopen(url, timeout=20) as response:
            assert b"<html" in response.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        session.close()


INTERPRETER = """
from vivavoce.agent import Interpreter

interpreter = Interpreter("en", "fr", name="booth", both_ways=True)
"""


def test_an_interpreter_answers_pages_and_the_telephone(tmp_path: Path, sandbox: Sandbox):
    (tmp_path / "interpreter.py").write_text(INTERPRETER)
    (tmp_path / "phone.toml").write_text('[phone]\nlisten = ["udp:127.0.0.1:0"]\n')
    process = start(
        tmp_path,
        *["serve", "interpreter.py", "--phone", "phone.toml", "--port", "0"],
        VIVAVOCE_SANDBOX_URL=sandbox.url,
        VIVAVOCE_SANDBOX_KEY=sandbox.key,
    )
    session = Session(process)
    try:
        session.until("by telephone: udp:127.0.0.1:")
        url = session.until("booth at").split()[-1]
        asked = urllib.request.Request(
            f"{url}/api/rooms",
            json.dumps({"number": "100", "number_language": "en"}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=20) as answer:
            room = json.load(answer)
        assert (room["interpreter"], room["number"]) == ("booth", "100")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        session.close()
