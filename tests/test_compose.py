"""Docker Compose's files, judged by the programs that they are for."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.observe.prometheus import DEPLOY, PrometheusMissingError, program
from tests.phone.peers import needs, running
from tests.ports import HERE, free_port

COMPOSE = DEPLOY / "compose"
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]


def environment() -> dict[str, str]:
    """What somebody has put into .env: all that .env.example names, with its own examples."""
    found = {}
    for line in (COMPOSE / ".env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition("=")
            value, _, comment = rest.partition("#")
            assert not value.strip(), f"{name} has a value: nothing of it is to be a default"
            example = re.search(r": (\S+)$", comment)
            plain = example and "openssl" not in comment
            found[name] = example[1] if plain and example else SECRET
    return found | {"WORKERS": "3", "PUBLIC_ADDRESS": HERE}


def filled(text: str) -> str:
    """Put the environment's values in, as Compose does."""
    given = environment()
    return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: given[found[1]], text)


def test_compose_reads_it_and_what_it_needs_is_named(services):
    spec = pytest.importorskip("compose_spec", reason="needs compose-spec, of the extra `dev`")
    options = spec.PyOptions(apply_merge=True)
    text = (COMPOSE / "compose.yaml").read_text()
    read = options.from_yaml(filled(text))
    read.validate()
    assert set(read.service_names()) == set(services)
    with pytest.raises(ValueError):
        options.from_yaml(text.replace("tmpfs:", "tempfs:", 1))
    # Each variable is in .env.example, and each of those is used.
    used = set(re.findall(r"\$\{(\w+)", text)) | set(re.findall(r"environment: (\w+) \}", text))
    assert used == set(environment())
    assert not re.findall(r"\$\{\w+:?-", text), "a default"


def test_nothing_in_it_may_more_than_it_has_to(services):
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        if name != "postgres":  # which becomes its own user, and writes where it is told
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
        assert not service.get("privileged")
        # What others may not reach is on loopback.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        tag = service["image"].rpartition(":")[2]
        assert tag == "local" or re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-\w+)?", tag), name
    made = {"./agents", "./metrics.key"}  # by who runs it
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or source in made or (COMPOSE / source).exists()
    ignored = (COMPOSE / ".gitignore").read_text().split()
    assert {".env", "metrics.key"} <= set(ignored)


def test_the_image_is_made_of_pinned_ones_and_runs_as_nobody():
    text = (COMPOSE / "Dockerfile").read_text()
    for source in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert re.search(r":\d+\.\d+", source), source
    stages = text.split("\nFROM ")[1:]
    for stage in stages[1:]:
        assert re.search(r"^USER \d+$", stage, re.MULTILINE), stage[:60]
        assert 'ENTRYPOINT ["tini"' in stage
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    sources = [source for words in copied for source in words.split()]
    root = DEPLOY.parent
    assert all((root / source).exists() for source in sources)
    # What is copied is not left out of what is sent, and the keys are.
    kept = (COMPOSE / "Dockerfile.dockerignore").read_text().split()
    assert "*" in kept
    for source in sources:
        assert source == "." or any(source.startswith(each[1:]) for each in kept if each[0] == "!")
    packages = tomllib.loads((root / "pyproject.toml").read_text())
    rooms = {each.split(".")[0] for each in packages["tool"]["setuptools"]["package-dir"].values()}
    assert {room.split("/")[0] for room in rooms} <= {each[1:] for each in kept}
    extras = re.search(r"ARG EXTRAS=(\S+)", text)
    assert extras
    assert set(extras[1].split(",")) <= set(packages["project"]["optional-dependencies"])


def test_the_agents_command_line_and_files_are_ours(services, monkeypatch):
    from click import Context
    from typer.main import get_command

    from vivavoce.agent.settings import Settings
    from vivavoce.cli.main import app
    from vivavoce.cli.phone_setup import read_phone
    from vivavoce.cli.serve import read_setup
    from vivavoce.cli.workers import read_workers, shifted
    from vivavoce.web.cluster.proof import KEY

    service = yaml.safe_load(filled(yaml.safe_dump(services["app"])))
    command = get_command(app).commands[service["command"][0]]
    mounted = {
        target: COMPOSE / source
        for source, target, *_ in (volume.split(":") for volume in service["volumes"])
    }
    with Context(command) as context:
        parsed, rest, _ = command.make_parser(context).parse_args(service["command"][1:])
    assert list(parsed["agents"]) == ["agent.py"]
    assert not rest
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value)
    setup = read_setup(mounted[parsed["setup"]], {})
    assert setup.exposure.secret == SECRET
    assert setup.servers.secret == SECRET
    assert setup.records.where.startswith("postgresql://")
    assert "@127.0.0.1:5432/" in setup.records.where
    # The image's check asks where the server listens.
    text = (COMPOSE / "Dockerfile").read_text()
    assert f"http://{setup.exposure.host}:{setup.exposure.port}/healthz" in text
    assert read_workers(parsed["workers"]).most == 3
    phone = read_phone(mounted[parsed["phone"]], {})
    first = int(services["kamailio"]["environment"]["STATIONS"].rpartition(":")[2])
    assert [shifted(phone, slot).exposure.listen[0].rpartition(":")[2] for slot in (0, 2)] == [
        str(first),
        str(first + 2),
    ]
    # Calls may end before it is killed, and each name of ours means something.
    assert int(service["stop_grace_period"][:-1]) > float(parsed["drain"]) + 15
    known = {f"VIVAVOCE_{name.upper()}" for name in Settings.model_fields}
    known |= {"VIVAVOCE_WEB_SECRET", KEY}
    assert {name for name in service["environment"] if name.startswith("VIVAVOCE")} <= known


def test_prometheus_takes_its_configuration(tmp_path):
    try:
        tool = program("promtool")
    except PrometheusMissingError as missing:
        pytest.skip(str(missing))
    key = tmp_path / "key"
    key.write_text(SECRET)
    text = (COMPOSE / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/metrics_key", str(key)))
    shutil.copy(DEPLOY / "prometheus" / "rules.yml", tmp_path)
    done = subprocess.run(
        [tool, "check", "config", "prometheus.yml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    # The rules and the dashboard speak of this one.
    assert 'job="vivavoce"' in (DEPLOY / "prometheus" / "rules.yml").read_text()
    assert jobs["vivavoce"]["http_sd_configs"][0]["url"].endswith("/cluster/targets")


def test_grafana_finds_its_data_and_its_dashboard(services):
    volumes = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    board = volumes["../grafana/dashboard.json"]
    providers = yaml.safe_load((COMPOSE / "grafana" / "dashboards.yml").read_text())["providers"]
    assert board.startswith(providers[0]["options"]["path"] + "/")
    (source,) = yaml.safe_load((COMPOSE / "grafana" / "datasource.yml").read_text())["datasources"]
    listens = next(w for w in services["prometheus"]["command"] if "listen-address" in w)
    assert source["url"] == f"http://{listens.rpartition('=')[2]}"
    assert source["isDefault"]
    for name, path in volumes.items():
        if "provisioning" in path:
            assert (COMPOSE / name).exists()


def test_postgres_knows_its_options(services):
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("needs Debian's postgresql: apt install postgresql")
    if os.geteuid() == 0:
        who: dict[str, Any] = {"user": "nobody"}
    else:
        who = {}
    done = subprocess.run(
        [found[-1], "--describe-config"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        **who,
    )
    known = {line.split("\t")[0] for line in done.stdout.splitlines()}
    words = services["postgres"]["command"]
    assert words[0] == "postgres"
    assert {word.partition("=")[0] for word in words[2::2]} <= known


async def test_coturn_starts_with_what_the_environment_says(tmp_path):
    needs("turnserver")
    port = free_port()
    given = {
        "FOLDER": str(tmp_path), "CONFIG": str(DEPLOY / "coturn" / "turnserver.conf"),
        "PUBLIC_ADDRESS": HERE, "REALM": "voice.example.com", "TURN_SECRET": SECRET,
    }  # fmt: skip
    command = ["sh", DEPLOY / "coturn" / "run", "-p", str(port)]
    async with running(*command, cwd=tmp_path, **given) as it:
        await it.until(lambda _: _answers(port), 20)
        assert "ERROR" not in it.text, it.text
        assert "Unknown" not in it.text, it.text
        assert "Bad configuration" not in it.text, it.text
        # Neither its command line nor a file of others' has the secret.
        line = Path(f"/proc/{it.process.pid}/cmdline").read_bytes()  # noqa: ASYNC240
        assert b"turnserver" in line
        assert SECRET.encode() not in line
        written = tmp_path / "turnserver.conf"
        assert written.stat().st_mode & 0o077 == 0
        assert f"static-auth-secret={SECRET}" in written.read_text()
    async with running("sh", DEPLOY / "coturn" / "run", cwd=tmp_path, FOLDER=str(tmp_path)) as it:
        assert await asyncio.wait_for(it.process.wait(), 10)
    assert "PUBLIC_ADDRESS" in it.text


def _answers(port: int) -> bool:
    import socket

    try:
        with socket.create_connection((HERE, port), 1):
            return True
    except OSError:
        return False


def test_kamailio_takes_what_the_environment_says(services, tmp_path):
    """By its own check; what it does then, and that flags 9 mean what they should, is in tests/phone."""
    needs("kamailio")
    named = {key: filled(str(value)) for key, value in services["kamailio"]["environment"].items()}
    given = {
        **named, "FOLDER": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "CONFIG": str(DEPLOY / "kamailio" / "kamailio.cfg"), "SIP_PORT": "37060",
    }  # fmt: skip

    def run(**changed: str) -> subprocess.CompletedProcess[str]:
        words = ["sh", DEPLOY / "kamailio" / "run", "-c"]
        env = {name: value for name, value in (given | changed).items() if value}
        return subprocess.run(
            words, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    done = run()
    assert done.returncode == 0, done.stderr
    assert f"udp: {HERE} [{HERE}]:37060" in done.stdout + done.stderr
    # Twice as many as workers, for when they are renewed, and none gets a call before it has answered.
    rows = [line.split() for line in (tmp_path / "dispatcher.list").read_text().splitlines()]
    assert [row[1] for row in rows] == [f"sip:{HERE}:{5070 + slot}" for slot in range(6)]
    assert {row[2] for row in rows} == {"9"}
    assert len({row[4] for row in rows}) == 6
    lacking = run(CARRIER_URI="")
    assert lacking.returncode != 0
    assert "CARRIER_URI" in lacking.stderr
