#!/usr/bin/env python3
"""The service that the http plugin talks to in tests: of our own making, on loopback, of the standard library.

usage: http_server.py FOLDER. Writes FOLDER/http.port, and one line of JSON for each request to FOLDER/got.ndjson. Paths:
/api/echo says what it got; /api/exports (POST) begins an export and gives its id; /api/exports/ID is done;
/api/flaky answers 500 twice, then 200; /api/busy says 429 with Retry-After: 1 once; /api/closed says 401; /api/away redirects;
/api/long sends 2 MiB; /api/hold answers once FOLDER/release is there.
"""
import http.server
import json
import os
import socketserver
import sys
import threading
import time

folder = sys.argv[1]
lock = threading.Lock()
seen = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=None, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def serve(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path = self.path.split("?")[0]
        with lock:
            n = seen[path] = seen.get(path, 0) + 1
            got = {"method": self.command, "path": self.path, "n": n, "headers": {k.lower(): v for k, v in self.headers.items()},
                   "json": json.loads(text) if text[:1] in "{[" and text else None}
            with open(os.path.join(folder, "got.ndjson"), "a") as f:
                f.write(json.dumps(got) + "\n")
        try:
            self.route(path, n, got)
        except OSError:  # the client has gone
            self.close_connection = True

    def route(self, path, n, got):
        if path == "/api/echo":
            self.answer(200, got)
        elif path == "/api/exports" and self.command == "POST":
            self.answer(201, {"id": 41 + n, "state": "queued", "table": got["json"]["table"]})
        elif path.startswith("/api/exports/"):
            self.answer(200, {"state": "done", "result": {"rows": 1234}})
        elif path == "/api/flaky":
            self.answer(200 if n > 2 else 500, {})
        elif path == "/api/busy":
            self.answer(*((200, {}) if n > 1 else (429, {})), Retry_After="1")
        elif path == "/api/closed":
            self.answer(401, {})
        elif path == "/api/away":
            self.answer(302, {}, Location="/api/echo")
        elif path == "/api/long":
            self.answer(200, b"x" * (2 << 20))
        elif path == "/api/hold":
            while not os.path.exists(os.path.join(folder, "release")):
                time.sleep(0.02)
            self.answer(200, {})
        else:
            self.answer(404, {})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = serve

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass  # a client that was cancelled


server = Server(("127.0.0.1", 0), Handler)
with open(os.path.join(folder, "http.tmp"), "w") as f:
    f.write(str(server.server_address[1]))
os.rename(os.path.join(folder, "http.tmp"), os.path.join(folder, "http.port"))
server.serve_forever()
