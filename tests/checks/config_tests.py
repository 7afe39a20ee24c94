#!/usr/bin/python3
"""config_tests.py TIDEMARK-CONFIG-REFERENCE: every honoured setting names the test that sets another value and sees the
effect, as `PATH: TEXT`, the path relative to tests/ and the text (a TEST_CASE, a function) standing in that file. A name
that leads nowhere is an error; settings without a name are printed, and there may be no more of them than MISSING_ALLOWED:
lower it whenever one gets its test."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sources  # noqa: E402

MISSING_ALLOWED = 47


def judge(rows, read):
    """rows: (scope, setting, claim); read: the text of a file under tests/, or None. Returns missing names, problems."""
    missing, problems = [], []
    for scope, name, claim in rows:
        if not claim:
            missing.append(f"{scope} {name}")
            continue
        path, separator, text = claim.partition(": ")
        content = read(path) if separator else None
        if content is None:
            problems.append(f"{scope} {name}: `{claim}` names no file under tests/")
        elif not text or text not in content:
            problems.append(f"{scope} {name}: tests/{path} has no `{text}`")
    return missing, problems


def prove_it_sees():
    rows = [("topic", "a", "x.cc: one"), ("topic", "b", "x.cc: two"), ("topic", "c", "y.cc: one"), ("topic", "d", "nothing"),
            ("topic", "e", "")]
    missing, problems = judge(rows, {"x.cc": "TEST_CASE(\"one\")"}.get)
    assert missing == ["topic e"], missing
    assert [problem.split(":")[0] for problem in problems] == ["topic b", "topic c", "topic d"], problems


def read_test(path):
    try:
        return sources.read(os.path.join("tests", path))
    except OSError:
        return None


def main():
    prove_it_sees()
    listed = subprocess.run([sys.argv[1], "--tests"], check=True, stdout=subprocess.PIPE).stdout.decode()
    rows = [line.split("\t") for line in listed.splitlines()]
    missing, problems = judge(rows, read_test)
    for name in missing:
        print(f"no test yet: {name}")
    for problem in problems:
        print(problem)
    print(f"config_tests: {len(rows)} honoured settings, {len(missing)} without a test (at most {MISSING_ALLOWED}), "
          f"{len(problems)} claims that lead nowhere")
    return 1 if problems or len(missing) > MISSING_ALLOWED or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
