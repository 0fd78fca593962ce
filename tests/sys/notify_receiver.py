#!/usr/bin/env python3
"""What notify.sh and tls_out.sh send to: HTTP and SMTP servers on loopback, of the standard library.

usage: notify_receiver.py FOLDER [CERTIFICATES]. Writes FOLDER/http.port and FOLDER/smtp.port, and one line of JSON for each request or
mail to FOLDER/got.ndjson. The key of the signature is in FOLDER/hook. Paths: /ok takes all; /flaky fails twice; /busy
says 429 with Retry-After once; /gone says 410; /bad says 400; /hold answers once FOLDER/release is there.
SMTP: AUTH PLAIN is offered; the mail for "refused@" is refused with 550. For each NAME.pem (certificate and key) in the
folder CERTIFICATES also HTTPS at NAME.https.port, SMTP that offers STARTTLS at NAME.starttls.port, and SMTP inside TLS
at NAME.smtps.port; GET is answered there with {"ok": true}.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import socketserver
import ssl
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

    def do_GET(self):
        note({"path": self.path})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"ok": true}')
        self.close_connection = True

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

    def encrypt(self):
        self.request = self.server.starttls.wrap_socket(self.request, server_side=True)
        self.setup()

    def handle(self):
        got = {"rcpt": [], "auth": None, "tls": isinstance(self.request, ssl.SSLSocket)}
        self.say("220 test ESMTP")
        while True:
            line = self.rfile.readline().decode(errors="replace").strip()
            verb = line.split(" ")[0].upper()
            if verb in ("", "QUIT"):
                self.say("221 bye")
                return
            if verb == "EHLO":
                self.say("250-test")
                if self.server.starttls and not got["tls"]:
                    self.say("250-STARTTLS")
                self.say("250 AUTH PLAIN")
            elif verb == "STARTTLS" and self.server.starttls:
                self.say("220 go on")
                self.encrypt()
                got["tls"] = True
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


class Server:
    """Each connection in a thread; inside TLS where `tls` is set: the handshake is the thread's, too."""
    daemon_threads = True
    starttls = None
    tls = None

    def finish_request(self, request, client_address):
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that trusts us not hangs up
            super().handle_error(request, client_address)


class Http(Server, socketserver.ThreadingMixIn, http.server.HTTPServer):
    pass


class Mail(Server, socketserver.ThreadingMixIn, socketserver.TCPServer):
    pass


def serve(server, name):
    with open(os.path.join(folder, name + ".tmp"), "w") as f:
        f.write(str(server.server_address[1]))
    os.rename(os.path.join(folder, name + ".tmp"), os.path.join(folder, name))
    server.serve_forever()


def begin(kind, handler, name, **how):
    server = kind(("127.0.0.1", 0), handler)
    for k, v in how.items():
        setattr(server, k, v)
    threading.Thread(target=serve, args=(server, name), daemon=True).start()


for pem in os.listdir(sys.argv[2]) if len(sys.argv) > 2 else []:
    if pem.endswith(".pem"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(sys.argv[2], pem))
        begin(Http, Handler, pem[:-4] + ".https.port", tls=context)
        begin(Mail, Smtp, pem[:-4] + ".starttls.port", starttls=context)
        begin(Mail, Smtp, pem[:-4] + ".smtps.port", tls=context)
begin(Mail, Smtp, "smtp.port")
serve(Http(("127.0.0.1", 0), Handler), "http.port")
