"""The suites of extended.sh, and the summary of what came of them."""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "newest"))
import drivers  # noqa: E402
import newest_clients  # noqa: E402
import reference_suites  # noqa: E402
import suite_runs  # noqa: E402

NO_SKIPS = "--no-skips"
# By name: what makes sure that all is there, or raises Unavailable or Broken; the program; what it has to be told.
SUITES = {"tools": (drivers.genuine_jars, "genuine_tools.py", []),
          "connect": (drivers.genuine_jars, "connect_suite.py", []),
          "reference": (reference_suites.prepare, "reference_suites.py", []),
          **{name: (client.command, "newest/newest_clients.py", [name])
             for name, client in newest_clients.CLIENTS.items()}}


def main():
    asked = [word for word in sys.argv[1:] if word != NO_SKIPS]
    names = [word for word in asked if word in SUITES]
    words = [word for word in asked if word not in SUITES]
    totals, summary, absent = suite_runs.Counts(), [], []
    for name in names or SUITES:
        prepare, program, always = SUITES[name]
        print(f"=== {name}", flush=True)
        try:
            prepare()
        except drivers.Unavailable as reason:
            print(f"extended: SKIPPED {name}: {reason}", flush=True)
            summary.append(f"{name}: SKIPPED: {reason}")
            absent.append(name)
            totals = totals.plus(suite_runs.Counts(skipped=1))
            continue
        except drivers.Broken as reason:
            print(f"extended: FAILED {name}: {reason}", flush=True)
            summary.append(f"{name}: FAILED: {str(reason).splitlines()[0]}")
            totals = totals.plus(suite_runs.Counts(failed=1))
            continue
        began = time.monotonic()
        counts = suite_runs.run(os.path.join(HERE, program), [*always, *words])
        totals = totals.plus(counts)
        summary.append(f"{name}: {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped, "
                       f"{time.monotonic() - began:.0f} s")
    print("=== summary", *summary, sep="\n")
    if sum(totals) == 0:
        sys.exit("no tests")
    outcome = f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped"
    if absent:
        outcome += f"; suites skipped: {' '.join(absent)}"
    if totals.passed + totals.failed == 0:
        outcome = f"nothing ran: {outcome}"
    print(outcome, flush=True)
    sys.exit(totals.failed > 0 or (NO_SKIPS in sys.argv and bool(absent)))


if __name__ == "__main__":
    main()
