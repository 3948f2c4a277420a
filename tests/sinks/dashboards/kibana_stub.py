"""As much of Kibana's HTTP API as publishing meets, over a real socket.

It keeps what is written, fills in defaults as Kibana does, and refuses what Kibana refuses: a write
without ``kbn-xsrf``, an unknown version, a rule's id that is no UUID, fixed fields in an update. It
knows nothing of our code. ``faults`` are answered first, one for each request.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
FOLDERS = r"/api/(dashboards|data_views/data_view|alerting/rule)(?:/([^/]+))?"
PASS, GONE = -1, 0
"""Faults: none this time; the connection is closed after the request was carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True, kw_only=True)
class KibanaStub:
    """What it holds, what it was asked, and what it answers first."""

    url: str = ""
    space: str = ""
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    page: tuple[int, bytes] | None = None
    """What it answers to everything when it is another web server."""

    def writes(self) -> list[str]:
        """The requests that change something, without the space."""
        prefix = f"/s/{self.space}" if self.space else ""
        return [
            f"{one.method} {one.path.removeprefix(prefix)}"
            for one in self.asked
            if one.method != "GET"
        ]


@contextlib.contextmanager
def running_stub(
    *,
    space: str = "",
    tls: ssl.SSLContext | None = None,
    page: tuple[int, bytes] | None = None,
) -> Iterator[KibanaStub]:
    """A stub on a free port of the loopback."""
    stub = KibanaStub(space=space, page=page)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, stub)

        def do_PUT(self) -> None:
            answer(self, stub)

        def do_POST(self) -> None:
            answer(self, stub)

        def log_message(self, *_: object) -> None:
            """Nothing: tests say what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stub.url = f"{'http' if tls is None else 'https'}://localhost:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def answer(handler: BaseHTTPRequestHandler, stub: KibanaStub) -> None:
    content = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    asked = Asked(
        method=handler.command,
        path=handler.path,
        headers={name.lower(): value for name, value in handler.headers.items()},
        body=json.loads(content) if content else None,
    )
    stub.asked.append(asked)
    code, headers = stub.faults.pop(0) if stub.faults else (PASS, {})
    status, body = carry_out(asked, stub) if code in {PASS, GONE} else (code, refusal("a fault"))
    if code == GONE:
        handler.close_connection = True
        return
    status, sent = stub.page or (status, json.dumps(body).encode())
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(sent)))
    handler.end_headers()
    handler.wfile.write(sent)


def carry_out(asked: Asked, stub: KibanaStub) -> tuple[int, Any]:
    prefix = f"/s/{stub.space}" if stub.space else ""
    found = re.fullmatch(prefix + FOLDERS, asked.path)
    if found is None:
        return 404, refusal("Not Found")
    if asked.headers.get("elastic-api-version") != "2023-10-31":
        return 400, refusal("no such version")
    folder, key = found.groups()
    if asked.method == "GET":
        kept = stub.stored.get(f"{folder}/{key}")
        return (404, refusal("not found")) if kept is None else (200, wrap(folder, key, kept))
    if asked.headers.get("kbn-xsrf") is None:
        return 400, refusal("Request must contain a kbn-xsrf header.")
    write = {"dashboards": put_dashboard, "data_views/data_view": post_view}
    return write.get(folder, write_rule)(asked, stub, key)


def put_dashboard(asked: Asked, stub: KibanaStub, key: str) -> tuple[int, Any]:
    if asked.method != "PUT":
        return 404, refusal("Not Found")
    is_new = f"dashboards/{key}" not in stub.stored
    panels = [
        {**panel, "config": {"hide_border": False, **panel["config"]}}
        for panel in asked.body["panels"]
    ]
    filled = {"options": {"sync_cursor": True}, **asked.body, "panels": panels}
    stub.stored[f"dashboards/{key}"] = filled
    return (201 if is_new else 200), wrap("dashboards", key, filled)


def post_view(asked: Asked, stub: KibanaStub, key: str | None) -> tuple[int, Any]:
    view = asked.body["data_view"]
    if key is None:
        key = view["id"]
        if f"data_views/data_view/{key}" in stub.stored:
            return 400, refusal(f"Duplicate data view: {view['name']}")
        stub.stored[f"data_views/data_view/{key}"] = {"allowNoIndex": False, **view}
    elif f"data_views/data_view/{key}" not in stub.stored:
        return 404, refusal("not found")
    elif "id" in view:
        return 400, refusal("[request body.data_view.id]: definition for this key is missing")
    else:
        stub.stored[f"data_views/data_view/{key}"] |= view
    return 200, wrap("data_views/data_view", key, stub.stored[f"data_views/data_view/{key}"])


def write_rule(asked: Asked, stub: KibanaStub, key: str) -> tuple[int, Any]:
    name = f"alerting/rule/{key}"
    if asked.method == "POST":
        if UUID.fullmatch(key) is None:
            return 400, refusal("Predefined IDs are not allowed unless the ID is a UUID.")
        if name in stub.stored:
            return 409, refusal(f"{key} exists")
        filled = {"flapping": None, "notify_when": None, **asked.body}
    else:
        if name not in stub.stored:
            return 404, refusal("not found")
        if wrong := {"rule_type_id", "consumer", "enabled"} & asked.body.keys():
            return 400, refusal(f"{wrong}: definition for this key is missing")
        if any("connector_type_id" in action for action in asked.body["actions"]):
            return 400, refusal("connector_type_id: definition for this key is missing")
        filled = {**stub.stored[name], "flapping": None, **asked.body}
    stub.stored[name] = filled
    return 200, filled


def wrap(folder: str, key: str, kept: dict[str, Any]) -> dict[str, Any]:
    if folder == "dashboards":
        return {"id": key, "data": kept, "meta": {"managed": False}}
    return {"data_view": kept} if folder == "data_views/data_view" else kept


def refusal(message: str) -> dict[str, Any]:
    return {"error": "refused", "message": message}
