"""A web server on this machine that serves files as a model host does, well or badly."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Host(ThreadingHTTPServer):
    """Files by path, and how each is spoiled.

    Attributes
    ----------
    files : dict of path → bytes
    manner : dict of path → str
        `cut` (half of it, then the connection closes), `no-length`, `lies` (announces 10 bytes
        and sends all), `redirect:URL`, `status:CODE`; else it is served well, with ranges.
    asked : list of (path, Range or None)
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.manner: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put_repository(self, name: str, files: dict[str, bytes], revision: str = "main") -> str:
        """Serve files as a repository of the hub: at a revision, with hashes of the large ones."""
        commit = hashlib.sha1(name.encode()).hexdigest()
        siblings: list[dict[str, Any]] = []
        for file, content in files.items():
            entry: dict[str, Any] = {"rfilename": file, "size": len(content)}
            if not file.endswith((".json", ".md")):
                sha256 = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(content)}
            siblings.append(entry)
            self.files[f"/{name}/resolve/{commit}/{file}"] = content
        listing = json.dumps({"sha": commit, "siblings": siblings}).encode()
        self.files[f"/api/models/{name}/revision/{revision}"] = listing
        return commit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Host

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        manner = self.server.manner.get(path, "")
        self.server.asked.append((path, self.headers.get("Range")))
        if manner.startswith("redirect:"):
            self._head(302, {"Location": manner.removeprefix("redirect:"), "Content-Length": "0"})
        elif manner.startswith("status:") or path not in self.server.files:
            self._head(int(manner[7:] or 500) if manner else 404, {"Content-Length": "0"})
        else:
            self._send(self.server.files[path], manner)

    def _send(self, content: bytes, manner: str) -> None:
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        begin = self._begin(content, etag)
        rest, headers = content[begin:], {"ETag": etag}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if manner != "no-length":
            headers["Content-Length"] = "10" if manner == "lies" else str(len(rest))
        self.close_connection = bool(manner)
        self._head(206 if begin else 200, headers)
        self.wfile.write(rest[: len(rest) // 2] if manner == "cut" else rest)

    def _begin(self, content: bytes, etag: str) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        same = self.headers.get("If-Range") == etag
        return int(asked[1]) if asked and same and int(asked[1]) < len(content) else 0

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


@contextmanager
def serving() -> Iterator[Host]:
    """Run a host while a test lasts."""
    with Host() as host:
        thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield host
        finally:
            host.shutdown()
            thread.join()
