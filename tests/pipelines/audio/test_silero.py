"""Silero's network: what numpy computes is what onnxruntime computes of the same file."""

import threading

import numpy as np
import pytest

from vivavoce.pipelines.audio import silero, tensors
from vivavoce.pipelines.audio.silero import Network, Silero, network
from vivavoce.pipelines.audio.weights import SILERO, SMART_TURN, ModelFileError, locate, session


def sound(rate, seconds=4.0):
    """Something between voice and noise, loud and faint by turns."""
    time = np.arange(round(rate * seconds)) / rate
    tones = sum(np.sin(2 * np.pi * 140 * n * time + n) / n for n in range(1, 16))
    breath = np.random.default_rng(0).standard_normal(time.size)
    return (0.15 * np.sin(4 * time) * tones + 0.02 * breath).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 8_000])
def test_it_is_the_network_that_onnxruntime_runs(rate):
    theirs, ours = session(locate(SILERO)), Silero(network(rate))
    ours.memory = np.zeros_like(ours.memory)
    state, size = np.zeros((2, 1, 128), np.float32), ours.samples.size
    before, found, expected = np.zeros(size // 8, np.float32), [], []
    for window in sound(rate).reshape(-1, size)[:, None]:
        inputs = {"input": np.hstack((before[None], window)), "state": state}
        ((probability,),), state = theirs.run(None, inputs | {"sr": np.array(rate)})
        before = window[0, -size // 8 :]
        expected.append(probability)
        ours.samples[:] = window[0]
        found.append(ours.judge())
    assert max(expected) > 0.3 > min(expected)
    assert np.allclose(found, expected, atol=1e-5)
    assert np.allclose(ours.memory, state[:, 0], atol=1e-4)


def test_a_window_that_is_left_out_is_still_the_edge_of_the_next():
    audio = sound(16_000).reshape(-1, 512)
    one, other = Silero(network(16_000)), Silero(network(16_000))
    one.samples[:] = audio[0]
    one.pass_by()
    one.samples[:] = other.samples[:] = audio[1]
    assert one.judge() != other.judge()


def test_judging_one_stream_leaves_what_others_begin_with():
    rest = network(16_000).rest.copy()
    stream = Silero(network(16_000))
    stream.samples[:] = sound(16_000)[:512]
    stream.judge()
    assert np.array_equal(network(16_000).rest, rest)


def test_threads_that_come_first_together_read_once(monkeypatch):
    reads, found, real = [], [], tensors.read
    monkeypatch.setattr(silero, "_networks", {})
    monkeypatch.setattr(tensors, "read", lambda path: reads.append(path) or real(path))
    threads = [threading.Thread(target=lambda: found.append(network(16_000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(reads) == 1
    assert len({id(one) for one in found}) == 1
    assert len(found) == 4


def test_a_file_without_it_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="no voice detector for 16000 Hz"):
        network(16_000, locate(SMART_TURN))
    with pytest.raises(ModelFileError, match="no model file"):
        network(16_000, tmp_path / "none.onnx")


def test_other_weights_are_refused():
    found = tensors.read(locate(SILERO))
    branch = next(name for name in found if name.endswith("basis_buffer")).partition("stft")[0]
    mine = {n.removeprefix(branch): w for n, w in found.items() if n.startswith(branch)}
    Network(mine)
    basis, kernel = mine["stft.forward_basis_buffer"], mine["encoder.2.reparam_conv.weight"]
    rnn = mine["decoder.rnn.weight_hh"]
    for name, weight in (
        ("stft.forward_basis_buffer", basis + 0.1),
        ("encoder.2.reparam_conv.weight", kernel[:, :, :2]),
        ("decoder.rnn.weight_hh", rnn[:, :64]),
    ):
        with pytest.raises(ValueError, match="its"):
            Network({**mine, name: weight})
