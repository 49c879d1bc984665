"""What all rooms' tests share: one sandbox per test process, and keys made in it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from loguru import logger

from vivavoce.sandbox.launch import Sandbox

# pipecat logs every link and frame; what matters reaches the standard log.
logger.remove()

# The same examples in each run: a failure is of the change that made it. For new ones:
# `pytest --hypothesis-profile=default`.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


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
    *("tests/pipelines/interpret/test_interpretation", "tests/pipelines/observing/test_observer"),
    "tests/test_deploy",
)

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


def _rank(item: pytest.Item) -> int:
    return next((at for at, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return  # a checkout without the development tools
    for item in items:
        if item.nodeid.startswith(REAL_TIME):
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
        pure = not item.nodeid.startswith(REAL_TIME)
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
