"""Digest: the RFCs' examples, and what a server lets pass."""

from __future__ import annotations

import pytest

from vivavoce.phone.sip import auth
from vivavoce.phone.sip.auth import Authenticator, Challenge, Credentials, Guard, challenges
from vivavoce.phone.sip.message import Headers, Request, Response
from vivavoce.phone.sip.uri import Uri

HOST = "203.0.113.5"


def request(method: str = "INVITE", uri: str = "sip:bob@192.0.2.1") -> Request:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKx"),
            ("From", "<sip:a@b>;tag=1"),
            ("To", "<sip:b@b>"),
            ("Call-ID", "c"),
            ("CSeq", f"1 {method}"),
        ]
    )
    return Request(method=method, uri=Uri.parse(uri), headers=headers)


def challenged(*lines: str, name: str = "WWW-Authenticate") -> Response:
    return Response(status=401, headers=Headers([(name, line) for line in lines]))


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        # RFC 7616 §3.9.1
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616s_example(algorithm, expected):
    challenge = Challenge(
        "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", algorithm,
        None, True, False, False,
    )  # fmt: skip
    client = Authenticator(
        Credentials("Mufasa", "Circle of Life"),
        lambda: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )

    class Page:
        method, uri = "GET", "/dir/index.html"

    assert f'response="{expected}"' in client._answer(challenge, 1, Page())


def test_rfc_2617s_example_without_qop():
    # The digest of RFC 2617 §3.5's data without qop, as RFC 2069's formula has it.
    challenge = Challenge(
        "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "MD5", None, False, False, False
    )
    client = Authenticator(Credentials("Mufasa", "Circle Of Life"), lambda: "x")

    class Page:
        method, uri = "GET", "/dir/index.html"

    answer = client._answer(challenge, 1, Page())
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in answer
    assert "qop" not in answer


def test_the_strongest_that_we_know_is_answered():
    found = challenges(
        challenged(
            'Digest realm="r", nonce="a", algorithm=MD5, qop="auth"',
            'Digest realm="r", nonce="b", algorithm=SHA-256, qop="auth,auth-int"',
            'Digest realm="r", nonce="c", algorithm=SHA-512-256, qop=auth, opaque="o,\\"p"',
            'Digest realm="r", nonce="d", algorithm=MD5, qop="auth-int"',
            'Digest realm="r", nonce="e", algorithm=SHA3, qop="auth"',
            'Basic realm="r"',
        )
    )
    assert [c.nonce for c in found] == ["c", "b", "a"]
    assert found[0].opaque == 'o,"p'


def guard(**options) -> Guard:
    return Guard("home", {"anna": "pass word"}, b"s" * 32, **options)


def login(server: Guard, password: str = "pass word", *, user: str = "anna", at: float = 0.0):
    client = Authenticator(
        Credentials(user, password), iter(f"cnonce{n}" for n in range(99)).__next__
    )
    assert client.learn(server.challenge(request(), HOST, at, stale=False))
    return client


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_right_and_wrong_passwords(algorithm):
    server = guard(algorithms=[algorithm])
    for user, password, expected in [
        ("anna", "pass word", "anna"), ("anna", "wrong", None), ("otto", "", None)
    ]:  # fmt: skip
        asked = request()
        login(server, password, user=user).authorise(asked)
        checked = server.check(asked, HOST, 1.0)
        assert (checked.user, checked.stale) == (expected, False)


def test_an_old_nonce_is_stale_and_not_wrong():
    server, asked = guard(lifetime=60), request()
    login(server).authorise(asked)
    assert server.check(asked, HOST, 61.0) == auth.Checked(stale=True)
    assert "stale=true" in str(list(server.challenge(asked, HOST, 61.0, stale=True).headers))


def test_a_replayed_answer_is_stale_and_the_next_count_is_good():
    server = guard()
    client, asked, next_ = login(server), request(), request()
    client.authorise(asked)
    client.authorise(next_)
    assert server.check(asked, HOST, 1.0).user == "anna"
    assert server.check(asked, HOST, 1.0) == auth.Checked(stale=True)
    assert server.check(next_, HOST, 1.0).user == "anna"


def test_what_was_pushed_out_of_the_table_cannot_be_replayed():
    server = guard()
    server.MAX_NONCES = 4  # type: ignore[misc]
    asked = request()
    login(server, at=0.0).authorise(asked)
    assert server.check(asked, HOST, 1.0).user == "anna"
    for number in range(1, 8):
        other = request()
        login(server, at=float(number)).authorise(other)
        assert server.check(other, HOST, 10.0).user == "anna"
    assert server.check(asked, HOST, 10.0) == auth.Checked(stale=True)


@pytest.mark.parametrize("change", ["host", "method", "uri", "nonce", "secret", "nc"])
def test_an_answer_is_good_for_what_it_was_made_for_only(change):
    server, asked = guard(), request()
    login(server).authorise(asked)
    line = asked.headers.get("Authorization") or ""
    host = HOST
    if change == "host":
        host = "203.0.113.6"
    elif change == "method":
        asked.method = "REGISTER"
    elif change == "uri":
        asked.uri = Uri.parse("sip:premium@192.0.2.1")
    elif change == "nonce":
        asked.headers.set("Authorization", line.replace('nonce="', 'nonce="A'))
    elif change == "nc":
        asked.headers.set("Authorization", line.replace("nc=00000001", "nc=00000002"))
    else:
        server = Guard("home", {"anna": "pass word"}, b"t" * 32)
    assert server.check(asked, host, 1.0).user is None


def test_a_password_never_shows():
    assert "pass word" not in repr(Credentials("anna", "pass word"))
