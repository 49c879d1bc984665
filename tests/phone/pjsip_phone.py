"""A telephone on PJSIP, steered by lines of JSON: run by `pjsip.py`, in an environment of its own.

It imports nothing of ours, for PJSIP is GPL: it is a peer of the tests, never a part of us. One
thread does everything; what is heard and played moves on PJSIP's own clock.

Argument: JSON with `port`, `plays`, `records` (WAVs), and what `_account` reads. Commands on the
standard input, events on the standard output.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

import pjsua2 as pj

HERE = "127.0.0.1"
GIVEN: dict[str, Any] = json.loads(sys.argv[1])
STATES = {
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "early",
    pj.PJSIP_INV_STATE_CONNECTING: "connecting",
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "over",
}


def tell(event: str, **more: object) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


class Log(pj.LogWriter):
    """What PJSIP writes goes to the same output: events are lines of JSON."""

    def write(self, entry: pj.LogEntry) -> None:
        print(entry.msg.rstrip(), flush=True)


class Call(pj.Call):
    def __init__(self, phone: Phone, identity: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone, identity)
        self.phone = phone
        phone.calls.append(self)

    def onCallState(self, _prm: pj.OnCallStateParam) -> None:  # noqa: N802
        info = self.getInfo()
        tell("state", state=STATES.get(info.state, str(info.state)), code=info.lastStatusCode)

    def onCallMediaState(self, _prm: pj.OnCallMediaStateParam) -> None:  # noqa: N802
        info = self.getInfo()  # its list of media lives as long as it does
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            tell("media", status=media.status, direction=media.dir)
            if media.status in {
                pj.PJSUA_CALL_MEDIA_ACTIVE,
                pj.PJSUA_CALL_MEDIA_REMOTE_HOLD,
            }:
                audio = self.getAudioMedia(index)
                if media.dir & pj.PJMEDIA_DIR_ENCODING:
                    self.phone.player.startTransmit(audio)
                if media.dir & pj.PJMEDIA_DIR_DECODING:
                    audio.startTransmit(self.phone.recorder)

    def onDtmfDigit(self, prm: pj.OnDtmfDigitParam) -> None:  # noqa: N802
        tell("key", key=prm.digit)

    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:  # noqa: N802
        tell("transfer", to=prm.dstUri)
        prm.statusCode = 202
        prm.newCall = Call(self.phone)

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:  # noqa: N802
        tell("transferred", code=prm.statusCode, final=prm.finalNotify)
        prm.cont = not prm.finalNotify


class Phone(pj.Account):
    calls: list[Call]
    player: pj.AudioMediaPlayer
    recorder: pj.AudioMediaRecorder

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802
        call = Call(self, prm.callId)
        tell("incoming", of=call.getInfo().remoteUri)
        code = GIVEN.get("answers", 200)
        if code:
            call.answer(_with(code))


def _with(code: int = 0, flag: int | None = None) -> pj.CallOpParam:
    prm = pj.CallOpParam(True)
    prm.statusCode = code
    if flag is not None:
        prm.opt.flag = flag
    prm.opt.videoCount = 0
    return prm


def _account() -> pj.AccountConfig:
    config = pj.AccountConfig()
    kind = "" if GIVEN["transport"] == "udp" else f";transport={GIVEN['transport']}"
    config.idUri = f"sip:alice@{HERE}:{GIVEN['port']}{kind}"
    media = config.mediaConfig
    media.transportConfig.boundAddress = HERE
    media.transportConfig.port = GIVEN["media"]
    media.transportConfig.portRange = 20
    if GIVEN.get("shown"):  # a wrong address in the SDP, as behind a NAT
        media.transportConfig.publicAddress = GIVEN["shown"]
    media.srtpUse = pj.PJMEDIA_SRTP_MANDATORY if GIVEN.get("srtp") else pj.PJMEDIA_SRTP_DISABLED
    media.srtpSecureSignaling = 0
    calls = config.callConfig
    if GIVEN.get("reliable"):
        calls.prackUse = pj.PJSUA_100REL_MANDATORY
    if GIVEN.get("timer"):
        calls.timerUse = pj.PJSUA_SIP_TIMER_REQUIRED
        calls.timerMinSESec = calls.timerSessExpiresSec = 90
    return config


def _do(phone: Phone, command: dict[str, Any]) -> bool:
    """Carry a command out; False when it was the last."""
    what = command["do"]
    if what == "dial":
        flag = pj.PJSUA_CALL_NO_SDP_OFFER if command.get("late") else None
        Call(phone).makeCall(command["to"], _with(flag=flag))
        return True
    if what == "quit":
        return False
    call = phone.calls[command.get("call", 0)]
    if what == "answer":
        call.answer(_with(command["code"]))
    elif what == "hold":
        call.setHold(_with())
    elif what == "resume":
        call.reinvite(_with(flag=pj.PJSUA_CALL_UNHOLD))
    elif what == "update":
        call.update(_with(flag=command.get("flag")))
    elif what == "press":
        call.dialDtmf(command["keys"])
    elif what == "info":
        prm = pj.CallSendDtmfParam()
        prm.method, prm.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, command["keys"]
        call.sendDtmf(prm)
    elif what == "transfer":
        call.xfer(command["to"], _with())
    elif what == "hang up":
        call.hangup(_with(command.get("code", 0)))
    elif what == "dump":
        tell("dump", text=call.dump(True, ""))
    return True


def main() -> None:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    log = Log()
    config.logConfig.writer = log
    config.logConfig.level = config.logConfig.consoleLevel = 4
    config.logConfig.msgLogging = GIVEN.get("messages", 0)
    config.medConfig.clockRate = 8000
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = GIVEN["port"], HERE
    kind = {
        "udp": pj.PJSIP_TRANSPORT_UDP,
        "tcp": pj.PJSIP_TRANSPORT_TCP,
        "tls": pj.PJSIP_TRANSPORT_TLS,
    }[GIVEN["transport"]]
    if GIVEN["transport"] == "tls":
        tls = transport.tlsConfig
        tls.certFile = tls.privKeyFile = GIVEN["certificate"]
        tls.CaListFile = GIVEN["authority"]
        tls.verifyServer = True
        # Its OpenSSL is old: left to itself it would begin with what nobody speaks any more.
        tls.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2
    endpoint.transportCreate(kind, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        wanted = codec.codecId.startswith(GIVEN.get("codec", "PCMU"))
        endpoint.codecSetPriority(codec.codecId, 255 if wanted else 0)
    phone = Phone()
    phone.calls = []
    phone.create(_account())
    phone.player, phone.recorder = pj.AudioMediaPlayer(), pj.AudioMediaRecorder()
    phone.player.createPlayer(
        GIVEN["plays"], 0 if GIVEN.get("again", True) else pj.PJMEDIA_FILE_NO_LOOP
    )
    phone.recorder.createRecorder(GIVEN["records"])
    tell("ready")
    pending, going = b"", True
    while going:
        endpoint.libHandleEvents(10)
        if not select.select([0], [], [], 0)[0]:
            continue
        chunk = os.read(0, 65536)
        *lines, pending = (pending + chunk).split(b"\n")
        going = bool(chunk)
        for line in lines:
            try:
                going = _do(phone, json.loads(line)) and going
            except pj.Error as error:
                tell("error", text=error.info())
    endpoint.hangupAllCalls()
    for _ in range(10):
        endpoint.libHandleEvents(10)
    # Without a second of waiting for the network; the recording is written by it.
    endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)
    sys.stdout.flush()
    os._exit(0)  # what it leaves is the system's: its destructors come in no good order


if __name__ == "__main__":
    main()
