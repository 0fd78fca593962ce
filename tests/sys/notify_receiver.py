#!/usr/bin/env python3
"""What notify.sh sends to: an HTTP server and an SMTP server on loopback, of the standard library.

usage: notify_receiver.py FOLDER. Writes FOLDER/http.port and FOLDER/smtp.port, and one line of JSON for each request or
mail to FOLDER/got.ndjson. The key of the signature is in FOLDER/hook. Paths: /ok takes all; /flaky fails twice; /busy
says 429 with Retry-After once; /gone says 410; /bad says 400; /hold answers once FOLDER/release is there.
SMTP: AUTH PLAIN is offered; the mail for "refused@" is refused with 550.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import socketserver
import sys
import threading
import time

try:
    from standardwebhooks import Webhook
except ImportError:
    Webhook = None

folder = sys.argv[1]
lock = threading.Lock()
seen = {}


def note(what):
    with lock, open(os.path.join(folder, "got.ndjson"), "a") as f:
        f.write(json.dumps(what) + "\n")


def verify(headers, body):
    """True, False, or None where there is no signature. By the reference library where it is installed, too."""
    given = headers.get("webhook-signature")
    if given is None:
        return None
    secret = open(os.path.join(folder, "hook")).read().strip()
    if Webhook is not None:
        try:
            Webhook(secret).verify(body.decode(), {k.lower(): v for k, v in headers.items()})
        except Exception:
            return False
    at = headers["webhook-timestamp"]
    if abs(time.time() - int(at)) > 300:
        return False
    signed = f"{headers['webhook-id']}.{at}.".encode() + body
    mac = hmac.new(base64.b64decode(secret[len("whsec_"):]), signed, hashlib.sha256).digest()
    return hmac.compare_digest("v1," + base64.b64encode(mac).decode(), given)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with lock:
            n = seen[self.path] = seen.get(self.path, 0) + 1
        note({"path": self.path, "id": self.headers.get("webhook-id"), "n": n, "verified": verify(self.headers, body),
              "by": "standardwebhooks" if Webhook is not None else "the standard library",
              "type": self.headers.get("Content-Type"), "token": self.headers.get("Authorization"),
              "body": json.loads(body)})
        status, extra = 200, {}
        if self.path == "/flaky" and n <= 2:
            status = 500
        elif self.path == "/busy" and n == 1:
            status, extra = 429, {"Retry-After": "1"}
        elif self.path == "/gone":
            status = 410
        elif self.path == "/bad":
            status = 400
        elif self.path == "/hold":
            while not os.path.exists(os.path.join(folder, "release")):
                time.sleep(0.02)
        self.send_response(status)
        for k, v in extra.items():
            self.send_header(k, v)
        self.send_header("Content-Length", "0")
        try:
            self.end_headers()
        except OSError:
            pass

    def log_message(self, *args):
        pass


class Smtp(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def mail(self):
        lines = []
        while True:
            line = self.rfile.readline()
            if line in (b".\r\n", b""):
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b"..") else line)

    def handle(self):
        got = {"rcpt": [], "auth": None}
        self.say("220 test ESMTP")
        while True:
            line = self.rfile.readline().decode(errors="replace").strip()
            verb = line.split(" ")[0].upper()
            if verb in ("", "QUIT"):
                self.say("221 bye")
                return
            if verb == "EHLO":
                self.say("250-test")
                self.say("250 AUTH PLAIN")
            elif verb == "AUTH":
                if len(line.split(" ")) < 3:
                    self.say("334 ")
                    line += " " + self.rfile.readline().decode().strip()
                got["auth"] = base64.b64decode(line.split(" ")[-1]).decode()
                self.say("235 ok")
            elif verb == "MAIL":
                got["from"] = line
                self.say("250 ok")
            elif verb == "RCPT" and "refused@" in line:
                self.say("550 no such person")
            elif verb == "RCPT":
                got["rcpt"].append(line)
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                got["mail"] = self.mail().decode()
                note({"path": "smtp", **got})
                self.say("250 taken")
            else:
                self.say("502 what")


class Http(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class Mail(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


def serve(server, name):
    with open(os.path.join(folder, name + ".tmp"), "w") as f:
        f.write(str(server.server_address[1]))
    os.rename(os.path.join(folder, name + ".tmp"), os.path.join(folder, name))
    server.serve_forever()


threading.Thread(target=serve, args=(Mail(("127.0.0.1", 0), Smtp), "smtp.port"), daemon=True).start()
serve(Http(("127.0.0.1", 0), Handler), "http.port")
