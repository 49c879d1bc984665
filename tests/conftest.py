"""What all rooms' tests share: one sandbox per test process, and keys made in it."""

from __future__ import annotations

import asyncio.constants
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from loguru import logger

from vivavoce.pipelines import warm
from vivavoce.sandbox.launch import Sandbox

# pipecat logs every link and frame; what matters reaches the standard log.
logger.remove()

# The same examples in each run: a failure is of the change that made it. For new ones:
# `pytest --hypothesis-profile=default`.
settings.register_profile(
    # No matter how slow the machine is at the moment.
    "same",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")

# Hypothesis also draws the constants of all modules that are loaded, ours and the tests': then the
# examples are other ones with each change anywhere, and each process parses all sources for them.
providers._get_local_constants = lambda: providers._local_constants

# asyncio's debug mode keeps where each callback and task was made: ten frames of it are a quarter
# of the CPU that a whole call takes, and the last three tell the place.
asyncio.constants.DEBUG_STACK_DEPTH = 3

# What is done for a process that serves calls and nothing else: here it would leave alone the garbage
# of all tests before, and have a round of the collector at each turn. tests/pipelines/test_warm.py
# has a process of its own.
warm.settle = lambda: None

# A shell has what it starts in the background ignore Ctrl-C, which processes that tests start
# would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _has_flite() -> bool:
    try:
        ctypes.CDLL("libflite_cmu_us_rms.so.1")
    except OSError:
        return False
    return True


def pytest_configure(config: pytest.Config) -> None:
    # What merely importing pipecat 1.14 warns of, itself and nothing of ours being the cause.
    for message in ("'audioop' is deprecated", "`AudioContextTTSService` is deprecated"):
        config.addinivalue_line("filterwarnings", f"ignore:{message}:DeprecationWarning")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_flite") and not _has_flite():
        pytest.skip("needs Debian's libflite1: apt install libflite1")


# Whole calls in real time, over sockets, with processes, phones, browsers and sound cards that
# are not ours: a machine that is busy elsewhere may spoil one of them. It gets another chance or
# two, and the summary tells. What is pure or on a virtual clock has one.
REAL_TIME = (
    *("tests/cli/", "tests/examples/", "tests/phone/test_", "tests/pipelines/test_"),
    *("tests/pipelines/models/", "tests/sandbox/", "tests/test_conformance", "tests/web/"),
    "tests/test_faults",
    *("tests/pipelines/interpret/test_interpretation", "tests/pipelines/observing/test_observer"),
    *("tests/test_deploy", "tests/test_systemd", "tests/phone/sip/test_transport"),
    *("tests/phone/media/test_endpoint", "tests/tools/test_mcp", "tests/benchmarks/test_engine"),
    # A thread of its own answers, and nobody waits for it for long.
    "tests/pipelines/audio/test_smart_turn",
)

# Wherever a test lies, it is of these if it asks for a server, a phone, a browser or a card.
OUTSIDE = {"sandbox", "profile", "hold", "station", "server", "chromium", "card", "unused_tcp_port"}


def _real_time(item: pytest.Item) -> bool:
    asked = getattr(item, "fixturenames", ())
    return item.nodeid.startswith(REAL_TIME) or not OUTSIDE.isdisjoint(asked)


# Files that take half a minute or more begin first, so that none of them is left when the other
# test processes have nothing to do any more.
LONG = (
    *("tests/web/browser/", "tests/cli/test_talk.py", "tests/pipelines/test_interruptions.py"),
    *(
        "tests/phone/test_opening.py",
        "tests/phone/sip/test_loss.py",
        "tests/phone/test_transfer.py",
    ),
    *("tests/phone/test_spoken.py", "tests/pipelines/test_microphone.py", "tests/test_types.py"),
    *("tests/pipelines/models/test_hearing_faults.py", "tests/cli/test_new.py"),
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    # Each test process collects everything, and the first to read a file rewrites its assertions,
    # which costs more than to read it. They begin at different rooms, so each file is rewritten
    # once and not by all of them at the same moment.
    config, tests = session.config, Path(__file__).parent
    number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if not number or [Path(config.invocation_params.dir, each) for each in config.args] != [tests]:
        return
    rooms = sorted(
        path
        for path in tests.iterdir()
        if (path.is_dir() and path.name != "__pycache__") or path.match("test_*.py")
    )
    count = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    first = len(rooms) * int(number) // count
    config.args = [str(path) for path in rooms[first:] + rooms[:first]]


def _rank(item: pytest.Item) -> int:
    return next((at for at, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Among themselves as they lie, wherever a process began to collect them.
    items.sort(key=lambda item: (_rank(item), item.nodeid.partition("::")[0]))
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return  # a checkout without the development tools
    for item in items:
        if _real_time(item):
            item.add_marker(pytest.mark.flaky(reruns=2))


# Of several test processes two hold the calls in real time, which mostly wait, and the others do
# what is pure, which only wants CPU: so neither kind waits for the other.
WAITING = 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            # One Chromium at a time: two of them leave no machine to the pages in them.
            browser = "tests/web/browser/"
            return browser if nodeid.startswith(browser) else super()._split_scope(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            waits = self.nodes.index(node) < WAITING
            fits = (scope for scope in self.workqueue if scope.startswith(REAL_TIME) == waits)
            if (scope := next(fits, None)) is not None:
                self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    # What only wants CPU gives way to what happens in real time. Nobody but root may take a
    # priority back, and without that nobody gives it away.
    if os.environ.get("PYTEST_XDIST_WORKER") and os.geteuid() == 0:
        pure = not _real_time(item)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, 10 if pure else 0)
    return (yield)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox process per test process, started by the first test that asks for it."""
    with Sandbox() as running:
        yield running


@dataclass(frozen=True)
class Key:
    """A key of its own in the sandbox: give ``url`` and ``key`` to any client."""

    sandbox: Sandbox
    key: str

    @property
    def url(self) -> str:
        return self.sandbox.url

    @property
    def report(self) -> dict[str, Any]:
        """What was counted under the key until now."""
        return self.sandbox.report(self.key)


@pytest.fixture
def profile(sandbox: Sandbox) -> Iterator[Callable[..., Key]]:
    """A factory: ``profile(latency={…}, script={…}, faults={…})`` makes a key for one test."""
    made: list[str] = []

    def make(**given: Any) -> Key:
        made.append(sandbox.make_key(**given))
        return Key(sandbox, made[-1])

    yield make
    for key in made:
        sandbox.drop_key(key)
