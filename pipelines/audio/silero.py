"""Silero: the network of the voice detector, computed with numpy.

Half of what onnxruntime takes for it goes into getting from one of its hundred small nodes to the
next: 110 µs for a window, where the arithmetic takes 50. So the weights are read from Silero's own
file and the arithmetic is done here: a spectrum of four frames, four convolutions that narrow
them down to one vector, one LSTM cell that remembers, and a weighted sum. The results are the
same to about 1e-6.

Every matrix is small enough for OpenBLAS to stay on the calling thread, as it must: threads that
it wakes spin for a while afterwards.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from . import tensors
from .convert import Float32
from .weights import SILERO, ModelFileError, locate

SIZE = 128
"""How many numbers each half of the network's memory holds."""

_FRAMES = 4  # of a window's spectrum
_BASIS = "stft.forward_basis_buffer"
_ENCODER = "encoder.{}.reparam_conv."
_LSTM = "decoder.rnn."
_OUTPUT = "decoder.decoder.2."


class Network:
    """Silero's weights for one sample rate, laid out for `Silero`. Immutable; threads share it.

    Args:
        weights: Of one rate, by their names in the model.

    Attributes:
        rate: The sample rate (Hz).
        span: Samples of a frame of the spectrum; a window is twice as long.
        rest: What it remembers after half a second of silence, shape (2, 128): the output and
            the cell of its LSTM. Every stream begins with it: a voice is noticed up to 20 ms sooner
            than from a memory of nothing. Not at 8 kHz, where faint noise behind pure silence
            would be taken for a voice.

    Raises:
        KeyError: A weight is missing.
        ValueError: A weight is not as Silero v5 and v6 have it.
    """

    def __init__(self, weights: dict[str, Float32]) -> None:
        basis = weights[_BASIS][:, 0]
        self.span = basis.shape[1]
        self.rate = {256: 16_000, 128: 8_000}[self.span]
        # The spectrum is a Fourier transform, written as a convolution: the first row, of
        # frequency zero, is its window.
        self.window = basis[0].copy()
        turns = np.outer(np.arange(self.span // 2 + 1), np.arange(self.span)) / self.span
        wave = np.exp(-2j * np.pi * turns) * self.window
        if not np.allclose(basis, np.concatenate((wave.real, wave.imag)), atol=1e-4):
            raise ValueError("its spectrum is no Fourier transform")
        self.layers: list[tuple[Float32, Float32]] = []
        channels = self.span // 2 + 1
        for number, wide in enumerate((128, 64, 64, 128)):
            kernel = weights[_ENCODER.format(number) + "weight"]
            if kernel.shape != (wide, channels, 3):
                raise ValueError(f"its convolution {number} is {kernel.shape}")
            # As a product of three frames in a row, one behind the other, and a matrix.
            flat = np.ascontiguousarray(kernel.transpose(2, 1, 0).reshape(-1, wide))
            self.layers.append((flat, weights[_ENCODER.format(number) + "bias"]))
            channels = wide
        both = (weights[_LSTM + "weight_ih"], weights[_LSTM + "weight_hh"])
        if any(part.shape != (4 * SIZE, SIZE) for part in both):
            raise ValueError("its LSTM is of another size")
        # Gates in the order in, forget, cell, out. A sigmoid is (tanh(x / 2) + 1) / 2, so that one
        # tanh serves all four; the halves are put into the weights.
        half = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), SIZE)
        self.gates = np.ascontiguousarray((np.concatenate(both, axis=1) * half[:, None]).T)
        self.gate_bias = (weights[_LSTM + "bias_ih"] + weights[_LSTM + "bias_hh"]) * half
        self.gate_scale, self.gate_shift = half, np.float32(1.0) - half
        self.gate_shift[2 * SIZE : 3 * SIZE] = 0.0
        self.output = weights[_OUTPUT + "weight"][0, :, 0].copy()
        self.output_bias = float(weights[_OUTPUT + "bias"][0])
        self.rest: Float32 = np.zeros((2, SIZE), np.float32)
        if self.rate == 16_000:
            stream = Silero(self)
            for _ in range(16):
                stream.judge()
            self.rest = stream.memory


class Silero:
    """One stream through the network. Not thread-safe.

    Args:
        network: The weights.

    Attributes:
        samples: Where a window's samples are to be written before it is judged: float32 with full
            scale at ±1.0, 512 of them at 16 kHz, 256 at 8 kHz.
        memory: What is remembered of the windows before, shape (2, 128); may be replaced.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        span = network.span
        # The window is seen with the last quarter of a frame before it, and mirrored at its end.
        self._edge = edge = span // 4
        self._audio: Float32 = np.zeros(2 * span + 2 * edge, np.float32)
        self.samples = self._audio[edge:-edge]
        self.memory = network.rest
        stretch = np.lib.stride_tricks.sliding_window_view
        self._frames = stretch(self._audio, span)[:: span // 2]
        # Each layer's input has a frame of zeros at either end, and is read three frames at a time.
        bins = span // 2 + 1
        self._spectra, first = _frames(_FRAMES, bins, 1)
        self._wide, second = _frames(_FRAMES, 128, 2)
        self._narrow, third = _frames(_FRAMES // 2, 64, 2)
        self._last, fourth = _frames(1, 64, 1)
        self._vector: Float32 = np.zeros(2 * SIZE, np.float32)
        self._inputs = (first, second, third, fourth)
        self._outputs = (self._wide, self._narrow, self._last, self._vector[None, :SIZE])

    def judge(self) -> float:
        """Return the probability that somebody speaks in `samples`, and remember them."""
        network, audio, edge = self._network, self._audio, self._edge
        audio[-edge:] = audio[-edge - 2 : -2 * edge - 2 : -1]
        np.abs(np.fft.rfft(self._frames * network.window), out=self._spectra)
        for (weight, bias), given, out in zip(
            network.layers, self._inputs, self._outputs, strict=True
        ):
            product = given @ weight
            product += bias
            np.maximum(product, 0.0, out=out)
        self._vector[SIZE:] = self.memory[0]
        gates = self._vector @ network.gates
        gates += network.gate_bias
        np.tanh(gates, out=gates)
        gates *= network.gate_scale
        gates += network.gate_shift
        memory = np.empty((2, SIZE), np.float32)
        hidden, cell = memory
        np.multiply(gates[SIZE : 2 * SIZE], self.memory[1], out=cell)
        cell += gates[:SIZE] * gates[2 * SIZE : 3 * SIZE]
        np.tanh(cell, out=hidden)
        hidden *= gates[3 * SIZE :]
        self.memory = memory
        self.pass_by()
        sure = float(np.maximum(hidden, 0.0) @ network.output) + network.output_bias
        return float(0.5 + 0.5 * np.tanh(0.5 * sure))

    def pass_by(self) -> None:
        """Leave a window unjudged: only the edge that the next one is seen with is kept."""
        self._audio[: self._edge] = self._audio[-2 * self._edge : -self._edge]


def _frames(count: int, size: int, step: int) -> tuple[Float32, Float32]:
    """Make room for a layer's input.

    Args:
        count: How many frames there are.
        size: Numbers of a frame.
        step: By how many frames the layer goes on.

    Returns:
        The frames, shape (count, size), and the same memory as the layer reads it: three frames
        in a row for each of its outputs, with one of zeros before the first and behind the last.
    """
    padded: Float32 = np.zeros((count + 2) * size, np.float32)
    view = np.lib.stride_tricks.sliding_window_view(padded, 3 * size)[:: step * size]
    return padded[size:-size].reshape(count, size), view


_networks: dict[tuple[Path, int], Network] = {}
_lock = threading.Lock()


def network(rate: int, path: Path | None = None) -> Network:
    """Give the process's network for a rate, reading it on first use (about 10 ms). Thread-safe.

    Args:
        rate: 16000 or 8000 Hz.
        path: A Silero v5 or v6 ONNX file, by default the one that comes with pipecat.

    Raises:
        ModelFileError: The file is missing, or holds no such network.
    """
    path = path or locate(SILERO)
    with _lock:
        if (path, rate) not in _networks:
            for made in _load(path):
                _networks[path, made.rate] = made
        if (path, rate) not in _networks:
            raise ModelFileError(f"The model file {path} holds no voice detector for {rate} Hz.")
        return _networks[path, rate]


def _load(path: Path) -> list[Network]:
    """Read the networks of a file: one per branch, which its weights' names begin with."""
    found = tensors.read(path)
    branches = [name.removesuffix(_BASIS) for name in found if name.endswith(_BASIS)]
    try:
        return [
            Network(
                {
                    name.removeprefix(branch): weight
                    for name, weight in found.items()
                    if name.startswith(branch)
                }
            )
            for branch in branches
        ]
    except (KeyError, ValueError) as error:
        raise ModelFileError(f"The model file {path} is not Silero v5 or v6: {error}") from error
