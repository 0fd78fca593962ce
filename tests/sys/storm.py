#!/usr/bin/env python3
"""storm: many connections post events to a hook, every tenth request a repeat of an earlier one, while the daemon is
killed and started again; at the end each id has one event and each event one run.

usage: storm.py post SOCKET REQUESTS FILE     posts; prints "half" when half is answered; FILE: what was acknowledged
       storm.py check SOCKET FILE             compares that with the events and the runs of the store
A request that was not answered (the daemon died, or 503) is sent again until it is.
"""
import http.client
import json
import random
import sys
import threading
import time

from unix_http import Unix

CONNECTIONS = 8
PATIENCE_S = 120


class Storm:
    def __init__(self, path, requests):
        self.path, self.lock = path, threading.Lock()
        # A tenth repeats one that came at most 50 before: those may well be on their way by another connection.
        dice, fresh = random.Random(requests), 0
        self.todo = []
        for i in range(requests):
            if i % 10 == 9:
                self.todo.append(max(0, fresh - 1 - dice.randrange(50)))
            else:
                self.todo.append(fresh)
                fresh += 1
        self.ids, self.next, self.answered, self.again = fresh, 0, 0, 0
        self.new, self.repeats, self.bad = {}, 0, []
        self.events = {}
        self.sent_again = set()

    def take(self):
        with self.lock:
            if self.next >= len(self.todo):
                return None
            self.next += 1
            return self.todo[self.next - 1]

    def judge(self, n, status, reply):
        with self.lock:
            self.answered += 1
            if self.answered == len(self.todo) // 2:
                print("half", flush=True)
            event = reply.get("event") if isinstance(reply, dict) else None
            if status not in (200, 202) or event is None:
                self.bad.append(f"id {n}: {status} {reply}")
                return
            if self.events.setdefault(n, event) != event:
                self.bad.append(f"id {n}: event {event} and event {self.events[n]}")
            if status == 202:
                self.new[n] = self.new.get(n, 0) + 1
            else:
                self.repeats += 1

    def post(self, conn, n):
        body = json.dumps({"n": n})
        conn.request("POST", "/hooks/in", body, {"Content-Type": "application/json", "X-Id": f"id-{n}"})
        reply = conn.getresponse()
        data = reply.read()
        return reply.status, json.loads(data)

    def work(self):
        conn, until = Unix(self.path), time.monotonic() + PATIENCE_S
        while (n := self.take()) is not None:
            while True:
                try:
                    status, reply = self.post(conn, n)
                    if status != 503:
                        break
                except (OSError, http.client.HTTPException, ValueError):
                    conn.close()
                with self.lock:
                    self.again += 1
                    self.sent_again.add(n)
                if time.monotonic() > until:
                    self.bad.append(f"id {n}: not answered in {PATIENCE_S} s")
                    return
                time.sleep(0.02)
            self.judge(n, status, reply)

    def post_all(self, file):
        threads = [threading.Thread(target=self.work) for _ in range(CONNECTIONS)]
        began = time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        seconds = time.monotonic() - began
        twice = [n for n, k in self.new.items() if k > 1]
        # The first answer to an id says 202, except where it got lost with the daemon.
        never = [n for n in range(self.ids) if n not in self.new and n not in self.sent_again]
        self.bad += [f"id {n}: 202 more than once" for n in twice] + [f"id {n}: never 202" for n in never]
        lost = sum(1 for n in range(self.ids) if n not in self.new)
        if len(self.events) != self.ids:
            self.bad.append(f"{self.ids - len(self.events)} ids without answer")
        if self.repeats != len(self.todo) - self.ids + lost:
            self.bad.append(f"{self.repeats} repeats, not {len(self.todo) - self.ids + lost}")
        print(f"{len(self.todo)} requests of {self.ids} ids by {CONNECTIONS} connections: {len(self.new)} times 202, "
              f"{self.repeats} times 200, sent again {self.again}, {len(self.todo) / seconds:.0f}/s")
        with open(file, "w", encoding="utf-8") as f:
            json.dump(self.events, f)
        return self.bad


def listed(path, noun, more=""):
    conn, after = Unix(path), ""
    while True:
        conn.request("GET", f"/v1/{noun}?limit=1000{more}{after}")
        page = json.loads(conn.getresponse().read())
        yield from page[noun]
        if page["next"] is None:
            return
        after = "&after=" + page["next"]


def ended(path):
    """The runs of dag storm, once none is open."""
    until = time.monotonic() + PATIENCE_S
    while True:
        if not any(True for s in ("queued", "running") for _ in listed(path, "runs", f"&state={s}")):
            return list(listed(path, "runs", "&dag=storm"))
        if time.monotonic() > until:
            sys.exit("storm: the runs do not end")
        time.sleep(0.2)


def check(path, file):
    with open(file, encoding="utf-8") as f:
        acknowledged = {int(n): e for n, e in json.load(f).items()}
    bad, runs = [], ended(path)
    events = {}
    for e in listed(path, "events"):
        if e["verdict"] == "duplicate":
            continue
        if e["id"] in events:
            bad.append(f"event {e['id']} is listed twice")
        events[e["id"]] = e
    # An id's event is the one that was acknowledged, and there is no other.
    stored = {e["id"] for e in events.values()}
    answered = set(acknowledged.values())
    bad += [f"event {e} was acknowledged and is not there" for e in answered - stored]
    bad += [f"event {e} was acknowledged to nobody" for e in stored - answered]
    if len(answered) != len(acknowledged):
        bad.append(f"{len(acknowledged)} ids have {len(answered)} events")
    of_run, keys = {}, {}
    for r in runs:
        keys[r["key"]] = keys.get(r["key"], 0) + 1
        if r["state"] != "succeeded":
            bad.append(f"run {r['id']} is {r['state']}")
    for e in events.values():
        if len(e["runs"]) != 1:
            bad.append(f"event {e['id']} has {len(e['runs'])} runs")
        for run in e["runs"]:
            of_run[run] = of_run.get(run, 0) + 1
    bad += [f"run {r} is of {n} events" for r, n in of_run.items() if n != 1]
    bad += [f"run {r['id']} is of no event" for r in runs if r["id"] not in of_run]
    bad += [f"key {k} has {n} runs" for k, n in keys.items() if n != 1]
    if set(keys) != {str(n) for n in acknowledged}:
        bad.append(f"{len(keys)} keys of {len(acknowledged)} ids")
    print(f"{len(acknowledged)} acknowledged ids, {len(stored)} events, {len(runs)} runs: lost {len(answered - stored)}, "
          f"doubled {sum(n - 1 for n in keys.values())}")
    return bad


if __name__ == "__main__":
    if sys.argv[1] == "post":
        wrong = Storm(sys.argv[2], int(sys.argv[3])).post_all(sys.argv[4])
    else:
        wrong = check(sys.argv[2], sys.argv[3])
    for text in wrong[:20]:
        print("FAILED:", text)
    sys.exit(1 if wrong else 0)
