"""The last seconds of a call's audio, addressed by absolute sample number."""

import numpy as np

from .convert import Int16


class Ring:
    """A buffer of the newest int16 samples of a stream.

    Samples are numbered from 0 at the start of the stream, and keep their number for good:
    `read(at, end)` gives the same samples however long ago they were pushed, as long as they
    are still held. That serves pre-roll (audio from before speech was detected) and the
    turn model (the last 8 s). Memory is fixed at construction: 2 bytes per sample.

    Not thread-safe: one owner pushes and reads. What is returned is always a copy, so it may
    be handed to another thread.

    Args:
        capacity: How many samples are held at most.

    Raises:
        ValueError: The capacity is below 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"A ring holds at least 1 sample, not {capacity}.")
        self._data: Int16 = np.zeros(capacity, np.int16)
        self._start = 0
        self._end = 0

    @property
    def capacity(self) -> int:
        """How many samples are held at most."""
        return self._data.size

    @property
    def start(self) -> int:
        """Number of the oldest sample held."""
        return self._start

    @property
    def end(self) -> int:
        """Number that the next sample pushed will get: how many were ever pushed."""
        return self._end

    def __len__(self) -> int:
        """How many samples are held now."""
        return self._end - self._start

    def push(self, pcm: Int16) -> None:
        """Append samples; the oldest give way.

        Args:
            pcm: Samples, int16, shape (n,), n may exceed the capacity.

        Raises:
            TypeError: The samples are not a one-dimensional int16 array.
        """
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise TypeError(
                f"A ring takes a one-dimensional int16 array, not {pcm.dtype} {pcm.shape}."
            )
        count = pcm.size
        size = self._data.size
        kept = pcm[-size:]
        at = (self._end + count - kept.size) % size
        first = min(kept.size, size - at)
        self._data[at : at + first] = kept[:first]
        self._data[: kept.size - first] = kept[first:]
        self._end += count
        self._start = max(self._start, self._end - size)

    def read(self, start: int, end: int | None = None) -> Int16:
        """Copy the samples from number `start` up to but not including number `end`.

        A range that reaches outside of what is held is cut to it: compare `Ring.start`.

        Args:
            start: Number of the first sample wanted.
            end: Number after the last one; by default all that there is.

        Returns:
            A new int16 array, shape (n,), empty when nothing of the range is held.
        """
        end = self._end if end is None else min(end, self._end)
        start = max(start, self._start)
        count = end - start
        if count <= 0:
            return np.zeros(0, np.int16)
        size = self._data.size
        at = start % size
        first = min(count, size - at)
        out = np.empty(count, np.int16)
        out[:first] = self._data[at : at + first]
        out[first:] = self._data[: count - first]
        return out

    def last(self, count: int) -> Int16:
        """Copy the newest `count` samples, or as many as there are."""
        return self.read(self._end - max(count, 0))

    def clear(self) -> None:
        """Forget the samples held; numbering goes on."""
        self._start = self._end
