#!/usr/bin/python3
"""Our own suites against genuine Kafka, the reference: one node of it, started for them. What they demand of Tidemark, Kafka has to
answer too, except where a test is `tidemark_only` (broker.py). Run by extended.sh; alone: reference_suites.py [WORD...]"""

import glob
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import broker as brokers
import suite_runs

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "newest"))
import drivers  # noqa: E402

KAFKA_FOLDER = os.path.join(HERE, "kafka")
OTHERS = [os.path.join(HERE, name) for name in ("same_answers.py", "same_group_answers.py", "genuine_tools.py")]
PLUGIN = "ClientMetricsTaker"
PLUGINS = os.path.join(drivers.ROOT, "build", "genuine-kafka-plugins")
# What our suites set on brokers of their own, so that they need not wait.
SETTINGS = {"offsets.topic.num.partitions": 4, "offsets.retention.check.interval.ms": 1000, "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 500, "quota.window.num": 3, "controller.quota.window.num": 2,
            "metric.reporters": PLUGIN}


def prepare():
    jars = drivers.genuine_jars()
    drivers.need("javac", "openjdk-17-jdk-headless")
    if not importlib.util.find_spec("yaml"):
        raise drivers.Unavailable("no yaml here for Python (Debian: python3-yaml)")
    os.makedirs(PLUGINS, exist_ok=True)
    drivers.build(["javac", "-cp", f"{jars}/*", "-d", PLUGINS, f"{PLUGIN}.java"], KAFKA_FOLDER, "javac")


def kafka_version():
    with open(os.path.join(KAFKA_FOLDER, "pom.xml"), encoding="utf-8") as pom:
        return re.search(r"<kafka.version>(.*)</", pom.read())[1]


def run_suites(folder, bootstrap, words):
    """Of each suite: (its name, Counts)."""
    environment = {**os.environ, "TIDEMARK_TEST_BOOTSTRAP": bootstrap, "TIDEMARK_TEST_DATA_DIR": os.path.join(folder, "data")}
    for program in sorted(glob.glob(f"{HERE}/*_test.py") + glob.glob(f"{HERE}/scenarios/*_test.py")) + OTHERS:
        name = os.path.relpath(program, HERE)
        print(f"--- {name}", flush=True)
        yield name, suite_runs.run(program, words, env=environment)


def main():
    try:
        prepare()
    except (drivers.Unavailable, drivers.Broken) as reason:
        sys.exit(f"reference: {reason}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("reference: SIGTERM"))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tidemark-reference.", ignore_cleanup_errors=True) as folder:
        port = str(brokers.free_port())
        settings = [f"{name}={value}" for name, value in SETTINGS.items()]
        try:
            subprocess.run([drivers.KAFKA, "start", folder, port, *settings], check=True, env={**os.environ, "KAFKA_PLUGINS": PLUGINS})
            ran = list(run_suites(folder, f"127.0.0.1:{port}", sys.argv[1:]))
        finally:
            subprocess.run([drivers.KAFKA, "stop", folder], check=False)
    totals = suite_runs.Counts()
    print(f"--- against genuine Kafka {kafka_version()}")
    for name, counts in ran:
        totals = totals.plus(counts)
        if not any(counts) and sys.argv[1:]:
            continue  # none of its tests has such a name
        told = f"{counts.passed} passed, {counts.failed} failed" if counts.passed + counts.failed else "nothing ran"
        print(f"{name}: {told}, {counts.tidemark_only} of Tidemark alone, {counts.skipped - counts.tidemark_only} skipped")
    if sum(totals) == 0:
        sys.exit("no tests")
    # As unittest says it: the same is read of every suite.
    asked = totals.passed + totals.failed
    print(f"Ran {asked + totals.skipped} tests in {time.monotonic() - began:.0f} s: "
          f"{asked} against genuine Kafka {kafka_version()}, {totals.tidemark_only} skipped as Tidemark's alone, "
          f"{totals.skipped - totals.tidemark_only} as more than their client can")
    print(f"{'FAILED' if totals.failed else 'OK'} (failures={totals.failed}, skipped={totals.skipped})")
    sys.exit(totals.failed > 0 or totals.passed == 0)


if __name__ == "__main__":
    main()
