"""Signalling: how a browser's offers become connections and calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from vivavoce.web.live import ASKED, DeskError, LiveCall
from vivavoce.web.sdp import OfferError, read_candidate, read_offer
from vivavoce.web.webrtc import Peer

if TYPE_CHECKING:
    from vivavoce.web.server import CallServer


class Signalling:
    """Answers offers and takes candidates, as pipecat's SmallWebRTC clients send them.

    Args:
        server: Whose calls they are.
    """

    def __init__(self, server: CallServer) -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return what is where."""
        return [
            web.post("/api/offer", self._offer),
            web.patch("/api/offer", self._trickle),
            web.post("/start", self._start),
            web.post("/sessions/{session}/api/offer", self._offer),
            web.patch("/sessions/{session}/api/offer", self._trickle),
        ]

    async def _start(self, request: web.Request) -> web.Response:
        """Begin as pipecat's clients do, which fetch their ICE servers first."""
        claims = self._server.claims(request)
        given = await self._server.body(request) if request.can_read_body else {}
        wished = given.get("body")
        agent = str(wished.get("agent", "")) if isinstance(wished, dict) else ""
        ice = self._server.desk.servers.for_client(time.time(), claims.caller if claims else "call")
        session = agent or next(iter(self._server.desk.agents))
        return web.json_response(
            {"sessionId": session, "iceConfig": {"iceServers": ice["iceServers"]}}
        )

    async def _offer(self, request: web.Request) -> web.Response:
        given = await self._server.body(request)
        asked = given.get("request_data", given.get("requestData"))
        asked = asked if isinstance(asked, dict) else {}
        sdp, name, resume = given.get("sdp"), given.get("pc_id"), asked.get("resume")
        if not isinstance(sdp, str) or given.get("type") != "offer":
            raise DeskError(400, "bad_offer", 'send {"sdp": "…", "type": "offer"}')
        try:
            offer = read_offer(sdp)
            if isinstance(resume, str) and resume:
                live, peer = await self._come_back(request, resume)
            elif isinstance(name, str) and name:
                live = self._server.desk.by_leg(name)
                if given.get("restart_pc"):
                    peer = self._peer()
                    live.line.attach(peer)
                else:
                    leg = live.line.leg
                    if not isinstance(leg, Peer) or leg.closed:
                        text = "that connection is closed: send restart_pc"
                        raise DeskError(404, "no_connection", text)
                    peer = leg
            else:
                session = request.match_info.get("session", "")
                if session in self._server.desk.agents:
                    asked = {"agent": session, **asked}
                live, peer = await self._begin(request, asked)
            try:
                answer = await peer.answer(offer)
            except BaseException:
                if live.conversation is None:
                    await live.hang_up()
                raise
        except OfferError as error:
            raise DeskError(400, "bad_offer", str(error)) from None
        except ConnectionError:
            text = "that connection is closed: send restart_pc"
            raise DeskError(404, "no_connection", text) from None
        return web.json_response(
            {
                "sdp": answer,
                "type": "answer",
                "pc_id": peer.name,
                "call": live.id,
                "agent": live.agent.name,
                "resume": live.resume,
                **live.seat,
            }
        )

    async def _begin(self, request: web.Request, asked: dict[str, Any]) -> tuple[LiveCall, Peer]:
        claims = self._server.claims(request)
        wish = self._server.wish(request, claims, **{key: asked.get(key) for key in ASKED})
        agent = self._server.desk.agent_for(wish)
        self._server.door.spend(claims, agent.name if wish.room else wish.agent, wish.room)
        peer = Peer(self._server.desk.servers, self._server.desk.name)
        try:
            return self._server.desk.begin(peer, wish), peer
        except BaseException:
            if claims is not None:
                self._server.door.used.give_back(claims)
            await peer.close()
            raise

    async def _come_back(self, request: web.Request, resume: str) -> tuple[LiveCall, Peer]:
        wish = self._server.wish(request, None)
        found = await self._server.desk.come_back(resume)
        peer = self._peer()
        try:
            return self._server.desk.go_on(found, peer, wish), peer
        except BaseException:
            await peer.close()
            raise

    def _peer(self) -> Peer:
        return Peer(self._server.desk.servers, self._server.desk.name)

    async def _trickle(self, request: web.Request) -> web.Response:
        given = await self._server.body(request)
        name, rows = given.get("pc_id"), given.get("candidates")
        if not isinstance(name, str) or not isinstance(rows, list):
            raise DeskError(400, "bad_candidates", 'send {"pc_id": "…", "candidates": […]}')
        leg = self._server.desk.by_leg(name).line.leg
        if not isinstance(leg, Peer):
            raise DeskError(404, "no_connection", "that is no WebRTC connection")
        found = []
        complete = False
        for row in rows[:100]:
            text = row.get("candidate") if isinstance(row, dict) else None
            if not isinstance(text, str):
                raise DeskError(400, "bad_candidates", "a candidate has a text: candidate")
            try:
                candidate = read_candidate(text, str(row.get("sdp_mid") or ""))
            except OfferError as error:
                raise DeskError(400, "bad_candidates", str(error)) from None
            if candidate is None:
                complete = True
            else:
                found.append(candidate)
        await leg.add(found, complete=complete)
        return web.json_response({"status": "success"})


def signalling_routes(server: CallServer) -> list[web.RouteDef]:
    """Return what is at `/api/offer` and `/start`."""
    return Signalling(server).routes()
