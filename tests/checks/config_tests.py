#!/usr/bin/python3
"""config_tests.py TIDEMARK-CONFIG-REFERENCE: every honoured setting names the test that sets another value and sees the
effect, as `PATH: TEXT`, the path relative to tests/ and the text in the name of a TEST_CASE or of a `def` of that file. A name that leads
nowhere is an error, and so is a setting without one."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sources  # noqa: E402

NAMES = re.compile(r'TEST_CASE\(\s*((?:"[^"]*"\s*)+)|def (test_\w+)\(')


def names_of_tests(content):
    return ["".join(re.findall(r'"([^"]*)"', texts)) or function for texts, function in NAMES.findall(content)]


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
        elif not text or not any(test.startswith(text) for test in names_of_tests(content)):
            problems.append(f"{scope} {name}: tests/{path} has no test `{text}`")
    return missing, problems


def prove_it_sees():
    rows = [("topic", "a", "x.cc: one"), ("topic", "b", "x.cc: two"), ("topic", "c", "y.cc: one"), ("topic", "d", "nothing"),
            ("topic", "e", ""), ("topic", "f", "z.py: test_it"), ("topic", "g", "z.py: helper")]
    missing, problems = judge(rows, {"x.cc": "// two\nTEST_CASE(\n    \"o\"\n    \"ne\")",
                                     "z.py": "def test_it(self):\ndef helper():"}.get)
    assert missing == ["topic e"], missing
    assert [problem.split(":")[0] for problem in problems] == ["topic b", "topic c", "topic d", "topic g"], problems


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
    print(f"config_tests: {len(rows)} honoured settings, {len(missing)} without a test, {len(problems)} claims "
          "that lead nowhere")
    return 1 if problems or missing or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
