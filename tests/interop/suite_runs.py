"""Runs a suite as a program of its own, so that one that hangs or dies takes no other with it, and counts what came of it."""

import re
import subprocess
import sys
from typing import NamedTuple

import broker as brokers


class Counts(NamedTuple):
    """Of tests. `tidemark_only`: those of `skipped` that a foreign broker is not asked."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    tidemark_only: int = 0

    def plus(self, other):
        return Counts(*map(sum, zip(self, other)))


def run(program, words, **environment):
    """What the program prints passes through."""
    with subprocess.Popen([sys.executable, program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **environment) as process:
        said = []
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(line)
        status = process.wait()
    text = "".join(said)
    if status != 0 and text.rstrip().endswith("no tests"):
        return Counts()
    ran = re.findall(r"^Ran (\d+) test", text, re.MULTILINE)
    verdicts = re.findall(r"^(?:OK|FAILED)\b.*", text, re.MULTILINE)
    counts = {word: int(count) for word, count in re.findall(r"(failures|errors|skipped)=(\d+)", verdicts[-1] if verdicts else "")}
    failed = counts.get("failures", 0) + counts.get("errors", 0) or int(status != 0)
    skipped = counts.get("skipped", 0)
    return Counts(max(0, int(ran[-1]) - failed - skipped) if ran else 0, failed, skipped,
                  len(re.findall(rf"\.\.\. skipped ['\"]{brokers.TIDEMARK_ONLY}", text)))
