#!/usr/bin/env python3
"""The whole system beside the machine's own limits, in one run: chains, fan-out, event to first instruction, rest, start,
a backfill. What grows with the store is measured by bench_store.

usage: system.py BUILD_DIR [--short] [NAME...]      names: chain fanout event rest ready backfill
Every figure is printed with its floor and the ratio; nothing here passes or fails.
"""
import glob, json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../sys"))
from unix_http import Unix

BUILD = os.path.abspath(sys.argv[1])
SHORT = "--short" in sys.argv
ONLY = [a for a in sys.argv[2:] if not a.startswith("--")]
RAW = os.path.join(BUILD, "tests/bench/raw")
SLUICED = os.path.join(BUILD, "core/daemon/sluiced")
SLUICE = os.path.join(BUILD, "core/cli/sluice")
ENV = dict(os.environ, SLUICE_BUILD_DIR=BUILD)


class Daemon:
    def __init__(self, dags, workers=4, hooks=""):
        self.dir = tempfile.mkdtemp(prefix="sluice-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
        os.mkdir(self.dir + "/dags")
        os.mkdir(self.dir + "/state", 0o700)
        for name, text in dags.items():
            with open(f"{self.dir}/dags/{name}.yaml", "w") as f:
                f.write(text)
            # Not of this moment: the daemon compiles a file again whose time is too young to tell a second change.
            os.utime(f"{self.dir}/dags/{name}.yaml", (time.time() - 60,) * 2)
        with open(self.dir + "/sluice.yaml", "w") as f:
            f.write(f"deployment: bench\nworkers: {workers}\n{hooks}")
        self.process = None
        self.conn = None

    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen([SLUICED, "-c", self.dir + "/sluice.yaml"], env=ENV, cwd=self.dir,
                                        stdout=open(self.dir + "/out", "ab"), stderr=subprocess.STDOUT)
        while True:
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    return (time.monotonic() - began) * 1000
            except OSError:
                self.conn = None
            if self.process.poll() is not None or time.monotonic() - began > 120:
                sys.exit(f"bench: the daemon did not become ready; see {self.dir}/out")
            time.sleep(0.001)

    def call(self, method, path, body=None, headers=None):
        if self.conn is None:
            self.conn = Unix(self.dir + "/state/sluice.sock", 120)
        text = None if body is None else json.dumps(body)
        self.conn.request(method, path, text, dict({"Content-Type": "application/json"}, **(headers or {})))
        reply = self.conn.getresponse()
        data = reply.read()
        try:
            return reply.status, json.loads(data)
        except ValueError:
            return reply.status, data

    def run(self, dag, params=None):
        status, reply = self.call("POST", f"/v1/dags/{dag}/runs", {"params": params or {}})
        if status not in (200, 201):
            sys.exit(f"bench: {dag}: {status} {reply}")
        return self.wait(reply["runs"][0])

    def wait(self, run):
        while True:
            _, r = self.call("GET", "/v1/runs/" + run + "?wait=100")
            if r["state"] in ("succeeded", "failed", "cancelled"):
                if r["state"] != "succeeded":
                    bad = [s for s in r["steps"] if s["state"] == "failed"][:1]
                    sys.exit(f"bench: run {run} {r['state']}: {bad}")
                return r

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        self.conn = None

    def end(self):
        if self.process is not None and self.process.poll() is None:
            subprocess.run([SLUICE, "-c", self.dir + "/sluice.yaml", "shutdown", "--cancel"], env=ENV, capture_output=True)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


def at(text):
    head, ms = text.rstrip("Z").split(".")
    return time.mktime(time.strptime(head, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(ms)


def raw(*args):
    return float(subprocess.run([RAW, *map(str, args)], check=True, capture_output=True, text=True).stdout)


def raw_commits(n):
    d = tempfile.mkdtemp(prefix="sluice-raw.", dir="/var/tmp")
    try:
        return raw("commits", d, n)
    finally:
        shutil.rmtree(d)


def raw_spawn(n, at_once):
    with tempfile.NamedTemporaryFile() as f:
        return raw("spawn", n, at_once, f.name)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def line(name, value, unit, floor_name, floor, ratio, goal):
    print(f"{name:<34} {value:>10.2f} {unit:<8} {floor_name}: {floor:.2f}  ratio {ratio:.2f}  (goal {goal})", flush=True)


def chain_dag(name, step):
    text = f"dag: {name}\nsteps:\n"
    for i in range(40):
        need = f", needs: [s{i - 1}]" if i else ""
        text += f"  s{i}: {{task: {{{step}}}{need}}}\n"
    return text


def bench_chain():
    d = Daemon({"noops": chain_dag("noops", "plugin: noop"), "procs": chain_dag("procs", "plugin: exec, command: [\"true\"]")})
    try:
        d.start()
        for name in ("noops", "procs"):
            d.run(name)
            times, floors, spawns = [], [], []
            for _ in range(5 if SHORT else 15):
                r = d.run(name)
                times.append(at(r["ended_at"]) - at(r["queued_at"]))
                floors.append(raw_commits(40))
                spawns.append(raw_spawn(40, 1))
            t, c, s = statistics.median(times), statistics.median(floors), statistics.median(spawns)
            if name == "noops":
                line("chain of 40 no-op steps", t, "ms", "40 commits", c, t / c, f"<= {1.3 * c + 12:.1f} ms")
            else:
                line("chain of 40 processes", t, "ms", "40 commits + 40 spawns", c + s, t / (c + s), f"<= {1.3 * c + 12 + 1.2 * s:.1f} ms")
    finally:
        d.end()


def bench_fanout():
    sizes = (100, 1000) if SHORT else (100, 1000, 10000)
    text = ("dag: fan\nparams:\n  n: {type: integer, default: 10}\nsteps:\n  s:\n"
            "    foreach: {in: \"${range(params.n)}\"}\n    task: {plugin: exec, command: [\"true\"]}\n")
    workers = 4
    d = Daemon({"fan": text}, workers)
    try:
        d.start()
        d.run("fan")
        for n in sizes:
            r = d.run("fan", {"n": n})
            ms = at(r["ended_at"]) - at(r["started_at"])
            floor = raw_spawn(n, workers)
            line(f"{n} processes, {workers} workers", n / ms * 1000, "steps/s", "spawn loop", n / floor * 1000, floor / ms, ">= 0.80")
    finally:
        d.end()


def bench_event():
    hooks = ("http: {listen: \"127.0.0.1:0\"}\nhooks:\n  in: {scheme: none, id_header: X-Id}\n")
    text = "dag: ev\ntriggers:\n  hook: {webhook: in}\nconcurrency: {max_runs: 8}\nsteps:\n  s: {task: {plugin: noop, stamp: true}}\n"
    d = Daemon({"ev": text}, 4, hooks)
    try:
        d.start()
        waits, commits = [], []
        for i in range(50 if SHORT else 400):
            sent = time.time()
            status, reply = d.call("POST", "/hooks/in", {"n": i}, {"X-Id": str(i)})
            if status != 202:
                sys.exit(f"bench: hook answered {status} {reply}")
            r = d.wait(reply["runs"][0])
            if i >= 10:
                waits.append(r["steps"][0]["outputs"]["at_us"] / 1000 - sent * 1000)
                commits.append(raw_commits(1))
        p50, p99, f50, f99 = (percentile(waits, 50), percentile(waits, 99), percentile(commits, 50), percentile(commits, 99))
        line("event -> first instruction p50", p50, "ms", "1 commit p50", f50, p50 / f50, f"<= {2 * f50 + 1:.2f} ms: two commits")
        line("event -> first instruction p99", p99, "ms", "1 commit p99", f99, p99 / f99, f"<= {f99 + 1:.2f} ms")
    finally:
        d.end()


def anon_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(l for l in f if l.startswith("RssAnon")).split()[1])


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pool_pids(state):
    pids = []
    for stat in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(stat, "rb") as f:
                args = f.read().split(b"\0")
        except OSError:
            continue
        if args[0].endswith(b"sluice-pool") and state.encode() in args:
            pids.append(int(stat.split("/")[2]))
    return pids


def many(n):
    return {f"d{i}": f"dag: d{i}\ntriggers:\n  yearly: {{cron: \"0 0 1 1 *\"}}\nsteps:\n  a: {{task: {{plugin: noop}}}}\n"
            f"  b: {{needs: [a], task: {{plugin: noop}}}}\n  c: {{needs: [b], task: {{plugin: noop}}}}\n" for i in range(n)}


def bench_rest():
    d = Daemon(many(1000))
    try:
        first = d.start()
        d.stop()
        d.start()
        seconds = 10 if SHORT else 60
        time.sleep(2)
        pids = [d.process.pid] + pool_pids(d.dir + "/state")
        before = sum(map(cpu_s, pids))
        time.sleep(seconds)
        cpu = (sum(map(cpu_s, pids)) - before) * 60 / seconds
        mb = sum(map(anon_kb, pids)) / 1024
        print(f"{'at rest with 1,000 DAGs':<34} {mb:>10.2f} MB private ({len(pids)} processes), {cpu:.3f} CPU s a minute  (goal <= 10 MB, <= 0.01)")
        print(f"{'first start, 1,000 new DAGs':<34} {first:>10.2f} ms")
    finally:
        d.end()


def bench_ready():
    for n in (1000,) if SHORT else (1000, 10000):
        d = Daemon(many(n))
        try:
            d.start()
            times, looks = [], []
            for _ in range(5):
                d.stop()
                times.append(d.start())
                looks.append(look_ms(d.dir + "/dags"))
            t, f = statistics.median(times), statistics.median(looks)
            line(f"ready, {n} unchanged DAGs", t, "ms", "a stat of each file", f, t / f, f"<= {50 if n == 1000 else 1000} ms")
        finally:
            d.end()


def look_ms(folder):
    began = time.monotonic()
    for entry in os.scandir(folder):
        os.stat(entry.path)
    return (time.monotonic() - began) * 1000


def bench_backfill():
    n, wide = (500, 16) if SHORT else (10000, 16)
    text = (f"dag: hours\ntimezone: UTC\nconcurrency: {{max_runs: {wide}}}\n"
            "triggers:\n  h: {cron: \"0 * * * *\", covers: {unit: hour, offset: -1}}\nsteps:\n  s: {task: {plugin: noop}}\n")
    d = Daemon({"hours": text})
    try:
        d.start()
        first = 1704067200  # 2024-01-01
        span = [time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(first + 3600 * h)) for h in (0, n - 1)]
        began = time.monotonic()
        status, b = d.call("POST", "/v1/backfills", {"dag": "hours", "from": span[0], "to": span[1], "max_parallel": wide})
        if status not in (200, 201):
            sys.exit(f"bench: backfill answered {status} {b}")
        while b["ended_at"] is None:
            time.sleep(0.05)
            _, b = d.call("GET", "/v1/backfills/" + b["id"])
        seconds = time.monotonic() - began
        if (b["state"], b["succeeded"]) != ("succeeded", n):
            sys.exit(f"bench: the backfill {b}")
        floor = n / raw_commits(n) * 1000
        line(f"backfill of {n} runs, {wide} wide", n / seconds, "runs/s", "bare commits/s", floor, n / seconds / floor, "none; above 1 runs share commits")
    finally:
        d.end()


for name, bench in (("chain", bench_chain), ("fanout", bench_fanout), ("event", bench_event), ("rest", bench_rest), ("ready", bench_ready),
                    ("backfill", bench_backfill)):
    if not ONLY or name in ONLY:
        bench()
