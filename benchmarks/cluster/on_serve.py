"""The same echo on Ray Serve. Run by `proxies.py` in an environment of its own: Serve's packages
and pipecat's do not fit in one (grpcio-reflection wants a protobuf that pipecat refuses).

Its first line tells its address, and the processes of Serve's that bytes pass through.
"""

import json
import os
import sys

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # all of Ray on loopback
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import psutil
import ray
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from ray import serve

ANSWER = json.dumps({"sdp": "v=0 " + "a=candidate:1 1 udp 2122260223 127.0.0.1 40000 " * 60})
app = FastAPI()


@serve.deployment(num_replicas=1, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})
@serve.ingress(app)
class Echo:
    """As `echo.py`."""

    @app.post("/api/offer")
    async def offer(self, request: Request) -> Response:
        await request.body()
        return Response(ANSWER, media_type="application/json")

    @app.websocket("/api/ws")
    async def socket(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                await socket.send_bytes(await socket.receive_bytes())
        except WebSocketDisconnect:
            pass

    @app.get("/pid")
    async def pid(self) -> int:
        return os.getpid()


def main() -> None:
    port = int(sys.argv[1])
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80_000_000,
        log_to_driver=False,
        logging_level="ERROR",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": port, "access_log": False})
    serve.run(Echo.bind(), logging_config={"enable_access_log": False})
    family = psutil.Process().children(recursive=True)
    through = {"ray::ProxyActor", "ray::HAProxyManager", "haproxy", "ray::ServeReplica"}
    found = {
        each.pid: each.name()
        for each in family
        if any(each.name().startswith(name[:15]) for name in through)
        or any(name in " ".join(each.cmdline()) for name in through)
    }
    print(
        json.dumps(
            {"url": f"http://127.0.0.1:{port}", "pids": list(found), "names": list(found.values())}
        ),
        flush=True,
    )
    sys.stdin.read()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
