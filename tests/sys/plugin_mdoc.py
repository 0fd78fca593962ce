#!/usr/bin/env python3
"""plugin_mdoc: the option tables of the shipped plugins, as mdoc, from `sluice-worker --describe` on standard input. They stand in
sluice-plugin.7 between two marks; man_keys.sh compares.    usage: sluice-worker --describe | plugin_mdoc.py"""

import json
import re
import sys

SHIPPED = ("columns", "csv", "example", "exec", "http", "lake", "noop", "notify", "slurm", "sqlite")


def text(s):
    s = s.replace("\\", "\\e").replace("…", "...")
    s = re.sub(r"(?<=[.]) (?=[A-Z])", "\n", s)
    return "\n".join(("\\&" if line[:1] in ".'" else "") + line for line in s.split("\n"))


def option(o, prefix):
    print(f".It Cm {prefix}{o['name']}")
    line = "one of " + ", ".join(o["choices"]) if o.get("choices") else o["type"]
    if o.get("min") or o.get("max"):
        line += f", {o.get('min', '')} to {o.get('max', '')}"
    line += "; required" if o.get("required") else ""
    line += f"; default {o['default']}" if o.get("default") else ""
    line += "; takes ${...}" if o.get("templated") else ""
    line += "; part of the cursor's identity" if o.get("identity") else ""
    print(text(line[0].upper() + line[1:] + "."))
    print(text(o.get("doc", "")))
    if o.get("excludes"):
        print("Not together with " + ", ".join(o["excludes"]) + ".")
    if o.get("needs"):
        print("Needs " + ", ".join(o["needs"]) + ".")
    for child in o.get("sub", []):
        if child.get("name"):
            option(child, f"{prefix}{o['name']}.")


for plugin in sorted(json.load(sys.stdin)["plugins"], key=lambda p: p["name"]):
    if plugin["name"] not in SHIPPED:
        continue
    print(f".Ss {plugin['name']}")
    for kind in plugin["kinds"]:
        print(text((f"Type {kind['type']}: " if kind["type"] != plugin["name"] else "") + kind["doc"]))
        for role, table in kind["roles"].items():
            print(f".Pp\nAs\n.Cm {role} :")
            promise = table.get("promise", {})
            if promise:
                print("promises " + ", ".join(f"{v} for {k}" for k, v in promise.items()) + ".")
            if not table["options"]:
                print("no options.")
                continue
            print(".Bl -tag -width Ds")
            for o in table["options"]:
                option(o, "")
            print(".El")
