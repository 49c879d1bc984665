"""Symmetric RTP: where the caller's media really comes from, and who may change that.

Behind a NAT the address in the SDP is often wrong, so we must send to where packets come from;
but whoever can guess our port may send packets too. Plain RTP proves nothing, so the rules are
conservative, and authenticated packets (SRTP) go before all of them:

1. The stream is locked to the signalled address, then to wherever it was moved.
2. Another address takes over a lock that was *never heard* after `confirm` packets of one SSRC
   with consecutive sequence numbers.
3. It takes over one that *was heard* only after `silence` seconds without it, with the same
   proof; or at once after `confirm` packets if they continue the SSRC and the sequence of the
   locked stream and nothing came from the locked address between them (a NAT that rebinds): a
   stranger would have to guess 32 bits.
4. The signalled address takes its stream back with its first packet, unless the stream was moved
   by rule 3's continuation or by authentication.

Everything else is ignored and counted.
"""

from __future__ import annotations

from .rtp import Address, sequence_delta

_NEAR = 100  # sequence numbers: how close a continuation must be


class Latch:
    """The lock on one stream's source.

    Args:
        signalled: The address in the SDP, or None when it had none that can be used (0.0.0.0).
        silence: How long the locked source must be quiet before another may take over (s).
        confirm: Consecutive packets that another source must show.

    Attributes:
        address: Where the stream is locked to, and where our packets go; None before any.
        rejected: Packets ignored because of where they came from.
        moves: How often the lock has moved.
    """

    def __init__(
        self, signalled: Address | None, *, silence: float = 2.0, confirm: int = 5
    ) -> None:
        self.rejected = 0
        self.moves = 0
        self._silence = silence
        self._confirm = confirm
        self.signal(signalled)

    def signal(self, address: Address | None) -> None:
        """Take a new signalled address (a re-INVITE's): the lock begins anew.

        The same address again changes nothing: a re-INVITE for hold must not undo what a NAT
        made necessary.
        """
        if address is not None and address == getattr(self, "signalled", None):
            return
        self.signalled = address
        self.address = address
        self._heard: float | None = None
        self._ssrc = self._sequence = -1
        self._proved = False
        self._forget()

    def accept(
        self, source: Address, ssrc: int, sequence: int, now: float, *, authenticated: bool = False
    ) -> bool:
        """Decide on a packet.

        Args:
            source: Where it came from.
            ssrc: Its SSRC.
            sequence: Its sequence number.
            now: The time (s).
            authenticated: SRTP has proved who made it, and that it is no replay.

        Returns:
            Whether it may be heard.
        """
        if source == self.address:
            self._locked(ssrc, sequence, now)
            return True
        if authenticated:
            self._move(source, ssrc, sequence, now, proved=True)
            return True
        if source == self.signalled and not self._proved:
            self._move(source, ssrc, sequence, now, proved=False)
            return True
        if self._confirmed(source, ssrc, sequence):
            continues = ssrc == self._ssrc and abs(sequence_delta(sequence, self._sequence)) < _NEAR
            if self._heard is None or now - self._heard >= self._silence or continues:
                proved = self._heard is not None and continues
                self._move(source, ssrc, sequence, now, proved=proved)
                return True
        self.rejected += 1
        return False

    def accept_rtcp(self, source: Address) -> bool:
        """Decide on unauthenticated RTCP: it must come from the host that the media comes from."""
        if self.address is not None and source[0] == self.address[0]:
            return True
        self.rejected += 1
        return False

    def _locked(self, ssrc: int, sequence: int, now: float) -> None:
        self._heard = now
        self._ssrc = ssrc
        self._sequence = sequence
        if self._count:
            self._forget()

    def _move(self, source: Address, ssrc: int, sequence: int, now: float, *, proved: bool) -> None:
        self.address = source
        self.moves += 1
        self._proved = proved
        self._forget()
        self._locked(ssrc, sequence, now)

    def _forget(self) -> None:
        self._rival: tuple[Address, int] | None = None
        self._next = -1
        self._count = 0

    def _confirmed(self, source: Address, ssrc: int, sequence: int) -> bool:
        """Count consecutive packets of one rival; one lost in between is forgiven."""
        rival = (source, ssrc)
        if rival == self._rival and 0 <= sequence_delta(sequence, self._next) <= 1:
            self._count += 1
        else:
            self._rival = rival
            self._count = 1
        self._next = (sequence + 1) & 0xFFFF
        return self._count >= self._confirm
