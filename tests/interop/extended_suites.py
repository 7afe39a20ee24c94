"""The suites of extended.sh, and the summary of what came of them. Each runs as a program of its own: one that hangs or dies takes
no other with it."""

import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "newest"))
import drivers  # noqa: E402
import newest_clients  # noqa: E402

NO_SKIPS = "--no-skips"
# By name: what makes sure that all is there, or raises Unavailable or Broken; the program; what it has to be told.
SUITES = {"tools": (drivers.genuine_jars, "genuine_tools.py", []),
          "connect": (drivers.genuine_jars, "connect_suite.py", []),
          **{name: (client.command, "newest/newest_clients.py", [name])
             for name, client in newest_clients.CLIENTS.items()}}


def run(program, words):
    """(tests run, failed, skipped); what it printed passes through."""
    command = [sys.executable, os.path.join(HERE, program), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = []
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(line)
        status = process.wait()
    text = "".join(said[-30:])
    ran = re.search(r"^Ran (\d+) test", text, re.MULTILINE)
    counts = {word: int(count) for word, count in re.findall(r"(failures|errors|skipped)=(\d+)", text)}
    failed = counts.get("failures", 0) + counts.get("errors", 0)
    if status != 0 and text.rstrip().endswith("no tests"):
        return 0, 0, 0
    return int(ran[1]) if ran else 0, failed or int(status != 0), counts.get("skipped", 0)


def main():
    asked = [word for word in sys.argv[1:] if word != NO_SKIPS]
    names = [word for word in asked if word in SUITES]
    words = [word for word in asked if word not in SUITES]
    totals, summary, absent = [0, 0, 0], [], []
    for name in names or SUITES:
        prepare, program, always = SUITES[name]
        print(f"=== {name}", flush=True)
        try:
            prepare()
        except drivers.Unavailable as reason:
            print(f"extended: SKIPPED {name}: {reason}", flush=True)
            summary.append(f"{name}: SKIPPED: {reason}")
            absent.append(name)
            totals[2] += 1
            continue
        except drivers.Broken as reason:
            print(f"extended: FAILED {name}: {reason}", flush=True)
            summary.append(f"{name}: FAILED: {str(reason).splitlines()[0]}")
            totals[1] += 1
            continue
        began = time.monotonic()
        ran, failed, skipped = run(program, [*always, *words])
        totals = [sum(pair) for pair in zip(totals, (max(0, ran - failed - skipped), failed, skipped))]
        summary.append(f"{name}: {ran} tests, {failed} failed, {skipped} skipped, {time.monotonic() - began:.0f} s")
    print("=== summary", *summary, sep="\n")
    if sum(totals) == 0:
        sys.exit("no tests")
    outcome = f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped"
    if absent:
        outcome += f"; suites skipped: {' '.join(absent)}"
    if totals[0] + totals[1] == 0:
        outcome = f"nothing ran: {outcome}"
    print(outcome, flush=True)
    sys.exit(totals[1] > 0 or (NO_SKIPS in sys.argv and bool(absent)))


if __name__ == "__main__":
    main()
