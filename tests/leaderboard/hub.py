"""A server on this machine that answers as the Hugging Face hub does, as far as entries need it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REPOSITORY = "someone/dials"


class Hub(ThreadingHTTPServer):
    """One repository, in memory; ``files`` holds it and ``commits`` counts."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.commits = 0
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, value) -> None:
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json")

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        if path == "/":
            self.answer(200)
        elif path.startswith(f"/api/models/{REPOSITORY}/tree/main"):
            self.json(
                [
                    {"type": "file", "path": name, "size": len(blob), "oid": "0" * 40}
                    for name, blob in self.server.files.items()
                ]
            )
        elif path.startswith(start := f"/{REPOSITORY}/resolve/main/"):
            blob = self.server.files.get(path.removeprefix(start))
            if blob is None:
                self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit="0" * 40)
            else:
                tag = f'"{hashlib.sha1(blob).hexdigest()}"'
                self.answer(200, blob, ETag=tag, X_Repo_Commit="0" * 40)
        else:
            self.answer(404, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(path)
        if path == "/api/repos/create":
            self.json({"url": f"{self.server.url}/{REPOSITORY}", "name": REPOSITORY})
        elif path == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif path.endswith("/preupload/main"):
            asked = json.loads(body)["files"]
            self.json(
                {
                    "files": [
                        {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                        for one in asked
                    ]
                }
            )
        elif path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.server.files[line["value"]["path"]] = content
            self.server.commits += 1
            url = f"{self.server.url}/{REPOSITORY}/commit/{'0' * 40}"
            self.json({"success": True, "commitOid": "0" * 40, "commitUrl": url})
        else:
            self.answer(404)

    def log_message(self, *_) -> None:
        """Says nothing."""
