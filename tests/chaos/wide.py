#!/usr/bin/python3
"""Ten thousand partitions and a thousand connections, all at work, without one setting: every connection writes into every tenth of
its partitions and reads back, the broker is killed and starts, and stays below 300 MiB.

    tests/chaos/wide.py"""

import os
import resource
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from raw_client import fetch_body  # noqa: E402
from raw_frames import batch, framed, produce_answer, produce_body, request  # noqa: E402
from served_apis import connect, receive  # noqa: E402

PRODUCE, FETCH = 0, 1
TOPICS, PARTITIONS, CONNECTIONS, WRITES = 10, 1000, 1000, 10
MEMORY_MIB, START_SECONDS = 300, 5
# Forty thousand files: what a disk takes for them is not the question here.
MEMORY_DISK, MEMORY_DISK_BYTES = "/dev/shm", 4 << 30


def fail(text):
    sys.exit(f"wide: {text}")


def place(number):
    return f"wide-{number % TOPICS}", number // TOPICS % PARTITIONS


def write_all(connections):
    """Ten rounds; in each, every connection has a request in flight, and no two write into one partition."""
    for turn in range(WRITES):
        for index, connection in enumerate(connections):
            topic, partition = place(index * WRITES + turn)
            body = produce_body(topic, batch([b"%d" % (index * WRITES + turn)]), partition=partition)
            connection.sendall(framed(request(PRODUCE, 7, body)))
        for index, connection in enumerate(connections):
            topic, _ = place(index * WRITES + turn)
            error, _ = produce_answer(receive(connection), topic)
            if error:
                fail(f"a record is refused with error {error}")


def read_all(connections):
    for turn in range(WRITES):
        for index, connection in enumerate(connections):
            connection.sendall(framed(request(FETCH, 4, fetch_body(*place(index * WRITES + turn), 0))))
        for index, connection in enumerate(connections):
            if b"%d" % (index * WRITES + turn) not in receive(connection):
                fail(f"record {index * WRITES + turn} is not where it was acknowledged")


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    if os.path.isdir(MEMORY_DISK) and shutil.disk_usage(MEMORY_DISK).free > MEMORY_DISK_BYTES:
        tempfile.tempdir = MEMORY_DISK
    daemon = brokers.Broker().start()
    try:
        began = time.monotonic()
        for topic in range(TOPICS):
            Admin(daemon.bootstrap).create_topic(f"wide-{topic}", PARTITIONS)
        print(f"wide: {TOPICS * PARTITIONS} partitions made in {time.monotonic() - began:.1f} s", flush=True)
        most = 0
        for life in range(2):
            connections = [connect(daemon.bootstrap) for _ in range(CONNECTIONS)]
            began = time.monotonic()
            if life == 0:
                write_all(connections)
            read_all(connections)
            most = max(most, daemon.resident_kib() // 1024)
            print(f"wide: {CONNECTIONS} connections served in {time.monotonic() - began:.1f} s, {most} MiB", flush=True)
            for connection in connections:
                connection.close()
            if life == 0:
                daemon.kill()
                daemon.start()
                print(f"wide: ready {1000 * daemon.ready_seconds:.0f} ms after it was killed", flush=True)
                if daemon.ready_seconds > START_SECONDS:
                    fail(f"at most {START_SECONDS} s wanted")
        if most >= MEMORY_MIB:
            fail(f"less than {MEMORY_MIB} MiB wanted")
    finally:
        daemon.close()


if __name__ == "__main__":
    main()
