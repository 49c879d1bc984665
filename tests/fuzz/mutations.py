"""What becomes of lawful input on its way: pieces are lost, doubled, swapped and replaced."""

from __future__ import annotations

from hypothesis import strategies as st

# What parsers stumble over: signs that part things, numbers at limits, text that is none.
PIECES = tuple(
    b'|\x00|\xff|\xff\xff\xff\xff|\r\n|\r\n\r\n|:|;|=|,|"|\\|<|>|[|]|{|}|%|%00|-1|0|65536'
    b"|99999999999999999999|1e999|NaN|null|true|[[[[|{}|\xc3\x28|\xf0\x9f\x98\x80|\x7f| |\t|/"
    b"|..|sip:|@|inline:".split(b"|")
)


@st.composite
def mutations(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Return one of the seeds after one to four accidents."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        match draw(st.integers(0, 3)):
            case 0:
                piece = draw(st.sampled_from(PIECES))
            case 1:
                piece = data[start:end] * draw(st.integers(2, 40))
            case 2:
                piece = draw(st.binary(max_size=8))
            case _:
                other = draw(st.sampled_from(seeds))
                at = draw(st.integers(0, len(other)))
                piece = other[at : at + 30]
        data = data[:start] + piece + data[end:]
    return data[:8_000]
