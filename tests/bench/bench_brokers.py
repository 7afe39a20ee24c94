"""The brokers that compare.py measures: a release build of tidemarkd and genuine Apache Kafka, each a process of ours with a
folder of its own."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("TIDEMARK_BIN", os.path.join(ROOT, "build", "release", "bin"))
LOAD = os.environ.get("TIDEMARK_BENCH_LOAD", os.path.join(BIN, "bench-load"))
KAFKA = os.path.join(ROOT, "tests", "interop", "kafka", "kafka.sh")
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A broker or the load on it did not do what it should."""


def require_programs():
    for path in (os.path.join(BIN, "tidemarkd"), LOAD):
        if not os.path.exists(path):
            raise SystemExit(f"compare: {path} is missing: cmake --preset release && cmake --build --preset release")


def kafka_unavailable():
    """Why genuine Kafka cannot be had here; None if it can."""
    done = subprocess.run([KAFKA, "available"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return None if done.returncode == 0 else done.stdout.decode().strip() or "not available"


def log_bytes(folder):
    """Of the partitions' segments; their reserved space does not count."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(".log"):
                continue
            try:
                total += os.stat(os.path.join(path, name)).st_size
            except OSError:
                pass
    return total


class Broker:
    name = ""
    needs_warmup = False

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix=f"tidemark-bench.{self.name}.")
        self.data_dir = os.path.join(self.folder, "data")
        self.bootstrap = f"127.0.0.1:{brokers.free_port()}"
        self.process = None
        self.format_seconds = 0.0

    def command(self):
        raise NotImplementedError

    def launch(self):
        """Starts it and waits for nothing."""
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder)

    def start(self):
        self.launch()
        began = time.monotonic()
        host, port = self.bootstrap.split(":")
        while time.monotonic() - began < 120:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Failed(f"{self.name} does not start\n{self.log_tail()}")

    def pid(self):
        return self.process.pid

    def resident_kib(self):
        with open(f"/proc/{self.pid()}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid()}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def kill(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} died by itself\n{self.log_tail()}")
        self.process.kill()
        self.process.wait()

    def log_tail(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-20:])

    def close(self):
        died = self.process is not None and self.process.poll() is not None
        if self.process is not None and not died:
            self.process.kill()
            self.process.wait()
        if died:
            print(f"compare: {self.name} died by itself; its log ends:\n{self.log_tail()}")
        shutil.rmtree(self.folder, ignore_errors=True)


class Tidemark(Broker):
    name = "tidemark"

    def __init__(self, settings=()):
        super().__init__()
        self.settings = [word for setting in settings for word in ("--set", setting)]

    def command(self):
        return [os.path.join(BIN, "tidemarkd"), "--data-dir", self.data_dir, "--listen", self.bootstrap,
                "--http", "127.0.0.1:0", *self.settings]


class Kafka(Broker):
    """One node with Kafka's default heap of 1 GiB. `kafka.sh run` replaces itself by the JVM."""

    name = "kafka"
    needs_warmup = True

    def __init__(self):
        super().__init__()
        began = time.monotonic()
        subprocess.run([KAFKA, "format", self.folder, self.bootstrap.split(":")[1]], check=True)
        self.format_seconds = time.monotonic() - began

    def command(self):
        return [KAFKA, "run", self.folder]
