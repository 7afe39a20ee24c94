"""A broker to test against: a real `tidemarkd` on free ports with a temporary folder, started, stopped by SIGTERM or
killed by SIGKILL; or, with TIDEMARK_TEST_BOOTSTRAP=HOST:PORT, one that runs already (it may be genuine Kafka;
TIDEMARK_TEST_DATA_DIR then names its data folder)."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

import ready_line

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("TIDEMARK_BIN", os.path.join(ROOT, "build", "release", "bin"))
FOREIGN = os.environ.get("TIDEMARK_TEST_BOOTSTRAP")
TIDEMARK_ONLY = "Tidemark alone: "
START_SECONDS = 60
STOP_SECONDS = 60


def tidemark_only(reason):
    """Decorates a test, or a class of them, that a broker which somebody else started is not asked: what stands there differs from
    Kafka on purpose, or the test ends its daemon, sets it up, or looks into it."""
    return unittest.skipIf(FOREIGN, TIDEMARK_ONLY + reason)


class BrokerFailed(Exception):
    """The daemon did not start, did not stop, or died; the text ends with its log."""


def rot(segment, position):
    """One bit of a file, as a disk that does not keep its bits."""
    with open(segment, "r+b") as file:
        file.seek(position)
        flipped = bytes([file.read(1)[0] ^ 1])
        file.seek(position)
        file.write(flipped)


def free_port():
    """Below the range that the kernel hands out by itself: a client that calls a dead broker's port again and again would
    otherwise be given that very port one day, talk to itself, and keep it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        lowest = int(file.read().split()[0])
    for _ in range(1000):
        port = random.SystemRandom().randrange(10_000, min(lowest, 32_000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise BrokerFailed("no free port")


class External:
    """A broker that somebody else started."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.data_dir = os.environ.get("TIDEMARK_TEST_DATA_DIR")
        self.is_external = True

    def log_tail(self):
        return ""

    def close(self):
        pass


class Broker:
    """One daemon of our own. `close()` ends it and removes its folder."""

    def __init__(self, options=(), properties=None, wrapper=()):
        """`wrapper`: a command that execs the daemon, e.g. strace -D."""
        self.folder = tempfile.mkdtemp(prefix="tidemark-test.")
        self.data_dir = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        self.wrapper = list(wrapper)
        self.options = list(options)
        for key, value in (properties or {}).items():
            self.options += ["--set", f"{key}={value}"]
        self.listen = "127.0.0.1:0"
        self.http = "127.0.0.1:0"
        self.flags = ["--data-dir", "--listen", "--http"]  # those that settings among the options don't replace
        self.process = None
        self.is_external = False
        self.ready_seconds = None
        self.starts = 0

    @property
    def bootstrap(self):
        return self.listen

    def start(self):
        """Starts and waits for the `ready` line; later starts listen where the first one did."""
        assert self.process is None
        self.starts += 1
        log_path = f"{self.log_path}.{self.starts}"
        began = time.monotonic()
        places = {"--data-dir": self.data_dir, "--listen": self.listen, "--http": self.http}
        flags = [word for flag in self.flags for word in (flag, places[flag])]
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, os.path.join(BIN, "tidemarkd"), *flags, "--log-format", "json", *self.options],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder)
        while True:
            with open(log_path, encoding="utf-8", errors="replace") as log:
                found = ready_line.addresses(log.read())
            if found:
                break
            if self.process.poll() is not None:
                raise BrokerFailed(f"exit status {self.process.returncode} before it was ready\n{self.log_tail()}")
            if time.monotonic() - began > START_SECONDS:
                raise BrokerFailed(f"not ready within {START_SECONDS} s\n{self.log_tail()}")
            time.sleep(0.002)
        self.ready_seconds = time.monotonic() - began
        self.listen, self.http = found
        return self

    def stop(self):
        """SIGTERM; a controlled shutdown ends with exit status 0."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise BrokerFailed(f"still there {STOP_SECONDS} s after SIGTERM\n{self.log_tail()}") from None
        if status != 0:
            raise BrokerFailed(f"exit status {status} after SIGTERM\n{self.log_tail()}")

    def kill(self):
        process, self.process = self.process, None
        if process.poll() is not None:
            raise BrokerFailed(f"died by itself with status {process.returncode}\n{self.log_tail()}")
        process.kill()
        process.wait()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as status:
            user, system = status.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def metric(self, name):
        """Values of a metric, by its labels."""
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {line.split(" ")[0][len(name):]: float(line.split(" ")[1]) for line in lines
                if line.startswith((name + " ", name + "{"))}

    def log_tail(self, lines=40):
        with open(f"{self.log_path}.{self.starts}", encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def close(self):
        if self.process is not None:
            died = self.process.poll()
            self.process.kill()
            self.process.wait()
            self.process = None
            if died is not None:
                raise BrokerFailed(f"the daemon died during the tests with status {died}\n{self.log_tail()}")
        shutil.rmtree(self.folder, ignore_errors=True)


def open_broker(**settings):
    """The broker that the environment names, or a daemon of our own, started."""
    return External(FOREIGN) if FOREIGN else Broker(**settings).start()
