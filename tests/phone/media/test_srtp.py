"""SRTP: lines of the SDP, wrong keys, replays, and another implementation's packet."""

import random

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from vivavoce.phone.media.rtp import RtpPacket
from vivavoce.phone.media.srtp import SUITES, Crypto, Srtp

# The example of RFC 4568 §9.1 (its key, with a lifetime).
LINE = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20"


def pair(suite="AES_CM_128_HMAC_SHA1_80"):
    ours, theirs = Crypto.make(1, suite), Crypto.make(1, suite)
    return Srtp(ours, theirs), Srtp(theirs, ours)


def packet(sequence=1, payload=b"\x7f" * 160):
    return RtpPacket(0, sequence & 0xFFFF, sequence * 160, 77, payload).serialise()


def test_a_line_is_read():
    crypto = Crypto.parse(LINE)
    assert (crypto.tag, crypto.suite) == (1, "AES_CM_128_HMAC_SHA1_80")
    assert crypto.key == b"YS___semctl () {\t220;}\n}\nunles"
    assert Crypto.parse("a=crypto:" + LINE) == crypto
    assert Crypto.parse(crypto.line()) == crypto


def test_keys_are_not_shown():
    crypto = Crypto.parse(LINE)
    assert "semctl" not in repr(crypto)
    broken = LINE.replace("WVNf", "WV%f")
    with pytest.raises(ValueError) as caught:
        Crypto.parse(broken)
    assert "X19z" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "reads: tag suite"),
        ("x AES_CM_128_HMAC_SHA1_80 inline:abc", "reads: tag suite"),
        (LINE.replace("_80", "_48"), "not spoken here: use AES"),
        (LINE.replace("inline", "uri"), "inline"),
        (LINE + "|1:4", "MKI"),
        (LINE + ";inline:AAAA", "one key"),
        (LINE + " UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", "30 bytes, not 3"),
    ],
)
def test_what_cannot_be_done_is_refused(line, reason):
    with pytest.raises(ValueError, match=reason):
        Crypto.parse(line)


@pytest.mark.parametrize("suite", SUITES)
def test_both_ways(suite):
    ours, theirs = pair(suite)
    for sequence in range(65_530, 65_560):  # through the wrap, where the roll-over counts
        clear = packet(sequence)
        sealed = ours.protect(clear)
        assert sealed[12:172] != clear[12:]
        assert len(sealed) - len(clear) == (10 if suite.endswith("80") else 4)
        assert theirs.unprotect(sealed) == clear
    report = b"\x80\xc9\0\1\0\0\0\1"
    assert theirs.unprotect_rtcp(ours.protect_rtcp(report)) == report


def test_the_bytes_are_the_rfcs():
    """A packet opened by hand: AES-CM key derivation and encryption of RFC 3711 §4."""
    crypto = Crypto.parse(LINE)
    clear = packet(3, b"what is said")
    sealed = Srtp(crypto, Crypto.make()).protect(clear)
    master, salt = crypto.key[:16], crypto.key[16:]

    def stream(key, vector, size):
        cipher = Cipher(algorithms.AES(key), modes.CTR(vector.to_bytes(16))).encryptor()
        return cipher.update(bytes(size))

    def derive(label, size):
        return stream(master, (int.from_bytes(salt) ^ label << 48) << 16, size)

    key, auth, session_salt = derive(0, 16), derive(1, 20), derive(2, 14)
    vector = int.from_bytes(session_salt) << 16 ^ 77 << 64 ^ 3 << 16
    body = sealed[12:-10]
    opened = bytes(a ^ b for a, b in zip(body, stream(key, vector, len(body)), strict=True))
    assert opened == b"what is said"
    tag = hmac.HMAC(auth, hashes.SHA1())
    tag.update(sealed[:-10] + bytes(4))
    assert tag.finalize()[:10] == sealed[-10:]


def test_a_wrong_key_is_counted_and_never_heard():
    ours, _ = pair()
    _, stranger = pair()
    assert [stranger.unprotect(ours.protect(packet(n))) for n in range(5)] == [None] * 5
    assert stranger.counts.forged == 5


def test_a_replay_is_counted_and_never_heard():
    ours, theirs = pair()
    sealed = [ours.protect(packet(n)) for n in range(300)]
    assert all(theirs.unprotect(data) for data in sealed)
    assert theirs.unprotect(sealed[299]) is None
    assert theirs.unprotect(sealed[0]) is None
    assert (theirs.counts.replayed, theirs.counts.forged) == (2, 0)


def test_mutations_are_never_heard():
    ours, theirs = pair()
    chance = random.Random(4)
    for sequence in range(3_000):
        data = bytearray(ours.protect(packet(sequence & 0x7FFF)))
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
        assert theirs.unprotect(bytes(data[: chance.choice((len(data), at))])) is None
    counts = theirs.counts
    assert counts.forged + counts.replayed + counts.malformed == 3_000
    for size in (0, 1, 11, 12, 1499, 1500, 1501, 3000):
        assert theirs.unprotect(bytes(size)) is None
        assert theirs.unprotect_rtcp(bytes(size)) is None


def test_what_is_too_long_is_not_sent():
    with pytest.raises(ValueError, match="too long"):
        pair()[0].protect(packet(1, bytes(1400)))
