"""Finding the model files, and sharing their sessions."""

import importlib.util
import subprocess
import sys
import threading

import pytest

from vivavoce.pipelines.audio import weights
from vivavoce.pipelines.audio.weights import SILERO, SMART_TURN, ModelFileError, locate, session


@pytest.mark.parametrize("name", [SILERO, SMART_TURN])
def test_pipecat_brings_the_models(name):
    assert locate(name).stat().st_size > 1_000_000


def test_the_room_is_used_without_importing_pipecat():
    script = (
        "import sys, numpy as np\n"
        "from vivavoce.pipelines.audio.vad import SileroVad\n"
        "from vivavoce.pipelines.audio import wav, ring, smart_turn\n"
        "assert len(SileroVad().feed(np.zeros(512, np.int16))) == 1\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'pipecat']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelFileError, match="pip install"):
        locate(SILERO)


def test_a_missing_file_is_named():
    with pytest.raises(ModelFileError, match=r"has no audio/vad/data/other\.onnx"):
        locate("audio/vad/data/other.onnx")


def test_threads_that_come_first_together_load_once(monkeypatch):
    loads = []
    real = weights._load
    monkeypatch.setattr(weights, "_sessions", {})
    monkeypatch.setattr(weights, "_load", lambda path: loads.append(path) or real(path))
    path, found = locate(SILERO), []
    threads = [threading.Thread(target=lambda: found.append(session(path))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(loads) == 1
    assert len(found) == 6
    assert len({id(one) for one in found}) == 1
