#!/usr/bin/env python3
"""kill_daemon: kill -9 of sluiced at named points of every transaction and at random moments, while clients post
events (a third of them repeated), cancel and rerun, and steps of 0-3 s, some of which fail once, run in the real pool
and workers.

Checked at the end: acknowledged events lost 0, runs doubled 0, attempts begun twice 0 (every begin that a command wrote
down is an attempt of the store, and the other way round), outcomes lost 0, acknowledged cancels forgotten 0, log lines
lost 0, every run ended, fsck clean. With --pools the pool is killed too: then a step may be begun again after `lost`, and
what is checked of it is that no two attempts of a step overlap. Not covered: power loss.

usage: kill_daemon.py BUILD [--cycles N] [--seed N] [--pools] [--mutant NAME] [--self-test] [--keep]
--mutant plants a bug (a build with --enable-fault-injection only) and expects to find it.
"""
import argparse, http.client, json, os, random, shutil, signal, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../sys"))
from unix_http import Unix

POOL_POINTS = [f"{name}-{side}-commit" for name in ("LOST", "UNLEASE") for side in ("before", "after")]
POINTS = [f"{name}-{side}-commit" for name in
          ("T1", "T1tick", "T3", "T4", "DISPATCH", "JUDGE", "CANCEL", "RERUN", "PLANS", "OTHER") for side in ("before", "after")] + \
         ["handover-before-send", "kill-after-send", "handover-after-send", "ack-before-send", "ack-after-send", "hello-after-send"]
CONFIG = """\
deployment: torture
state: state
dags: dags
workers: 12
hooks:
  in: {scheme: none, id_header: X-Id}
"""
STEP = 'echo "$SLUICE_RUN $SLUICE_STEP $SLUICE_ATTEMPT begin $(date +%%s%%N)" >> "%(out)s"; for i in 1 2 3 4 5; do echo "line $i"; done; ' \
       '%(does)s; echo "line 6"; echo "$SLUICE_RUN $SLUICE_STEP $SLUICE_ATTEMPT end $(date +%%s%%N)" >> "%(out)s"'
DAGS = {"fast": ("sleep 0", "sleep 0.01", "sleep 0"), "slow": ("sleep 0.3", "sleep 1", "sleep 3"),
        "flaky": ("sleep 0", 'test "$SLUICE_ATTEMPT" != 1 || exit 1', "sleep 0"), "doomed": ("sleep 5", "sleep 5", "sleep 5")}
LINES = 6
EVENTS_A_CYCLE = 6


def ask(path, method, target, body=None, headers=None, timeout=5):
    c = Unix(path, timeout)
    try:
        c.request(method, target, body, headers or {})
        r = c.getresponse()
        data = r.read()
        return r.status, json.loads(data) if data[:1] in (b"{", b"[") else data
    finally:
        c.close()


class Torture:
    def __init__(self, build, seed, mutant, pools):
        self.build, self.mutant = os.path.abspath(build), mutant
        self.random = random.Random(seed)
        self.dir = tempfile.mkdtemp(prefix="sluice-torture-")
        self.socket = self.dir + "/state/sluice.sock"
        self.out = self.dir + "/out"
        self.acked, self.lock, self.stop = {}, threading.Lock(), False
        self.sent = self.repeats = self.crashes = self.points = self.pool_kills = 0
        self.pools, self.cancelled, self.allowed = pools, set(), 0
        self.problems = []
        version = subprocess.run([self.program("sluiced"), "--version"], capture_output=True, text=True).stdout
        self.injects = "fault-injection" in version
        if mutant and not self.injects:
            sys.exit("kill_daemon: --mutant needs a build with --enable-fault-injection")
        self.write_files()

    def program(self, name):
        return f"{self.build}/core/daemon/{name}"

    def write_files(self):
        os.mkdir(self.dir + "/dags")
        with open(self.dir + "/sluice.yaml", "w") as f:
            f.write(CONFIG)
        for dag, what in DAGS.items():
            steps = {}
            for i, name in enumerate("abc"):
                steps[name] = {"task": {"plugin": "exec", "shell": STEP % {"out": self.out, "does": what[i]}}}
                if i:
                    steps[name]["needs"] = [chr(ord(name) - 1)]
            text = {"dag": dag, "concurrency": {"max_runs": 100}, "retry": {"attempts": 3, "delay": "100ms"},
                    "triggers": {"hook": {"webhook": "in", "body": {"dag": {"type": "string", "required": True}},
                                          "where": "${event.body.dag == '%s'}" % dag}}, "steps": steps}
            with open(f"{self.dir}/dags/{dag}.json", "w") as f:
                json.dump(text, f)

    # ---- clients ----

    def post(self, event):
        dag = "slow" if event % 12 == 0 else "flaky" if event % 5 == 0 else "fast"
        status, reply = ask(self.socket, "POST", "/hooks/in", json.dumps({"dag": dag}),
                            {"Content-Type": "application/json", "X-Id": f"e{event}"})
        if status in (200, 202):
            with self.lock:
                self.acked.setdefault(event, []).append((reply["event"], tuple(reply["runs"])))
        return status in (200, 202)

    def client(self, number):
        r, event = random.Random(number), number
        while not self.stop:
            if event > self.allowed:  # what the workers can do in the time that is left to them
                time.sleep(0.02)
                continue
            try:
                done = self.post(event)
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                done = False
            with self.lock:
                self.sent += 1
            if done and r.random() < 0.3 and not self.stop:
                with self.lock:
                    self.repeats += 1
                continue  # once more, as a sender does that lost the reply
            if done:
                event += 4
            time.sleep(0.05 if done else 0.02)

    def person(self):
        """Starts runs by hand, cancels each of them until that is acknowledged, and reruns runs that succeeded."""
        n = 0
        while not self.stop:
            n += 1
            run = self.until_done("POST", "/v1/dags/doomed/runs", {"Idempotency-Key": f"p{n}"}, (200, 201))
            time.sleep(0.3)
            if run and self.until_done("POST", f"/v1/runs/{run['runs'][0]}/cancel", {}, (200, 409)):
                self.cancelled.add(run["runs"][0])
            try:
                status, reply = ask(self.socket, "GET", "/v1/runs?state=succeeded&limit=5")
                if status == 200 and reply["runs"]:
                    ask(self.socket, "POST", f"/v1/runs/{reply['runs'][-1]['id']}/rerun", '{"steps": ["c"]}',
                        {"Content-Type": "application/json"})
            except (OSError, http.client.HTTPException, ValueError):
                pass

    def until_done(self, method, target, headers, good):
        while not self.stop:
            try:
                status, reply = ask(self.socket, method, target, "{}", dict(headers, **{"Content-Type": "application/json"}))
                if status in good:
                    return reply
            except (OSError, http.client.HTTPException, ValueError):
                pass
            time.sleep(0.03)
        return None

    # ---- the daemon ----

    def start(self, crash=None, plain=False):
        env = dict(os.environ, SLUICE_BUILD_DIR=self.build)
        if self.mutant and not plain:
            env["SLUICE_MUTANT"] = self.mutant
        if crash:
            env["SLUICE_CRASH_AT"] = crash
        with open(self.dir + "/log", "ab") as log:
            return subprocess.Popen([self.program("sluiced"), "-c", self.dir + "/sluice.yaml"], env=env, stderr=log,
                                    stdout=log, cwd=self.dir)

    def ready(self, p, seconds=10):
        until = time.time() + seconds
        while time.time() < until and p.poll() is None:
            try:
                if ask(self.socket, "GET", "/readyz")[0] == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.01)
        return False

    def kill_pool(self):
        for name in os.listdir(self.dir + "/state/pool"):
            if name.endswith(".lock"):
                with open(f"{self.dir}/state/pool/{name}") as f:
                    text = dict(line.strip().split("=", 1) for line in f if "=" in line)
                try:
                    with open(f"/proc/{text['pid']}/cmdline") as f:
                        if self.dir in f.read():
                            os.kill(int(text["pid"]), signal.SIGKILL)
                            self.pool_kills += 1
                except (OSError, KeyError):
                    pass

    def cycle(self):
        point = None
        if self.pools and self.random.random() < 0.4:
            self.kill_pool()
        if self.injects and self.random.random() < 0.6:
            point = f"{self.random.choice(POINTS + (POOL_POINTS if self.pools else []))}:{self.random.choice((1, 1, 1, 2, 4))}"
        p = self.start(point)
        try:
            p.wait(self.random.uniform(0.05, 0.5) if not point else self.random.uniform(0.3, 0.9))
            self.points += 1
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        self.crashes += 1
        if p.returncode != -signal.SIGKILL:
            self.problems.append(f"the daemon ended by itself with {p.returncode}")

    # ---- the end ----

    def list_all(self, noun):
        out, after = [], ""
        while after is not None:
            status, reply = ask(self.socket, "GET", f"/v1/{noun}?limit=1000" + (f"&after={after}" if after else ""),
                                timeout=30)
            assert status == 200, reply
            out += reply[noun]
            after = reply["next"]
        return out

    def wait_for_runs(self, seconds=240):
        until = time.time() + seconds
        while time.time() < until:
            open_runs = [r for r in self.list_all("runs") if r["state"] in ("queued", "running")]
            if not open_runs:
                return True
            time.sleep(0.2)
        self.problems.append(f"{len(open_runs)} runs never ended, e.g. {open_runs[0]['id']}")
        return False

    def check_events(self, runs):
        events = self.list_all("events")
        by_id, of_event = {}, {}
        for e in events:
            if e["verdict"] != "duplicate" and e["external_id"]:
                by_id.setdefault(e["external_id"], []).append(e)
        for r in runs:
            for e in r["trigger"]["events"]:
                of_event.setdefault(e, []).append(r["id"])
        ids = {r["id"] for r in runs}
        lost = [e for e, replies in self.acked.items()
                if f"e{e}" not in by_id or any(run not in ids for _, rs in replies for run in rs)]
        doubled = [k for k, v in by_id.items() if len(v) > 1] + [e for e, v in of_event.items() if len(v) > 1]
        changed = [e for e, replies in self.acked.items() if len(set(replies)) > 1]
        for name, what in (("acknowledged events lost", lost), ("runs doubled", doubled),
                           ("repeats answered otherwise", changed)):
            if what:
                self.problems.append(f"{name}: {len(what)}, e.g. {what[0]}")
        return len(by_id)

    def read_out(self):
        """(run, step) -> {attempt: [begin times, end times]}"""
        steps = {}
        with open(self.out) as f:
            for line in f:
                run, step, attempt, what, at = line.split()
                steps.setdefault((run, step), {}).setdefault(int(attempt), {"begin": [], "end": []})[what].append(int(at))
        return steps

    def check_attempts(self, key, step, attempts, found):
        begins = sorted((b, n) for n, times in attempts.items() for b in times["begin"])
        if any(len(times["begin"]) > 1 for times in attempts.values()):
            found["attempts begun twice"].append(key)
        # A cancelled attempt may be killed before its command's first word.
        if not self.pools and (len(begins) > step["attempt"] or
                               len(begins) < step["attempt"] and step["state"] != "cancelled"):
            found["begun otherwise than the store's attempts"].append(key + (len(begins), step["attempt"]))
        for (at, _), (_, before) in zip(begins[1:], begins):
            if attempts[before]["end"] and attempts[before]["end"][0] > at:
                found["attempts that overlap"].append(key)
        if step["state"] == "succeeded" and not attempts.get(step["attempt"], {"end": []})["end"]:
            found["steps succeeded that never ran to their end"].append(key)

    def check_log(self, run, step, found):
        try:
            with open(f"{self.dir}/state/logs/{run['dag']}/{run['id']}/{step['name']}.{step['attempt']}.log") as f:
                whole = f.read().count("line ") == LINES
        except OSError:
            whole = False
        if not whole:
            found["logs short of lines"].append((run["id"], step["name"]))

    def check_steps(self, runs):
        out, n = self.read_out(), 0
        found = {k: [] for k in ("attempts begun twice", "begun otherwise than the store's attempts",
                                 "attempts that overlap", "steps succeeded that never ran to their end", "outcomes lost",
                                 "cancels forgotten", "logs short of lines")}
        for run in runs:
            if run["state"] != "succeeded" and not (run["dag"] == "doomed" and run["id"] in self.cancelled) and \
               not self.pools and run["dag"] != "doomed":
                found["outcomes lost"].append((run["id"], run["state"]))
            if run["id"] in self.cancelled and run["state"] != "cancelled":
                found["cancels forgotten"].append(run["id"])
            for step in ask(self.socket, "GET", f"/v1/runs/{run['id']}")[1]["steps"]:
                key = (run["id"], step["name"])
                n += len(out.get(key, {}))
                self.check_attempts(key, step, out.get(key, {}), found)
                if step["state"] == "succeeded":
                    self.check_log(run, step, found)
        for name, what in found.items():
            if what:
                self.problems.append(f"{name}: {len(what)}, e.g. {what[0]}")
        return n

    def fsck(self):
        r = subprocess.run([self.program("sluiced"), "-c", self.dir + "/sluice.yaml", "--fsck"], capture_output=True,
                           text=True, env=dict(os.environ, SLUICE_BUILD_DIR=self.build))
        if r.returncode != 0:
            self.problems.append(f"fsck: {r.returncode}: {(r.stdout + r.stderr)[:300]}")

    def finish(self):
        p = self.start(plain=True)
        if not self.ready(p):
            self.problems.append("the last daemon did not get ready")
        else:
            ended = self.wait_for_runs()
            runs = self.list_all("runs")
            n_events, n_steps = self.check_events(runs), self.check_steps(runs) if ended else 0
            print(f"  {self.crashes} crashes ({self.points} at a named point), {self.sent} posts, "
                  f"{self.repeats} deliberate repeats, {len(self.acked)} events acknowledged, {n_events} stored, "
                  f"{len(runs)} runs, {n_steps} attempts, {len(self.cancelled)} cancels acknowledged, "
                  f"{self.pool_kills} pools killed")
        p.terminate()
        p.wait(20)
        self.fsck()
        subprocess.run([f"{self.build}/core/cli/sluice", "shutdown", "--cancel", "-c", self.dir + "/sluice.yaml"],
                       capture_output=True, env=dict(os.environ, SLUICE_BUILD_DIR=self.build))

    def run(self, cycles):
        threads = [threading.Thread(target=self.client, args=(i,), daemon=True) for i in range(4)]
        threads.append(threading.Thread(target=self.person, daemon=True))
        p = self.start(plain=True)  # once in peace, so that the plans are there
        if not self.ready(p):
            self.problems.append("the first daemon did not get ready")
            return
        p.kill()
        p.wait()
        for t in threads:
            t.start()
        for n in range(cycles):
            self.allowed += EVENTS_A_CYCLE
            self.cycle()
            if self.problems:
                break
            if n % 100 == 99:
                self.fsck()
        self.stop = True
        for t in threads:
            t.join()
        self.finish()


def one(args, mutant, cycles):
    t = Torture(args.build, args.seed, mutant, args.pools)
    try:
        t.run(cycles)
    finally:
        if args.keep or (t.problems and not mutant):
            print(f"  kept: {t.dir}")
        else:
            shutil.rmtree(t.dir, ignore_errors=True)
    return t


def main():
    a = argparse.ArgumentParser()
    a.add_argument("build")
    a.add_argument("--cycles", type=int, default=300)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--pools", action="store_true")
    a.add_argument("--mutant")
    a.add_argument("--self-test", action="store_true")
    a.add_argument("--keep", action="store_true")
    args = a.parse_args()
    failed = False
    mutants = [args.mutant] if args.mutant else ["ack-early", "drop-outcome"] if args.self_test else []
    for mutant in mutants:
        print(f"kill_daemon: mutant {mutant}")
        t = one(args, mutant, min(args.cycles, 60))
        print(f"  {'found: ' + t.problems[0] if t.problems else 'NOT FOUND: the harness is blind'}")
        failed = failed or not t.problems
    if not args.mutant:
        print(f"kill_daemon: seed {args.seed}, {args.cycles} cycles")
        t = one(args, None, args.cycles)
        for problem in t.problems:
            print(f"  FAILED: {problem}")
        failed = failed or bool(t.problems)
    print("kill_daemon:", "FAILED" if failed else "ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
