"""What offer and answer agreed on, as the media engine wants it."""

from __future__ import annotations

from vivavoce.phone.media.session import MediaConfig
from vivavoce.phone.media.srtp import Crypto
from vivavoce.phone.sip.sdp import Crypto as SdesKey
from vivavoce.phone.sip.sdp import MediaPlan

G711 = {"PCMU": 0, "PCMA": 8}


def differs(before: MediaPlan, after: MediaPlan) -> bool:
    """Whether a change of plan needs another media session."""

    def essence(plan: MediaPlan) -> tuple[object, ...]:
        return (
            plan.codec.name.upper(),
            plan.codec.payload,
            plan.receive_payload,
            plan.dtmf,
            plan.receive_dtmf,
            plan.ptime,
            plan.send_key and (plan.send_key.suite, plan.send_key.key),
            plan.receive_key and (plan.receive_key.suite, plan.receive_key.key),
        )

    return essence(before) != essence(after)


def media_of(plan: MediaPlan) -> MediaConfig:
    """Return what offer and answer agreed on as the media engine wants it."""
    codecs = {plan.codec.payload: plan.codec.name, plan.receive_payload: plan.codec.name}
    if plan.codec.name.upper() in G711:
        # Some gateways change between the two laws in mid-call, unasked.
        for name, number in G711.items():
            if number not in (plan.dtmf, plan.receive_dtmf):
                codecs.setdefault(number, name)
    secure = plan.send_key is not None and plan.receive_key is not None
    return MediaConfig(
        codecs=codecs,
        remote=plan.remote,
        ptime=plan.ptime / 1000,
        event_type=plan.dtmf,
        heard_event_type=plan.receive_dtmf,
        local_crypto=_crypto(plan.send_key if secure else None),
        remote_crypto=_crypto(plan.receive_key if secure else None),
    )


def _crypto(key: SdesKey | None) -> Crypto | None:
    return None if key is None else Crypto(key.tag, key.suite, key.key)
