#!/usr/bin/env python3
"""What one step of a chain costs in each process, by counting: processor time, waits, and with --strace system calls.
Counts hold on a busy machine where times do not. Run by hand; needs strace for --strace.

usage: step_cost.py BUILD_DIR [--strace] [--runs N] [noops|procs]...
"""
import collections, glob, os, re, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD, RUNS, STRACE = os.path.abspath(sys.argv[1]), 20, "--strace" in sys.argv
if "--runs" in sys.argv:
    RUNS = int(sys.argv[sys.argv.index("--runs") + 1])
NAMES = [a for a in sys.argv[2:] if a in ("noops", "procs")] or ["noops", "procs"]
sys.argv = ["system.py", BUILD, "none"]
sys.path.insert(0, HERE)
import system


def threads(pid):
    out = {}
    for task in glob.glob(f"/proc/{pid}/task/*"):
        try:
            with open(task + "/comm") as f:
                name = f.read().strip()
            with open(task + "/schedstat") as f:
                ns = int(f.read().split()[0])
            with open(task + "/status") as f:
                text = f.read()
            v = int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.M).group(1))
            n = int(re.search(r"^nonvoluntary_ctxt_switches:\s*(\d+)", text, re.M).group(1))
            out[(task.rsplit("/", 1)[1], name)] = (ns, v, n)
        except OSError:
            pass
    return out


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(x) for x in f.read().split()]


def processes(d):
    pool = system.pool_pids(d.dir + "/state")[0]
    return [("daemon", d.process.pid), ("pool", pool)] + [("worker", w) for w in children(pool)]


def cost(d, name):
    for _ in range(3):
        d.run(name)
    procs = processes(d)
    before = {p: threads(p[1]) for p in procs}
    times = []
    for _ in range(RUNS):
        r = d.run(name)
        times.append(system.at(r["ended_at"]) - system.at(r["queued_at"]))
    steps = 40 * RUNS
    times.sort()
    print(f"{name}: per step, {steps} steps; chain best {times[0]:.0f} ms, median {times[len(times) // 2]:.0f} ms")
    total = 0
    for p in procs:
        after = threads(p[1])
        for key, (ns, v, n) in sorted(after.items()):
            b = before[p].get(key, (0, 0, 0))
            total += ns - b[0]
            print(f"  {p[0]:<7} {key[1]:<16} {(ns - b[0]) / steps / 1000:8.1f} us CPU  {(v - b[1]) / steps:6.2f} waits  {(n - b[2]) / steps:6.2f} preempted")
    print(f"  {'sum':<24} {total / steps / 1000:8.1f} us CPU")


def calls(d, name):
    for _ in range(2):
        d.run(name)
    tracers, procs = [], processes(d)
    for what, pid in procs:
        out = tempfile.NamedTemporaryFile(suffix="." + what)
        t = subprocess.Popen(["strace", "-f", "-qq", "-o", out.name, "-p", str(pid)], stderr=subprocess.DEVNULL)
        tracers.append((what, out, t))
    time.sleep(1.5)
    for _, out, _ in tracers:
        out.truncate(0)
    sizes = [os.path.getsize(o.name) for _, o, _ in tracers]
    for _ in range(5):
        d.run(name)
    for (what, out, t), size in zip(tracers, sizes):
        t.terminate()
        t.wait()
        n = collections.Counter()
        with open(out.name, errors="replace") as f:
            for line in f:
                line = line.lstrip("\0")
                m = re.match(r"\d+ +([a-z0-9_]+)\(", line)
                if m:
                    n[m.group(1)] += 1
        print(f"  {what:<7} {sum(n.values()) / 200:6.1f} calls: " + ", ".join(f"{k} {v / 200:.2f}" for k, v in n.most_common() if v >= 10))
        if os.environ.get("KEEP"):
            subprocess.run(["cp", out.name, f"{os.environ['KEEP']}.{name}.{what}"])


d = system.Daemon({"noops": system.chain_dag("noops", "plugin: noop"),
                   "procs": system.chain_dag("procs", "plugin: exec, command: [\"true\"]")})
try:
    d.start()
    for name in NAMES:
        cost(d, name)
        if STRACE:
            calls(d, name)
finally:
    d.end()
