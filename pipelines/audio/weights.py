"""The model files that come with pipecat, and one onnxruntime session per file and process.

pipecat's wheel carries Silero VAD and smart-turn. They are found by pipecat's place on disk,
without importing it: its import costs about 0.3 s, and nothing of it is needed here.
"""

import importlib.util
import threading
from pathlib import Path
from typing import Any

SILERO = "audio/vad/data/silero_vad.onnx"
SMART_TURN = "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"

_sessions: dict[Path, Any] = {}
_lock = threading.Lock()


class ModelFileError(RuntimeError):
    """A model file is missing or cannot be loaded; the message says what to do."""


def locate(name: str) -> Path:
    """Find a model file inside the installed pipecat.

    Args:
        name: Path below the package, such as `SILERO`.

    Returns:
        The file's path; it exists.

    Raises:
        ModelFileError: pipecat is not installed, or is a version without this file.
    """
    spec = importlib.util.find_spec("pipecat")
    if spec is None or not spec.submodule_search_locations:
        raise ModelFileError(
            "The package pipecat-ai, which brings the model files, is not installed: "
            'run `pip install "pipecat-ai>=1.14,<1.15"`.'
        )
    for folder in spec.submodule_search_locations:
        path = Path(folder, name)
        if path.is_file():
            return path
    raise ModelFileError(
        f"pipecat-ai is installed but has no {name}: other versions keep it elsewhere; "
        'run `pip install "pipecat-ai>=1.14,<1.15"`, or give the path of a model file.'
    )


def session(path: Path) -> Any:
    """Give the process's session for a model file, loading it on first use.

    Loading takes 20–50 ms and 10–60 MB; that is why all calls share one session. Thread-safe:
    concurrent first uses load once, and a session may be run from any number of threads.

    Args:
        path: The ONNX file.

    Returns:
        An `onnxruntime.InferenceSession` on one thread of the CPU.

    Raises:
        ModelFileError: The file is missing or is not a model onnxruntime can run.
    """
    with _lock:
        found = _sessions.get(path)
        if found is None:
            found = _sessions[path] = _load(path)
        return found


def _load(path: Path) -> Any:
    import onnxruntime

    if not path.is_file():
        raise ModelFileError(f"There is no model file {path}.")
    options = onnxruntime.SessionOptions()
    # One thread: with many calls in a process the cores are shared between calls, and a pool
    # of spinning threads takes more than it gives on models this small.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3  # errors only: it writes to stderr by itself
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions share no public base class
        first = str(error).partition("\n")[0]
        raise ModelFileError(f"The model file {path} cannot be loaded: {first}") from error
