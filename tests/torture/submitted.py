#!/usr/bin/env python3
"""submitted: a thousand jobs on an HTTP job API under two workers, while daemon, pool and workers are killed.

The API stands in this file: it is a peer of our own making, and proves only what is checked here: one start an
Idempotency-Key, answers that get lost after the start, 503s, jobs that end and are cancelled in their own time.

Checked: jobs started twice 0, outcomes lost 0 (each item succeeded and names the job that the API has under its key),
never more than two workers, a thousand jobs under way at once with a slot free for other work, fsck clean after every
kill of the daemon, cancelled jobs cancelled there. Not covered: power loss; a real cluster is tests/sys/slurm.sh.

usage: submitted.py BUILD [--jobs N] [--kills N] [--seed N] [--bug] [--keep]
--bug: the API forgets its keys; doubled starts must then be found, or this test proves nothing.
"""
import argparse, glob, http.server, json, os, random, shutil, signal, socketserver, subprocess, sys, tempfile, threading, time

CONFIG = "deployment: torture\nworkers: 2\nplugins: [%s]\n"
STEP = """  s:
    foreach: {in: [%s], as: n}
    retry: {attempts: 50, delay: 500ms, backoff: 1}
    task: {plugin: elsewhere, url: "%s", job: '{"seconds": %s, "n": "${n}"}'}
"""


class Api:
    """Jobs by number; every start is written down under its key."""

    def __init__(self, seed, forgets):
        self.lock, self.jobs, self.keys, self.starts = threading.Lock(), {}, {}, {}
        self.random, self.forgets, self.lost, self.refused = random.Random(seed), forgets, 0, 0

    def start(self, key, seconds):
        with self.lock:
            if key in self.keys and not self.forgets:
                return self.keys[key], False
            job = f"j{len(self.jobs) + 1}"
            self.jobs[job] = {"key": key, "ends": time.monotonic() + seconds * self.random.uniform(0.5, 1.5), "cancel": None}
            self.keys[key] = job
            self.starts[key] = self.starts.get(key, 0) + 1
            lose = self.random.random() < 0.1
            self.lost += lose
            return job, lose

    def state(self, job):
        now, j = time.monotonic(), self.jobs[job]
        if j["cancel"] is not None and now >= j["cancel"] and j["cancel"] < j["ends"] + 1:
            return "cancelled", 1000
        if now >= j["ends"]:
            return "done", 0
        return "running", int(min(max((j["ends"] - now) * 1000, 1000), 15000))

    def refuse(self):
        with self.lock:
            self.refused += (no := self.random.random() < 0.05)
            return no


def handler(api):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self, status, body):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            job, lose = api.start(self.headers["Idempotency-Key"], body["seconds"])
            if lose:  # it runs, and nobody hears of it
                self.close_connection = True
                return
            self.answer(200, {"id": job, "after_ms": api.state(job)[1]})

        def do_GET(self):
            if api.refuse():
                return self.answer(503, {})
            state, after = api.state(self.path.rsplit("/", 1)[1])
            return self.answer(200, {"state": state, "after_ms": after})

        def do_DELETE(self):
            job = api.jobs[self.path.rsplit("/", 1)[1]]
            with api.lock:
                job["cancel"] = job["cancel"] or time.monotonic() + 1
            self.answer(200, {})

    return Handler


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, *_):  # a worker that was killed does not read its answer
        pass


class Torture:
    def __init__(self, o):
        self.o, self.random, self.problems, self.daemon = o, random.Random(o.seed), [], None
        self.dir = tempfile.mkdtemp(prefix="sluice-submitted-")
        self.api = Api(o.seed, o.bug)
        self.server = Server(("127.0.0.1", 0), handler(self.api))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self.server.server_port}"
        os.makedirs(self.dir + "/dags")
        os.mkdir(self.dir + "/plugins", 0o755)
        shutil.copy(f"{o.build}/tests/torture/.libs/elsewhere.so", self.dir + "/plugins/")
        shutil.copy(f"{o.build}/plugins/.libs/exec.so", self.dir + "/plugins/")
        self.put("sluice.yaml", CONFIG % (self.dir + "/plugins"))
        items = ", ".join(f"i{n}" for n in range(o.jobs))
        self.put("dags/many.yaml", "dag: many\nsteps:\n" + STEP % (items, url, max(20, o.jobs // 8)))
        self.put("dags/endless.yaml", "dag: endless\nsteps:\n" + STEP % (", ".join(f"e{n}" for n in range(20)), url, 3600))
        self.put("dags/other.yaml", 'dag: other\nsteps:\n  s: {task: {plugin: exec, shell: "true"}}\n')
        self.most_workers = self.most_open = 0

    def put(self, name, text):
        with open(f"{self.dir}/{name}", "w") as f:
            f.write(text)

    def problem(self, text):
        self.problems.append(text)
        print("PROBLEM:", text, flush=True)

    def cli(self, *words):
        r = subprocess.run([f"{self.o.build}/core/cli/sluice", *words], cwd=self.dir, capture_output=True, text=True, timeout=100)
        if r.returncode != 0:
            raise RuntimeError(f"sluice {' '.join(words)}: exit {r.returncode}: {r.stderr[:300]}")
        return json.loads(r.stdout) if r.stdout[:1] in "{[" else r.stdout

    def start(self):
        with open(self.dir + "/log", "a") as log:
            self.daemon = subprocess.Popen([f"{self.o.build}/core/daemon/sluiced"], cwd=self.dir, stdout=log, stderr=log)
        for _ in range(600):
            r = subprocess.run(["curl", "-s", "-m", "5", "--unix-socket", self.dir + "/state/sluice.sock", "http://localhost/readyz"],
                               capture_output=True, text=True)
            if r.stdout.strip() == "ok":
                return
            if self.daemon.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("the daemon did not come up")

    def processes(self, name):
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if os.path.basename(words[0]) in (name.encode(), b"lt-" + name.encode()) and (self.dir + "/state").encode() in words:
                found.append(int(path.split("/")[2]))
        return found

    def kill(self, what):
        if what == "daemon":
            self.daemon.kill()
            self.daemon.wait()
            r = subprocess.run([f"{self.o.build}/core/daemon/sluiced", "--fsck"], cwd=self.dir, capture_output=True, text=True)
            if r.returncode != 0:
                self.problem(f"fsck after a kill: {r.stdout[:400]}{r.stderr[:400]}")
            self.start()
            return
        for pid in self.processes("sluice-" + what)[:1]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def look(self, run):
        """Items under way elsewhere; the workers there are."""
        workers = set(self.processes("sluice-worker"))
        if len(workers) > 2:  # one of them may be dying, or be asked at a start what its plugins are
            time.sleep(0.5)
            workers &= set(self.processes("sluice-worker"))
        self.most_workers = max(self.most_workers, len(workers))
        steps = self.cli("show", run, "-o", "json")["steps"]
        under_way = sum(s["item"] is not None and s["state"] == "running" and s["remote"] is not None for s in steps)
        self.most_open = max(self.most_open, under_way)
        return steps

    def run(self):
        self.start()
        many = self.cli("trigger", "many", "-o", "json")["runs"][0]
        endless = self.cli("trigger", "endless", "-o", "json")["runs"][0]
        for k in range(self.o.kills):
            time.sleep(self.random.uniform(0.3, 2.5))
            self.kill(self.random.choice(["daemon", "worker", "worker", "pool"]) if k else "daemon")
            self.look(many)
            if k == self.o.kills * 2 // 3:
                self.cli("cancel", endless)
        began = time.monotonic()
        self.cli("trigger", "other", "--wait", "-o", "json")
        free = time.monotonic() - began
        until = time.monotonic() + 400
        while time.monotonic() < until and any(self.cli("show", r, "-o", "json")["ended_at"] is None for r in (many, endless)):
            self.look(many)
            time.sleep(1)
        self.judge(self.cli("show", many, "-o", "json"), self.cli("show", endless, "-o", "json"))
        print(f"submitted: {self.o.jobs} jobs, at most {self.most_open} under way at once and {self.most_workers} workers; {self.o.kills} kills, "
              f"{self.api.lost} answers lost, {self.api.refused} polls refused; other work had a slot within {free:.1f} s")

    def judge(self, many, endless):
        twice = sum(n - 1 for n in self.api.starts.values())
        mine = {k: j for k, j in self.api.keys.items() if "/many/" in k}
        extra = len(mine) - self.o.jobs
        lost = [s["item"] for s in many["steps"] if s["item"] is not None and
                (s["state"] != "succeeded" or self.api.jobs[s["outputs"]["job"]]["key"].split("/")[4] != s["item"])]
        if twice or extra > 0:
            self.problem(f"jobs started twice: {twice + max(extra, 0)}")
        if many["state"] != "succeeded" or lost:
            self.problem(f"outcomes lost: {len(lost)}; the run is {many['state']}: {lost[:5]}")
        left = [j for j, v in self.api.jobs.items() if "/endless/" in v["key"] and v["cancel"] is None]
        if endless["state"] != "cancelled" or left:
            self.problem(f"the cancelled run is {endless['state']}, jobs left there: {len(left)}")
        if self.most_workers > 2:
            self.problem(f"{self.most_workers} workers for two slots")
        if self.most_open <= 2:
            self.problem(f"at most {self.most_open} jobs were under way at once: the workers were not free")
        print(f"submitted: jobs started twice {twice + max(extra, 0)}, outcomes lost {len(lost)}")

    def end(self):
        try:
            if self.daemon.poll() is None:
                subprocess.run([f"{self.o.build}/core/cli/sluice", "shutdown", "--cancel"], cwd=self.dir, capture_output=True, timeout=60)
            self.daemon.kill()
            self.daemon.wait()
        finally:
            for pid in self.processes("sluice-pool"):
                os.kill(pid, signal.SIGKILL)
            if not self.o.keep and not self.problems or self.o.bug:
                shutil.rmtree(self.dir, ignore_errors=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build", type=os.path.abspath)
    p.add_argument("--jobs", type=int, default=1000)
    p.add_argument("--kills", type=int, default=40)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--bug", action="store_true")
    p.add_argument("--keep", action="store_true")
    o = p.parse_args()
    print(f"submitted: seed {o.seed}", flush=True)
    t = Torture(o)
    try:
        t.run()
    finally:
        t.end()
    if o.bug:
        found = any("started twice" in text for text in t.problems)
        print("submitted: the planted bug was", "found" if found else "NOT found")
        sys.exit(not found)
    sys.exit(1 if t.problems else 0)


if __name__ == "__main__":
    main()
