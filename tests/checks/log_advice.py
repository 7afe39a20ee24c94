#!/usr/bin/python3
"""Each error that a node logs says what to do: it has a field `advice`. What ended a start has it in its reason."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sources  # noqa: E402

EXEMPT = {"could not start"}
CALL = re.compile(r'(?:\.|->)error\(\s*"((?:\\.|[^"\\])*)"')


def without_advice(text):
    """(line, event) of each call that has none; up to its semicolon, of which the house's texts may have some."""
    for match in CALL.finditer(text):
        end = re.compile(r"\);\s*$", re.MULTILINE).search(text, match.end())
        if match.group(1) not in EXEMPT and '{"advice"' not in text[match.end():end.end() if end else None]:
            yield text.count("\n", 0, match.start()) + 1, match.group(1)


def self_test():
    planted = 'log().error("it broke; and how",\n {{"reason", why}});\nlog.error("mended", {{"advice", "go on"}});\nreturn;\n'
    innocent = 'log.error("could not start", {{"reason", why}});\nreturn fail(result.error());\n'
    if list(without_advice(planted)) != [(1, "it broke; and how")] or list(without_advice(innocent)):
        sys.exit("log_advice: self-test: what is planted is not found, or what is innocent is")


def main():
    self_test()
    files = [path for path in sources.tracked_files() if re.match(r"broker/.*\.(cc|h)$", path)]
    calls = sum(len(CALL.findall(sources.read(path))) for path in files)
    problems = [f"{path}:{line}: the error \"{event}\" has no advice" for path in files
                for line, event in without_advice(sources.read(path))]
    for problem in problems:
        print(problem)
    if problems or calls < 10:
        sys.exit(f"log_advice: {len(problems)} problems in {calls} errors")
    print(f"log_advice: all {calls} errors of a node say what to do")


if __name__ == "__main__":
    main()
