"""Reading the weights out of ONNX files."""

import numpy as np
import pytest

from vivavoce.pipelines.audio.tensors import read
from vivavoce.pipelines.audio.weights import SILERO, SMART_TURN, ModelFileError, locate


def varint(value):
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number, value):
    """One field of a protocol buffer, a whole number or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(values, name=b"", *, packed=False, raw=True, kind=1):
    shape = values.shape
    dims = (
        field(1, b"".join(map(varint, shape))) if packed else b"".join(field(1, n) for n in shape)
    )
    data = field(9 if raw else 4, values.astype("<f4").tobytes())
    return dims + field(2, kind) + (field(8, name) if name else b"") + data


def constant(name, value):
    return field(2, name) + field(4, b"Constant") + field(5, field(1, b"value") + field(5, value))


A = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_initializers_constants_and_branches_are_read(tmp_path):
    branch = field(1, constant(b"deep", tensor(A + 2, packed=True)))
    nodes = (
        field(1, constant(b"flat", tensor(A + 1, raw=False))),
        field(1, field(2, b"out") + field(4, b"If") + field(5, field(6, branch))),
        field(1, constant(b"whole numbers", tensor(A, kind=7))),
        field(1, field(4, b"Relu") + field(2, b"x") + field(5, field(5, tensor(A)))),
    )
    graph = b"".join(nodes) + field(5, tensor(A, b"first")) + field(2, b"a name")
    # A fixed 32-bit and a 64-bit field, which ONNX may get any day, are passed over.
    other = varint(90 << 3 | 5) + b"1234" + varint(91 << 3 | 1) + b"12345678"
    path = tmp_path / "model.onnx"
    path.write_bytes(field(1, 8) + other + field(7, graph))
    found = read(path)
    assert sorted(found) == ["deep", "first", "flat"]
    for name, value in (("first", A), ("flat", A + 1), ("deep", A + 2)):
        assert np.array_equal(found[name], value)
        assert found[name].dtype == np.float32


def test_the_models_in_use_are_read():
    silero = read(locate(SILERO))
    assert sum(name.endswith("decoder.rnn.weight_hh") for name in silero) == 2
    assert read(locate(SMART_TURN))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 12,
        field(7, field(5, tensor(A, b"cut")[:-1])),
        field(7, field(5, field(1, 3) + field(2, 1) + field(8, b"few") + field(9, b"1234"))),
        varint(7 << 3 | 2) + varint(1_000) + b"short",
        varint(7 << 3 | 3),
        b"\x08",
    ],
)
def test_what_is_no_onnx_is_refused(tmp_path, data):
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="cannot be read as ONNX"):
        read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"no model file .*none\.onnx"):
        read(tmp_path / "none.onnx")
