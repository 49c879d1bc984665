"""Proofs: good for one request at one worker, for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.web.cluster.proof import ADDRESS, BEGINS, PROOF, Asked, ProofError, Seal

KEY = "0123456789abcdef0123456789abcdef"
ASKED = Asked("aaa", "GET", "/api/ws?codec=opus", "10.0.0.1", begins="f.1")


def test_a_proof_is_of_all_that_is_asked():
    seal = Seal(KEY)
    headers = seal.headers(ASKED, 1_000.0)
    assert headers[ADDRESS] == "10.0.0.1"
    assert headers[BEGINS] == "f.1"
    seal.check(headers[PROOF], ASKED, 1_010.0)
    for other in (
        Asked("bbb", "GET", "/api/ws?codec=opus", "10.0.0.1", begins="f.1"),
        Asked("aaa", "POST", "/api/ws?codec=opus", "10.0.0.1", begins="f.1"),
        Asked("aaa", "GET", "/api/ws?codec=pcm16", "10.0.0.1", begins="f.1"),
        Asked("aaa", "GET", "/api/ws?codec=opus", "10.0.0.2", begins="f.1"),
        Asked("aaa", "GET", "/api/ws?codec=opus", "10.0.0.1"),
    ):
        with pytest.raises(ProofError, match="front of this cluster"):
            seal.check(headers[PROOF], other, 1_010.0)
    with pytest.raises(ProofError, match="NTP"):
        seal.check(headers[PROOF], ASKED, 1_031.0)
    with pytest.raises(ProofError):
        Seal(KEY[::-1]).check(headers[PROOF], ASKED, 1_000.0)


@given(st.text(max_size=80))
def test_nothing_else_is_one(text):
    with pytest.raises(ProofError):
        Seal(KEY).check(text, ASKED, 1_000.0)


def test_a_key_is_long_and_never_shown():
    with pytest.raises(ValueError, match="32"):
        Seal("short")
    assert KEY not in repr(Seal(KEY))
