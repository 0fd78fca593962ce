"""examples: takes the YAML examples out of the documentation and runs `sluice check` on each; see examples.sh.

A block that is no whole file is made one: extract, transform and load become a step, steps and datasets a DAG, connections a
sluice.yaml. Examples may use the connections, hooks and keys of BASE."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SRC, BUILD = Path(os.environ["SLUICE_SRC_DIR"]), Path(os.environ["SLUICE_BUILD_DIR"])
SLUICE = BUILD / "core/cli/sluice"
BASE = """deployment: example
connections:
  lake: {plugin: lake, root: lake}
  dwh: {plugin: sqlite, path: warehouse.db}
hooks:
  shop-ingest: {scheme: bearer, tokens: [{env: TOKEN}]}
secrets: {pii: {env: PII}}
"""
EXTRACT = "    extract: {plugin: example}\n"
LOAD = "    load: {plugin: exec, shell: cat, mode: append, dataset: example/out}\n"
CONFIG_KEYS = {"connections", "hooks", "secrets", "pools", "notify"}
PIPELINE = ("extract", "transform", "load")


def indent(text, n):
    return "".join(" " * n + line + "\n" if line else "\n" for line in text.splitlines())


def entries(block):
    """The block's top-level entries: (key, text)."""
    parts = re.split(r"(?m)^(?=[a-z_]+:)", block)
    return [(p.split(":")[0], p) for p in parts if re.match(r"[a-z_]+:", p)]


def merged(config):
    """The block's own part of a sluice.yaml and what BASE has besides."""
    for name, text in entries(BASE):
        if not re.search(rf"(?m)^{name}:", config):
            config += text
        elif name == "connections":
            lines = [line for line in text.splitlines()[1:] if not re.search(rf"(?m)^{line.split(':')[0]}:", config)]
            config = re.sub(r"(?m)^connections:\n", lambda m: m.group() + "".join(f"{line}\n" for line in lines), config)
    return config


def files_of(block):
    """What the block is: a list of ("dag" or "config", whole text, sluice.yaml that goes with it)."""
    top = entries(block)
    names = [k for k, _ in top]
    if "deployment" in names:
        return [("config", block, block)]
    keys = CONFIG_KEYS | ({"defaults"} if "notify" in names and "steps" not in names else set())
    config = "".join(t for k, t in top if k in keys and "dag" not in names)
    rest = [(k, t) for k, t in top if not config or k not in keys]
    base, found = BASE, []
    if config:
        base = merged("deployment: example\n" + config)
        found.append(("config", base, base))
    if not rest:
        return found
    if "dag" in names:
        return found + [("dag", block, base)]
    if rest[0][0] in PIPELINE:
        for key, text in rest:
            step = "".join(indent(text, 4) if key == k else d for k, d in zip(PIPELINE, (EXTRACT, "", LOAD)))
            found.append(("dag", "dag: example\nsteps:\n  one:\n" + step, BASE))
    elif "steps" in names:
        found.append(("dag", "dag: example\n" + "".join(t for _, t in rest), base))
    else:
        found.append(("dag", "dag: example\nsteps:\n" + indent(block, 2), BASE))
    return found


def markdown(path):
    return re.findall(r"(?ms)^```yaml\n(.*?)^```", path.read_text())


def manual(path):
    blocks = re.findall(r"(?ms)^\.Bd -literal[^\n]*\n(.*?)^\.Ed", path.read_text())
    blocks = [b.replace("\\&", "").replace("\\-", "-").replace("\\e", "\\") for b in blocks]
    return [b for b in blocks if b.startswith("# check")]


def wrong_types(text):
    """Column types that the kit does not know: they are seen when the file runs, too late for an example."""
    known = set(re.findall(r'\{SLU_[A-Z0-9]+, "([a-z0-9]+)"', (SRC / "core/kit/field.c").read_text()))
    known |= {"json", "timestamp", "timestamp_local"}
    for columns in re.findall(r"columns: \{([^}]*)\}", text):
        for kind in re.findall(r':\s*"?([a-z0-9_]+(?:\([^)]*\))?)', columns):
            if kind not in known and not re.fullmatch(r"decimal\(\d+(,\d+)?\)|timestamp\([A-Za-z_/]+\)", kind):
                yield f"no column type is called {kind}"


def check(kind, text, base):
    """What `sluice check` finds wrong, as lines."""
    if kind == "dag" and any(wrong_types(text)):
        return list(wrong_types(text))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dags").mkdir()
        config, dag = folder / "sluice.yaml", folder / "dags/example.yaml"
        config.write_text(base)
        if kind == "dag":
            dag.write_text(text)
        return run([dag] if kind == "dag" else [], config)


def run(paths, config):
    done = subprocess.run([SLUICE, "check", *paths, "-c", config, "-o", "json"], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, "TOKEN": "t", "PII": "p"})
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return [f"no JSON, exit {done.returncode}: {done.stderr}"]
    found = [f"{Path(f['path']).name}:{e['line']}:{e['column']}: {e['message']} ({e['hint']})"
             for f in report["files"] for e in f["errors"]]
    return found or ([] if report["ok"] and done.returncode == 0 else [f"not ok: {done.stderr}"])


def examples():
    for page in [SRC / "README.md", *sorted(SRC.glob("plugins/*/README.md"))]:
        for block in markdown(page):
            yield page, block
    for page in sorted((SRC / "man").glob("*.[1-9]")):
        for block in manual(page):
            yield page, block


def main():
    bad, good = 0, []
    for page, block in examples():
        for kind, text, base in files_of(block):
            wrong = check(kind, text, base)
            if not wrong:
                good.append((kind, text))
                continue
            bad += 1
            print(f"{page.relative_to(SRC)}: an example does not compile:\n{text}")
            print("\n".join(wrong))
    folders = sorted({p.parent for p in SRC.glob("dags/**/sluice.yaml")})
    for folder in folders:
        wrong = run(sorted(folder.glob("dags/*.yaml")), folder / "sluice.yaml")
        bad += len(wrong)
        print("\n".join(wrong), end="\n" if wrong else "")
    kinds = [k for k, _ in good]
    if kinds.count("dag") < 10 or kinds.count("config") < 2 or not folders:
        print(f"only {len(good)} examples were found: the search is broken")
        bad += 1
    # The check can fail: a wrong key, option, column type, key of sluice.yaml.
    dag = "dag: bug\nsteps:\n  one:\n    task: {plugin: noop, sleep: 1s}\n"
    for kind, text in (("dag", dag.replace("steps", "stepz")), ("dag", dag.replace("sleep", "slep")), ("dag", dag + "# columns: {a: decimal}\n"),
                       ("config", BASE.replace("hooks", "hoks"))):
        if not check(kind, text, text if kind == "config" else BASE):
            print(f"a planted bug went unnoticed:\n{text}")
            bad += 1
    if bad:
        sys.exit(1)
    print(f"{len(good)} examples and {len(folders)} folder(s) of dags/ compile")


main()
