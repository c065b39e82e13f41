"""A hub on 127.0.0.1 that speaks as much of the protocol as publishing needs, and keeps what it is sent."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "c" * 40


@dataclass
class Hub:
    """What is in the repository, and what was asked and stored."""

    files: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str | None] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    refuses: bool = False
    address: str = ""


@contextmanager
def running(repository: str) -> Iterator[Hub]:
    """Serve one model repository."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                parts = []
                while size := int(self.rfile.readline().strip(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def handle_any(self) -> None:
            content = self.body()
            path = self.path.split("?")[0]
            hub.requests.append(f"{self.command} {path}")
            hub.tokens.add(self.headers.get("Authorization"))
            if hub.refuses and "/api/" in path:
                self.answer(
                    403, b'{"error": "You may not write here"}', X_Error_Message="You may not write here"
                )
            elif path.startswith(f"/{repository}/resolve/main/"):
                self.download(path.rsplit("/", 1)[1])
            elif path == "/api/validate-yaml":
                self.answer(200, b'{"errors": [], "warnings": []}', Content_Type="application/json")
            elif path == f"/api/models/{repository}/preupload/main":
                files = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(".parquet") else "regular",
                        "shouldIgnore": False,
                    }
                    for file in json.loads(content)["files"]
                ]
                self.answer(200, json.dumps({"files": files}).encode(), Content_Type="application/json")
            elif path == f"/{repository}.git/info/lfs/objects/batch":
                objects = [
                    {**wanted, "actions": {"upload": {"href": f"{hub.address}/store/{wanted['oid']}"}}}
                    for wanted in json.loads(content)["objects"]
                ]
                said = {"transfer": "basic", "objects": objects}
                self.answer(200, json.dumps(said).encode(), Content_Type="application/json")
            elif path.startswith("/store/"):
                hub.stored[path.rsplit("/", 1)[1]] = content
                self.answer(200)
            elif path == f"/api/models/{repository}/commit/main":
                self.commit(content)
            else:
                self.answer(404, X_Error_Code="RepoNotFound")

        def download(self, name: str) -> None:
            if name not in hub.files:
                self.answer(404, X_Error_Code="EntryNotFound")
                return
            found = hub.files[name]
            self.answer(200, found, ETag=f'"{sha256(found).hexdigest()}"', X_Repo_Commit=COMMIT)

        def commit(self, content: bytes) -> None:
            for line in content.splitlines():
                entry = json.loads(line)
                value = entry["value"]
                if entry["key"] == "file":
                    hub.files[value["path"]] = base64.b64decode(value["content"])
                elif entry["key"] == "lfsFile":
                    hub.files[value["path"]] = hub.stored[value["oid"]]
            said = {"commitUrl": f"{hub.address}/{repository}/commit/{COMMIT}", "commitOid": COMMIT}
            self.answer(200, json.dumps(said).encode(), Content_Type="application/json")

        do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815 - as the base class names them

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
