#!/usr/bin/python3
"""A syscall trace of a real daemon: no acks=all answer may leave before the sync that covers its record has returned. The same
trace of a daemon with `acknowledge before sync` planted must show such answers, or this check is blind.

Every request carries a marker of its own, one request at a time. In the trace, for each marker, the order must be: the request is
received; a write that holds the marker (to the journal, or for a large record to its segment) returns; a sync of that file,
begun after the write returned, returns; the answer is sent. strace reports each stop before the thread goes on, so what
depends on a sync's return can only stand after it."""

import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from raw_frames import batch, produce_answer, produce_body, request  # noqa: E402
from served_apis import connect, exchange  # noqa: E402

PRODUCE = 0
REQUESTS = 300
LARGE_EVERY = 50  # these are large enough to bypass the journal
LARGE_BYTES = 600_000
TRACED = ("read,readv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,sync_file_range,"
          "openat,close,io_uring_enter")
RECEIVES = {"read", "readv", "recvfrom", "recvmsg"}
SENDS = {"write", "writev", "sendto", "sendmsg"}
FILE_WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2"}
SYNCS = {"fsync", "fdatasync"}
MARKER = re.compile(r"marker-(\d{6})-")
BEGUN = re.compile(r"^(\d+) +(\w+)\((\d+)<((?:->|[^<>])*)>(.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


def run_daemon(trace_path, options):
    """Produces with acks=all, one request at a time, to several partitions, under strace."""
    strace = ["strace", "-D", "-f", "-yy", "-s", "100000", "-e", f"trace={TRACED}", "-e", "signal=none", "-o", trace_path]
    daemon = brokers.Broker(options, wrapper=strace).start()
    try:
        Admin(daemon.bootstrap).create_topic("traced", 10)
        with connect(daemon.bootstrap) as connection:
            port = connection.getsockname()[1]
            for number in range(REQUESTS):
                value = b"marker-%06d-" % number
                if number % LARGE_EVERY == LARGE_EVERY - 1:
                    value += b"x" * LARGE_BYTES
                frame = request(PRODUCE, 7, produce_body("traced", batch([value]), partition=number % 10), correlation=number)
                error, _ = produce_answer(exchange(connection, frame), "traced")
                if error:
                    sys.exit(f"sync_before_ack: request {number} was answered with error {error}")
        daemon.stop()
    finally:
        daemon.close()
    return port


def await_end_of(trace_path):
    """strace may write on for a moment after the daemon has ended."""
    deadline = time.monotonic() + 20
    while True:
        with open(trace_path, "rb") as file:
            file.seek(max(0, os.path.getsize(trace_path) - 200))
            last = file.read().splitlines()[-1:]
        if last and last[0].endswith(b"+++ exited with 0 +++"):
            return
        if time.monotonic() > deadline:
            sys.exit(f"sync_before_ack: the trace does not end: {last}")
        time.sleep(0.05)


class Trace:
    """Goes through the trace once. A marker moves on: received, written, synced, answered."""

    def __init__(self, port):
        self.client = f":{port}]"
        self.is_client = lambda target: "TCP" in target and target.endswith(self.client)
        self.unfinished = {}
        self.time = 0
        self.waiting = None       # the marker of the request that was received last
        self.received = set()
        self.written = {}         # marker: {file: when the write returned}
        self.synced = set()
        self.answered_early, self.answered = [], 0
        self.synchronous_files = set()

    def line(self, text):
        self.time += 1
        resumed = RESUMED.match(text)
        if resumed:
            begun = self.unfinished.pop(resumed.group(1), None)
            if begun:
                self.returned(*begun, begun[2] + resumed.group(3))
            return
        begun = BEGUN.match(text)
        if not begun:
            opened = re.match(r'^\d+ +openat\(.*"(.*)", (\S+).* = \d+<([^>]*)>', text)
            if opened and re.search(r"O_D?SYNC", opened.group(2)):
                self.synchronous_files.add(opened.group(3))
            return
        thread, call, _, target, rest = begun.groups()
        self.begins(call, target, rest)
        if rest.endswith("<unfinished ...>"):
            self.unfinished[thread] = (call, target, rest, self.time)
        else:
            self.returned(call, target, rest, self.time, rest)

    def begins(self, call, target, rest):
        if call in SENDS and self.is_client(target) and self.waiting is not None:
            self.answered += 1
            if self.waiting not in self.synced:
                self.answered_early.append(self.waiting)
            self.waiting = None

    def returned(self, call, target, _, begun_at, text):
        if re.search(r"= -1 E\w+", text):
            return
        if call in RECEIVES and self.is_client(target):
            for marker in MARKER.findall(text):
                self.waiting = marker
                self.received.add(marker)
        elif call in FILE_WRITES and target.startswith("/"):
            for marker in MARKER.findall(text):
                self.written.setdefault(marker, {})[target] = self.time
                if target in self.synchronous_files or "RWF_DSYNC" in text or "RWF_SYNC" in text:
                    self.synced.add(marker)
        elif call in SYNCS:
            for marker, files in self.written.items():
                if files.get(target, begun_at) < begun_at:
                    self.synced.add(marker)


def judge(options):
    """(answers seen, markers that were answered before their sync)"""
    with tempfile.NamedTemporaryFile(prefix="tidemark-strace.") as file:
        port = run_daemon(file.name, options)
        await_end_of(file.name)
        trace = Trace(port)
        with open(file.name, encoding="latin-1") as lines:
            for text in lines:
                trace.line(text.rstrip("\n"))
    if len(trace.received) != REQUESTS or trace.answered < REQUESTS:
        sys.exit(f"sync_before_ack: the trace shows {len(trace.received)} requests and {trace.answered} answers of {REQUESTS}")
    return trace


def main():
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode != 0:
        sys.exit("sync_before_ack: strace does not work here (ptrace forbidden?)")
    honest = judge([])
    if honest.answered_early:
        sys.exit(f"sync_before_ack: {len(honest.answered_early)} of {REQUESTS} answers left before their sync, first "
                 f"{honest.answered_early[0]}")
    planted = judge(["--plant", "ack-before-sync"])
    if not planted.answered_early:
        sys.exit("sync_before_ack: the planted bug was not seen: this check is blind")
    print(f"sync_before_ack: {REQUESTS} answers, each after the sync that covers it; with the bug planted "
          f"{len(planted.answered_early)} left before")


if __name__ == "__main__":
    main()
