"""What http.sh runs: the daemon over its own sockets. Each check prints a line; the first that fails ends it."""
import base64, hashlib, hmac, http.client, json, os, resource, select, shutil, signal, socket, subprocess, sys, tempfile, time

from unix_http import Unix

BUILD = os.environ["SLUICE_BUILD_DIR"]
SLUICED = BUILD + "/core/daemon/sluiced"
KEY = bytes(range(32))
CONFIG = """deployment: test
workers: 2
http: {listen: "127.0.0.1:0", hosts: [sluice.example.jp]}
hooks:
  signed: {scheme: standard-webhooks, secrets: [{file: secret}]}
  open: {scheme: none, id_header: X-Id}
"""
DAG = """dag: hooked
triggers:
  hook: {webhook: signed, body: {n: {type: integer, required: true}}, where: "${event.body.n < 100}"}
concurrency: {max_runs: 4}
steps:
  talk: {task: {plugin: exec, shell: "echo first; sleep 0.5; echo last"}}
"""


def check(what, good, *more):
    if not good:
        print("FAILED:", what, *more)
        raise SystemExit(1)
    print("ok:", what)


class Daemon:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="sluice-http.")
        os.mkdir(self.dir + "/dags")
        os.mkdir(self.dir + "/state", 0o700)
        self.write("sluice.yaml", CONFIG)
        self.write("dags/hooked.yaml", DAG)
        self.write("secret", "whsec_" + base64.b64encode(KEY).decode() + "\n")
        os.chmod(self.dir + "/secret", 0o600)
        self.process = None

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w") as f:
            f.write(text)

    def start(self):
        out = open(self.dir + "/out", "wb")
        self.process = subprocess.Popen([SLUICED, "-c", self.dir + "/sluice.yaml"], cwd=self.dir, stdout=out, stderr=out)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if self.api("GET", "/readyz")[0] == 200:
                    break
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        else:
            print("not ready in time")
        text = open(self.dir + "/out").read()
        if "listening on port " not in text:
            sys.exit("the daemon did not start:\n" + text)
        self.port = int(text.split("listening on port ")[1].split()[0])

    def api(self, method, path, body=None, headers=None):
        c = Unix(self.dir + "/state/sluice.sock")
        return ask(c, method, path, body, headers)

    def tcp(self, method, path, body=None, headers=None):
        return ask(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30), method, path, body, headers)

    def end(self):
        if self.process and self.process.poll() is None:
            try:
                self.api("POST", "/v1/shutdown", {"how": "cancel"})
                self.process.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def ask(c, method, path, body=None, headers=None):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    c.request(method, path, data, dict({"Content-Type": "application/json"} if data is not None else {}, **(headers or {})))
    reply = c.getresponse()
    text = reply.read()
    c.close()
    try:
        return reply.status, json.loads(text)
    except ValueError:
        return reply.status, text.decode()


def signed(key, ident, body, at=None):
    at = int(time.time()) if at is None else at
    mac = hmac.new(key, f"{ident}.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": ident, "webhook-timestamp": str(at), "webhook-signature": "v1," + base64.b64encode(mac).decode()}


def events(d):
    return d.api("GET", "/v1/events?limit=1000")[1]["events"]


def wait_run(d, run):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        status, r = d.api("GET", f"/v1/runs/{run}?wait=10")
        if status == 200 and r["state"] in ("succeeded", "failed", "cancelled"):
            return r
    raise SystemExit("run %s does not end" % run)


def hooks(d):
    body = b'{"n": 1}'
    status, first = d.tcp("POST", "/hooks/signed", body, signed(KEY, "msg_1", body))
    check("a signed webhook is 202 and starts a run", status == 202 and first["verdict"] == "started", status, first)
    status, again = d.tcp("POST", "/hooks/signed", body, signed(KEY, "msg_1", body))
    check("its repeat is 200 with the same run", status == 200 and again["runs"] == first["runs"], status, again)
    status, other = d.tcp("POST", "/hooks/signed", b'{"n": 200}', signed(KEY, "msg_2", b'{"n": 200}'))
    check("one that `where` leaves out starts nothing", status == 202 and not other["runs"], status, other)
    check("the run ends well", wait_run(d, first["runs"][0])["state"] == "succeeded")
    before = len(events(d))
    c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=30)
    for i in range(3000):
        c.request("POST", "/hooks/signed", body, dict({"Content-Type": "application/json"},
                  **signed(b"x" * 32 if i % 2 else KEY, f"bad_{i}", body, None if i % 2 else 1)))
        reply = c.getresponse()
        reply.read()
        if reply.status != 401:
            check("a forged or old webhook is 401", False, reply.status)
    check("3,000 forged or old webhooks leave the store as it was", len(events(d)) == before)
    shown = d.api("GET", "/v1/hooks/signed")[1]
    check("they are counted, the last heads kept", shown["refused"] == 3000 and len(shown["last_refused"]) == 16, shown)
    check("a hook of scheme none is closed on TCP", d.tcp("POST", "/hooks/open", {}, {"X-Id": "1"})[0] == 401)
    check("and open on the unix socket", d.api("POST", "/hooks/open", {}, {"X-Id": "1"})[0] == 202)


def durable(d):
    body = b'{"n": 2}'
    status, reply = d.tcp("POST", "/hooks/signed", body, signed(KEY, "msg_kill", body))
    d.process.send_signal(signal.SIGKILL)
    d.process.wait()
    check("202, then kill -9", status == 202)
    d.start()
    check("the event is there after the restart", any(e["id"] == reply["event"] for e in events(d)))
    status, again = d.tcp("POST", "/hooks/signed", body, signed(KEY, "msg_kill", body))
    check("and its repeat is known", status == 200 and again["runs"] == reply["runs"], status, again)
    check("its run ends well", wait_run(d, reply["runs"][0])["state"] == "succeeded")


def tokens(d):
    check("TCP needs a token", d.tcp("GET", "/v1/runs")[0] == 401)
    status, made = d.api("POST", "/v1/tokens", {"name": "ci", "scopes": ["read"]})
    head = {"Authorization": "Bearer " + made["token"]}
    check("a token is made and opens what it names", status == 201 and d.tcp("GET", "/v1/runs", None, head)[0] == 200)
    check("and nothing else", d.tcp("POST", "/v1/dags/hooked/pause", {}, head)[0] == 403)
    check("the list does not show it", made["token"] not in json.dumps(d.api("GET", "/v1/tokens")[1]))
    check("it is revoked", d.api("DELETE", "/v1/tokens/ci")[0] == 200 and d.tcp("GET", "/v1/runs", None, head)[0] == 401)
    check("a foreign Host is refused", d.tcp("GET", "/livez", None, {"Host": "evil.example"})[0] == 421)
    check("a configured Host is taken", d.tcp("GET", "/livez", None, {"Host": "sluice.example.jp"})[0] == 200)


def runs(d):
    head = {"Idempotency-Key": "once"}
    status, a = d.api("POST", "/v1/dags/hooked/runs", {}, head)
    status2, b = d.api("POST", "/v1/dags/hooked/runs", {}, head)
    check("an Idempotency-Key makes one run", (status, status2) == (201, 200) and a["runs"] == b["runs"], status, a, status2, b)
    c = Unix(d.dir + "/state/sluice.sock")
    c.request("GET", f"/v1/runs/{a['runs'][0]}/steps/talk/log?follow=1")
    check("a log is followed to its end", c.getresponse().read() == b"first\nlast\n")
    d.api("POST", "/v1/dags/hooked/pause")
    status, reply = d.api("POST", "/v1/dags/hooked/runs", {})
    check("a paused DAG is 409", status == 409 and reply["code"] == "conflict", status, reply)
    d.api("POST", "/v1/dags/hooked/resume")
    check("an unknown DAG is 404", d.api("POST", "/v1/dags/nope/runs", {})[0] == 404)
    ids = [r["id"] for r in d.api("GET", "/v1/runs")[1]["runs"]]
    pages, after = [], ""
    while True:
        page = d.api("GET", f"/v1/runs?limit=2{after}")[1]
        pages += [r["id"] for r in page["runs"]]
        if page["next"] is None:
            break
        after = "&after=" + page["next"]
    check("pages of two give the same list", pages == ids and len(ids) >= 3, pages, ids)
    check("a run is found by a prefix and by its DAG", all(d.api("GET", "/v1/runs/" + n)[1]["id"] == ids[0] for n in (ids[0][:12], "hooked")))


def read_stream(sock, stop, seconds=20):
    text, until = "", time.monotonic() + seconds
    while stop not in text and time.monotonic() < until:
        if select.select([sock], [], [], 0.2)[0]:
            piece = sock.recv(65536).decode()
            if not piece:
                break
            text += piece
    return text


def open_stream(d, path, last=None):
    s = socket.socket(socket.AF_UNIX)
    s.connect(d.dir + "/state/sluice.sock")
    s.sendall(f"GET {path} HTTP/1.0\r\n{'Last-Event-ID: ' + last + chr(13) + chr(10) if last else ''}\r\n".encode())
    return s


def stream(d):
    s = open_stream(d, "/v1/stream")
    read_stream(s, "retry: ")
    run = d.api("POST", "/v1/dags/hooked/runs", {})[1]["runs"][0]
    of_run = open_stream(d, "/v1/stream?run=" + run)
    text = read_stream(s, '"state":"succeeded","trigger"')
    check("the stream tells a run from start to end", "event: step" in text and run in text)
    logs = read_stream(of_run, "last\\n")
    check("the stream of a run carries its log", "event: log" in logs and "first\\n" in logs, logs)
    first = [line[4:] for line in text.split("\n") if line.startswith("id: ")][0]
    text = read_stream(open_stream(d, "/v1/stream", first), '"state":"succeeded","trigger"')
    check("it resumes behind the last id", "event: reset" not in text and '"state":"succeeded","trigger"' in text)
    text = read_stream(open_stream(d, "/v1/stream", "00000000-7"), "event: reset")
    check("an id of another daemon resets", "event: reset" in text)


def crowd(d):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    n = min(2000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    slow = socket.create_connection(("127.0.0.1", d.port))
    slow.sendall(b"POST /hooks/signed HTTP/1.1\r\nHost: loc")
    began = time.monotonic()
    idle = []
    for _ in range(n):
        idle.append(socket.create_connection(("127.0.0.1", d.port)))
    c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=30)
    check(f"beside {n} open connections a request is answered", ask(c, "GET", "/livez")[0] == 200)
    for i in idle[::2]:
        i.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
    good = sum(read_all(i).count(b"HTTP/1.1 200 OK") == 2 for i in idle[::2])
    check(f"{len(idle[::2])} of them ask twice at once and get two replies", good == len(idle[::2]), good)
    for i in idle:
        i.close()
    slow.settimeout(20)
    text = slow.recv(4096)
    check("a head that does not end is cut after 10 s", b" 408 " in text and 9 < time.monotonic() - began < 15)


def read_all(s):
    text = b""
    s.settimeout(10)
    while text.count(b"ok\n") < 2:
        piece = s.recv(4096)
        if not piece:
            break
        text += piece
    return text


def metrics(d):
    text = d.api("GET", "/metrics")[1]
    check("metrics name what happened", 'sluice_hook_accepted_total{hook="signed"} ' in text, text)
    if shutil.which("promtool"):
        p = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        check("promtool finds nothing", p.returncode == 0, p.stdout, p.stderr)


def stop(d):
    status, _ = d.api("POST", "/v1/shutdown", {"how": "cancel"})
    check("shutdown answers before it happens", status == 200)
    check("and the daemon ends", d.process.wait(20) == 0)
    check("its socket is gone", not os.path.exists(d.dir + "/state/sluice.sock"))


def main():
    d = Daemon()
    try:
        d.start()
        for part in (hooks, durable, tokens, runs, stream, crowd, metrics, stop):
            part(d)
    except BaseException:
        print(open(d.dir + "/out").read()[-3000:])
        raise
    finally:
        d.end()


main()
