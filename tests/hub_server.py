"""A hub on this computer: what the tests of the download ask instead of Hugging Face."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Hub:
    """The server, what it has, and how it misbehaves.

    Attributes
    ----------
    files : dict
        Content by name in the one repository ``someone/some-model``.
    faults : dict
        By name: what happens to the next GETs of it, in order. ``("cut", n)`` closes the
        connection after n bytes, ``("status", n)`` answers so, ``("hang",)`` sends nothing more
        after the headers, ``("say", bytes)`` sends other bytes.
    linked : bool
        Say SHA-256 and commit in headers and redirect to a store, as the hub does for large files.
    ranges, etags : bool
        Whether parts are given out, and whether ETag is said.
    hashes : dict
        What is said instead of the true SHA-256.
    """

    files: dict[str, bytes]
    faults: dict[str, deque[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(deque))
    linked: bool = True
    ranges: bool = True
    etags: bool = True
    hashes: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    redirect: dict[str, str] = field(default_factory=dict)
    head: int = 200
    token: str = ""
    asked: list[Asked] = field(default_factory=list)
    hung: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            def do_HEAD(self) -> None:
                hub.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()

    def gets(self, name: str = "") -> list[Asked]:
        """Return the GETs of a file's content."""
        return [a for a in self.asked if a.method == "GET" and a.path.endswith(f"/store/{name}")]

    def sha256(self, name: str) -> str:
        return self.hashes.get(name) or hashlib.sha256(self.files[name]).hexdigest()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        # a proxy gets whole addresses
        path = unquote(urlsplit(request.path).path)
        self.asked.append(Asked(request.command, path, dict(request.headers)))
        shown = request.headers.get("Authorization", "")
        if self.token and "/store/" not in path and shown != f"Bearer {self.token}":
            send(request, 401)
            return
        if path.startswith("/api/models/"):
            body = json.dumps(
                {
                    "sha": COMMIT,
                    "siblings": [
                        {
                            "rfilename": name,
                            "size": len(data),
                            "lfs": {"sha256": self.sha256(name), "size": len(data)},
                        }
                        for name, data in self.files.items()
                    ],
                }
            ).encode()
            send(request, 200, body, {"Content-Type": "application/json"})
            return
        name = path.rpartition("/")[2]
        if "/resolve/" in path and name in self.redirect:
            send(request, 302, headers={"Location": self.redirect[name]})
        elif name not in self.files:
            send(request, 404)
        elif request.command == "HEAD" and self.head != 200:
            send(request, self.head)
        elif "/resolve/" in path and self.linked:
            size = self.sizes.get(name, len(self.files[name]))
            send(
                request,
                302,
                headers={
                    "X-Repo-Commit": COMMIT,
                    "X-Linked-ETag": f'"{self.sha256(name)}"',
                    "X-Linked-Size": str(size),
                    "Location": f"/store/{name}",
                },
            )
        elif "/resolve/" in path:
            send(request, 307, headers={"Location": f"/store/{name}"})
        else:
            self.give(request, name)

    def give(self, request: BaseHTTPRequestHandler, name: str) -> None:
        """Answer with a file, or a part of it, or a fault."""
        data = self.files[name]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        headers = {"ETag": etag} if self.etags else {}
        if request.command == "HEAD":
            send(request, 200, headers=headers | {"Content-Length": str(len(data))})
            return
        fault = self.faults[name].popleft() if self.faults[name] else ("none",)
        if fault[0] == "status":
            send(request, fault[1], headers=fault[2] if len(fault) > 2 else {})
            return
        if fault[0] == "say":
            data = fault[1]
        status, start = 200, 0
        wanted = request.headers.get("Range", "")
        if wanted and self.ranges and request.headers.get("If-Range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                send(request, 416, headers={"Content-Range": f"bytes */{len(data)}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        request.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(body))}).items():
            request.send_header(key, value)
        request.end_headers()
        if fault[0] in ("cut", "hang"):
            request.wfile.write(body[: fault[1]])
            request.wfile.flush()
            if fault[0] == "hang":
                self.hung.set()
                self.let_go.wait()
            request.close_connection = True
            return
        request.wfile.write(body)


def send(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> None:
    request.send_response(status)
    for key, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
        request.send_header(key, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)
