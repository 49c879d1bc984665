"""Call tokens, TURN's credentials, and who may come in: by arithmetic."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.web.exposure import Door, Exposure, ExposureError
from vivavoce.web.live import DeskError
from vivavoce.web.tokens import LONGEST_ROOM, Signer, TokenError, Used
from vivavoce.web.turn import IceServers

SECRET = "a secret of thirty-two characters"


def test_a_token_says_what_it_was_given():
    signer = Signer(SECRET)
    token = signer.issue(100.0, agent="host", origin="https://x.example", caller="ada", lifetime=60)
    claims = signer.read(token, 159.9)
    assert (claims.agent, claims.origin, claims.caller) == ("host", "https://x.example", "ada")
    assert claims.expires == 160.0
    with pytest.raises(TokenError, match="expired"):
        signer.read(token, 160.0)


def test_an_operators_token_is_a_kind_of_its_own():
    signer = Signer(SECRET)
    token = signer.issue_operator(100.0, name="ada", agent="host", lifetime=43_200)
    found = signer.read_operator(token, 43_299.9)
    assert (found.name, found.agent, found.expires) == ("ada", "host", 43_300.0)
    with pytest.raises(TokenError, match="expired"):
        signer.read_operator(token, 43_300.0)
    with pytest.raises(TokenError, match="no call token"):
        signer.read(token, 101.0)
    call = signer.issue(100.0)
    with pytest.raises(TokenError, match="no operator's token"):
        signer.read_operator(call, 101.0)
    # Neither does one become the other by another name before it.
    with pytest.raises(TokenError, match="not signed"):
        signer.read_operator(call.replace("vv1.", "vvo1."), 101.0)
    with pytest.raises(TokenError, match="not signed"):
        signer.read(token.replace("vvo1.", "vv1."), 101.0)
    for lifetime in (0, 43_201, float("nan")):
        with pytest.raises(ValueError, match="lifetime"):
            signer.issue_operator(100.0, lifetime=lifetime)


@given(st.integers(0, 500), st.integers(1, 255))
def test_a_token_that_was_changed_anywhere_opens_nothing(at, change):
    signer = Signer(SECRET)
    token = signer.issue(100.0, caller="ada")
    at %= len(token)
    forged = token[:at] + chr(ord(token[at]) ^ change) + token[at + 1 :]
    with pytest.raises(TokenError):
        signer.read(forged, 101.0)


def test_another_secret_opens_nothing_and_a_short_one_is_refused():
    token = Signer(SECRET).issue(100.0)
    with pytest.raises(TokenError, match="not signed"):
        Signer(SECRET + "!").read(token, 101.0)
    with pytest.raises(ValueError, match="32"):
        Signer("short")
    assert SECRET not in repr(Signer(SECRET))


@pytest.mark.parametrize("lifetime", [0, -1, 3_601, float("nan"), float("inf")])
def test_a_lifetime_is_bounded(lifetime):
    with pytest.raises(ValueError, match="lifetime"):
        Signer(SECRET).issue(100.0, lifetime=lifetime)


def test_a_token_begins_one_call():
    signer, used = Signer(SECRET), Used()
    claims = signer.read(signer.issue(100.0), 101.0)
    used.spend(claims, 101.0)
    with pytest.raises(TokenError) as caught:
        used.spend(claims, 102.0)
    assert caught.value.used
    used.give_back(claims)
    used.spend(claims, 103.0)


def test_used_tokens_are_forgotten_once_they_are_over():
    signer, used = Signer(SECRET), Used()
    for number in range(1_200):
        claims = signer.read(signer.issue(float(number), lifetime=10), float(number))
        used.spend(claims, float(number))
    assert len(used) < 1_100


def test_turn_credentials_are_coturns():
    # use-auth-secret: the password is base64(HMAC-SHA1(secret, username)).
    servers = IceServers(("stun:s.example", "turns:t.example:5349"), secret="north")
    given = servers.for_client(1_000.0, "ada")
    turn = given["iceServers"][1]
    assert given["expires"] == 4_600
    assert turn["username"] == "4600:ada"
    wanted = hmac.new(b"north", b"4600:ada", hashlib.sha1).digest()
    assert turn["credential"] == base64.b64encode(wanted).decode()
    assert "north" not in repr(servers)


@pytest.mark.parametrize("url", ["http://x", "stun:", "turn:x y", "x"])
def test_what_is_no_ice_server_is_told_so(url):
    with pytest.raises(ValueError, match="ICE server"):
        IceServers((url,), secret="s")


def test_turn_without_a_secret_is_told_so():
    with pytest.raises(ValueError, match="secret"):
        IceServers(("turn:t.example",))


@pytest.mark.parametrize(
    "given",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "192.0.2.7", "secret": SECRET},
        {"host": "192.0.2.7", "origins": ("https://x.example",)},
        {"names": ("voice.example",)},
    ],
)
def test_a_public_server_needs_a_secret_and_origins(given):
    with pytest.raises(ExposureError, match="anybody could call"):
        Exposure(**given)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"origins": ("shop.example",)}, "origin"),
        ({"origins": ("https://shop.example/page",)}, "origin"),
        ({"names": ("https://x",)}, "host name"),
        ({"proxies": ("proxy",)}, "CIDR"),
    ],
)
def test_what_is_set_up_wrongly_is_told_so(given, match):
    with pytest.raises(ExposureError, match=match):
        Exposure(**given)


def test_names_and_origins_of_a_public_server():
    door = Door(
        Exposure(
            host="0.0.0.0",
            names=("voice.example",),
            origins=("https://shop.example",),
            secret=SECRET,
        )
    )
    door.check_host("Voice.Example:443")
    with pytest.raises(DeskError):
        door.check_host("127.0.0.1")
    assert door.check_origin("https://shop.example", "voice.example") == "https://shop.example"
    assert door.check_origin("https://voice.example", "voice.example") == ""
    assert door.check_origin(None, "voice.example") == ""
    with pytest.raises(DeskError):
        door.check_origin("https://shop.example.evil", "voice.example")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.9", "203.0.113.1", "198.51.100.9"),  # no proxy of ours: not believed
        ("10.0.0.2", "203.0.113.1", "203.0.113.1"),
        ("10.0.0.2", "1.2.3.4, 203.0.113.1", "203.0.113.1"),  # what the client made up is not
        ("10.0.0.2", "203.0.113.1, 10.0.0.3", "203.0.113.1"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
    ],
)
def test_only_our_proxies_are_believed(peer, forwarded, expected):
    door = Door(Exposure(proxies=("10.0.0.0/8",)))
    assert door.address(peer, {"X-Forwarded-For": forwarded}) == expected


def test_a_token_for_a_room_opens_that_room_again_and_again_and_nothing_else():
    door = Door(Exposure(secret=SECRET))
    assert door.signer is not None
    token = door.signer.issue_room(
        time.time(), "r1", agent="booth", listens=True, lifetime=LONGEST_ROOM
    )
    claims = door.claims(token, None)
    assert claims is not None
    assert (claims.room, claims.agent, claims.listens) == ("r1", "booth", True)
    for _ in range(3):
        door.spend(claims, "booth", "r1")
    for room in ("", "r2"):
        with pytest.raises(DeskError, match="one room alone"):
            door.spend(claims, "booth", room)
    plain = door.claims(door.signer.issue(time.time(), agent="booth"), None)
    door.spend(plain, "booth", "r1")  # a call token joins a room once
    with pytest.raises(DeskError, match="has begun a call already"):
        door.spend(plain, "booth", "r1")
    with pytest.raises(ValueError, match="lifetime"):
        door.signer.issue_room(0.0, "r1", agent="booth", lifetime=LONGEST_ROOM + 1)
