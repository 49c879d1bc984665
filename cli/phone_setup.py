"""The set-up of a telephone: a TOML file, and what the command line says over it."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import time
from pathlib import Path
from typing import Any

from vivavoce.cli.setup_file import check_known, read_toml
from vivavoce.phone import (
    AudioSocket,
    ChanWebSocket,
    Credentials,
    Exposure,
    PhoneError,
    Policy,
    Retries,
    Screen,
    Srtp,
    Trunk,
)
from vivavoce.phone.campaign import Options
from vivavoce.phone.entrance import Entrance
from vivavoce.phone.opening import Sentence
from vivavoce.web.store_settings import StoreSettings

_SECTIONS = {
    "phone", "trunk", "policy", "phones", "retries", "campaign", "audiosocket", "chan_websocket",
    "records", "metrics",
}  # fmt: skip
_MANNERS = ("disclosure", "consent", "record_joined")
_PATHS = ("tls_certificate", "tls_authorities")
_EXPOSURE = {
    "listen", "public", "realm", "max_calls", "codecs", "srtp", "silence_limit", "session_timer",
    "media_thread",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PhoneSetup:
    """What a telephone is made from.

    Attributes:
        exposure: How it is reached.
        trunks: Where calls come from and go to.
        policy: Whom it may call.
        ring_time: Seconds that it rings before it is answered.
        disclosure: Said before anything else.
        consent: Asked before a call is recorded.
        record_joined: Whether recordings go on when callers are joined with others.
        entrances: Other ways in.
        campaign: How the people of a campaign are called.
        records: What is kept of calls.
        metrics: Where metrics are read (`ADDRESS:PORT`); "" for nowhere.
    """

    exposure: Exposure | None
    trunks: tuple[Trunk, ...] = ()
    policy: Policy = field(default_factory=Policy)
    ring_time: float = 0.0
    disclosure: Sentence = False
    consent: Sentence = False
    record_joined: bool | None = None
    entrances: tuple[Entrance, ...] = ()
    campaign: Options = field(default_factory=Options)
    records: StoreSettings = field(default_factory=StoreSettings)
    metrics: str = ""


def read_phone(
    path: Path | None,
    flags: dict[str, Any],
    allow: Sequence[str] = (),
    *,
    records: str = "",
    metrics: str = "",
) -> PhoneSetup:
    """Read a telephone's TOML file; flags win over it.

    Args:
        path: The file (docs/phone.md shows one); None for none.
        flags: What the command line said, by the key in `[phone]`; None and () are left out.
        allow: Networks (CIDR) that may call in, beside the file's trunks.
        records: Where records are kept, as the command line said; "" for what the file says.
        metrics: Where metrics are read, likewise.

    Raises:
        RecordsError: Something in its `[records]` is wrong.
        PhoneError: Something in it is wrong; the message says where and what.
    """
    given = read_toml(path, PhoneError)
    check_known(given, _SECTIONS, "the file", PhoneError)
    where = {"where": records} if records else {}
    kept = StoreSettings.read({**given.get("records", {}), **where})
    phone = {**given.get("phone", {}), **{k: v for k, v in flags.items() if v not in (None, ())}}
    check_known(phone, {*_EXPOSURE, *_PATHS, *_MANNERS, "rtp", "ring_time"}, "[phone]", PhoneError)
    check_known(given.get("metrics", {}), {"listen"}, "[metrics]", PhoneError)
    trunks = [_trunk(entry) for entry in given.get("trunk", [])]
    if allow:
        trunks.append(_peers(allow))
    phones = {
        user: _secret(entry, f"[phones] {user}") for user, entry in given.get("phones", {}).items()
    }
    try:
        exposure = _exposure(phone, phones)
        policy = _policy(given.get("policy", {}))
        entrances = _entrances(given)
        campaign = _campaign(given.get("campaign", {}), given.get("retries", {}))
    except (TypeError, ValueError) as error:
        raise PhoneError(str(error)) from None
    by_sip = phone or trunks or phones or not entrances
    return PhoneSetup(
        exposure if by_sip else None,
        tuple(trunks),
        policy,
        float(phone.get("ring_time", 0.0)),
        phone.get("disclosure", False),
        phone.get("consent", False),
        _joined(phone),
        entrances,
        campaign,
        kept,
        metrics or str(given.get("metrics", {}).get("listen", "")),
    )


def _joined(phone: dict[str, Any]) -> bool | None:
    """Read whether recordings go on when callers are joined with others."""
    found = phone.get("record_joined")
    if found is not None and not isinstance(found, bool):
        raise PhoneError(f"[phone] record_joined = {found!r}: write true or false, or leave it out")
    return found


def _entrances(given: dict[str, Any]) -> tuple[Entrance, ...]:
    made: list[Entrance] = []
    for name, kind in (("audiosocket", AudioSocket), ("chan_websocket", ChanWebSocket)):
        if name in given:
            options = dict(given[name])
            check_known(options, {"listen", "allow", "agent", "max_calls"}, f"[{name}]", PhoneError)
            made.append(kind(**options))
    return tuple(made)


def _campaign(given: dict[str, Any], retries: dict[str, Any]) -> Options:
    check_known(retries, {each.name for each in fields(Retries)}, "[retries]", PhoneError)
    known = {each.name for each in fields(Options)} - {"screen", "retries"}
    check_known(given, {*known, "message", "beep"}, "[campaign]", PhoneError)
    options = {key: value for key, value in given.items() if key in known}
    screen = {key: value for key, value in given.items() if key not in known}
    return Options(**options, screen=Screen(**screen), retries=Retries(**retries))


def _exposure(phone: dict[str, Any], phones: dict[str, str]) -> Exposure:
    options = {key: value for key, value in phone.items() if key in _EXPOSURE}
    if "codecs" in options:
        options["codecs"] = tuple(options["codecs"])
    if "srtp" in options:
        options["srtp"] = _srtp(options["srtp"], "[phone]")
    if "rtp" in phone:
        first, last = phone["rtp"]
        options["rtp"] = range(int(first), int(last) + 1)
    server = client = None
    if phone.get("tls_certificate"):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _load(server.load_cert_chain, phone["tls_certificate"])
    if phone.get("tls_authorities"):
        client = ssl.create_default_context()
        _load(client.load_verify_locations, phone["tls_authorities"])
    return Exposure(**options, phones=phones, server_tls=server, client_tls=client)


def _load(load: Any, path: str) -> None:
    try:
        load(path)
    except (OSError, ssl.SSLError) as error:
        raise PhoneError(f"cannot use the certificate in {path}: {error}") from None


def _trunk(entry: dict[str, Any]) -> Trunk:
    name = str(entry.get("name", ""))
    if not name or not entry.get("host"):
        raise PhoneError("each [[trunk]] needs a name and a host")
    where = f"trunk {name!r}"
    known = {each.name for each in fields(Trunk)} - {"credentials"}
    check_known(entry, {*known, "auth_user", "password", "password_env"}, where, PhoneError)
    options = {key: value for key, value in entry.items() if key in known}
    for key in ("allow", "codecs", "refer"):
        if key in options:
            options[key] = tuple(options[key])
    if "srtp" in options:
        options["srtp"] = _srtp(options["srtp"], where)
    if "password" in entry or "password_env" in entry:
        user = str(entry.get("auth_user") or entry.get("user", ""))
        options["credentials"] = Credentials(user, _secret(entry, where))
    try:
        return Trunk(**options)
    except (TypeError, ValueError) as error:
        raise PhoneError(str(error)) from None


def _peers(allow: Sequence[str]) -> Trunk:
    """Return a trunk of whoever calls from some networks; nobody is called over it."""
    try:
        first = ipaddress.ip_network(allow[0], strict=False)
    except ValueError:
        raise PhoneError(
            f"--allow {allow[0]}: give an address or a CIDR, such as 203.0.113.0/24"
        ) from None
    return Trunk("peers", str(first.network_address), transport=None, allow=tuple(allow))


def _secret(entry: dict[str, Any], where: str) -> str:
    if "password_env" in entry:
        value = os.environ.get(str(entry["password_env"]), "")
        if not value:
            raise PhoneError(f"{where}: the environment has no {entry['password_env']}")
        return value
    value = str(entry.get("password", ""))
    if not value:
        raise PhoneError(f"{where}: give password_env (an environment variable) or password")
    return value


def _srtp(text: str, where: str) -> Srtp:
    try:
        return Srtp(text)
    except ValueError:
        raise PhoneError(f"{where}: srtp is off, optional or required, not {text!r}") from None


def _policy(given: dict[str, Any]) -> Policy:
    check_known(given, {"numbers", "per_minute", "hours", "days", "zone"}, "[policy]", PhoneError)
    options = dict(given)
    if "hours" in options:
        begin, end = (time.fromisoformat(str(text)) for text in options["hours"])
        options["hours"] = (begin, end)
    return Policy(**options)
