#!/usr/bin/python3
"""config_tests.py TIDEMARK-CONFIG-REFERENCE: every honoured setting names the test that sets another value and sees the
effect, as `PATH: TEXT`, the path relative to tests/ and the text the beginning of the name of a TEST_CASE or of a `def` of that file.
The setting's name has to stand in that test's body, with dots or, as a field's or an argument's name, with underscores. A name that
leads nowhere is an error, and so is a setting without one; the unit tests of config/ see what a value is resolved to, never its effect."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sources  # noqa: E402

BEGINS = re.compile(r'^TEST_CASE\(\s*((?:"[^"]*"\s*)+)|^(?: {4})?def (\w+)\(', re.MULTILINE)
SEES_NO_EFFECT = "unit/config/"


def tests_of(content):
    """(name, body) of each test, and of what is defined between them."""
    found = list(BEGINS.finditer(content))
    ends = [after.start() for after in found[1:]] + [len(content)]
    for test, end in zip(found, ends):
        yield "".join(re.findall(r'"([^"]*)"', test.group(1) or "")) or test.group(2), content[test.end():end]


def is_about(body, setting):
    dotted, joined = re.escape(setting), re.escape(setting.replace(".", "_"))
    return re.search(rf"(?<![\w.]){dotted}(?![\w.])|\b{joined}\b", body) is not None


def judge(rows, read):
    """rows: (scope, setting, claim); read: the text of a file under tests/, or None. Returns missing names, problems."""
    missing, problems = [], []
    for scope, name, claim in rows:
        if not claim:
            missing.append(f"{scope} {name}")
            continue
        path, separator, text = claim.partition(": ")
        content = read(path) if separator else None
        if path.startswith(SEES_NO_EFFECT):
            problems.append(f"{scope} {name}: `{claim}` sees no effect")
            continue
        if content is None:
            problems.append(f"{scope} {name}: `{claim}` names no file under tests/")
            continue
        bodies = [body for test, body in tests_of(content) if text and test.startswith(text)]
        if not bodies:
            problems.append(f"{scope} {name}: tests/{path} has no test `{text}`")
        elif not any(is_about(body, name) for body in bodies):
            problems.append(f"{scope} {name}: `{text}` in tests/{path} does not name it")
    return missing, problems


def prove_it_sees():
    rows = [("topic", "a.ms", "x.cc: one"), ("topic", "b", "x.cc: two"), ("topic", "c", "y.cc: one"), ("topic", "d", "nothing"),
            ("topic", "e", ""), ("topic", "f", "z.py: test_it"), ("topic", "g", "z.py: test_other"), ("topic", "h", "unit/config/x.cc: h"),
            ("topic", "ms", "x.cc: one"), ("topic", "g", "z.py: test_it")]
    missing, problems = judge(rows, {
        "x.cc": '// two\nTEST_CASE(\n    "o"\n    "ne") {\n  of.a_ms = 1;\n}\n', "unit/config/x.cc": 'TEST_CASE("h") {\n  of.h = 1;\n}\n',
        "z.py": 'class Z:\n    def test_it(self):\n        set("f=1")\n\n    def test_g(self):\n        set("g")'}.get)
    assert missing == ["topic e"], missing
    wrong = ["topic b", "topic c", "topic d", "topic g", "topic h", "topic ms", "topic g"]
    assert [problem.split(":")[0] for problem in problems] == wrong, problems


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
