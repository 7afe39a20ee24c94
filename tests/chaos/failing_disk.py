#!/usr/bin/python3
"""A real daemon whose disk fails one sync: strace lets a single fdatasync of each thread return EIO. From then on nothing is
acknowledged, /readyz says no, and the daemon ends by itself with status 1 and says why; started again, it has every
acknowledged record, each once."""

import os
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from raw_frames import batch, produce_answer, produce_body, request  # noqa: E402
from served_apis import connect, exchange  # noqa: E402

PRODUCE = 0
PARTITIONS = 4
FAILING_SYNC = 60  # of each thread; the start needs a few
REQUESTS = 5_000   # far more than it takes
END_SECONDS = 30


def fail(text):
    sys.exit(f"failing_disk: {text}")


def is_ready(http):
    try:
        with urllib.request.urlopen(f"http://{http}/readyz", timeout=10) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        if error.code != 503 or b"offline" not in error.read():
            fail(f"/readyz answers {error.code}")
    except OSError:
        pass  # it has ended already
    return False


def produce_until_refused(daemon):
    """The values that were acknowledged."""
    acknowledged = []
    try:
        with connect(daemon.bootstrap) as connection:
            for number in range(REQUESTS):
                value = b"%06d" % number
                frame = request(PRODUCE, 7, produce_body("sound", batch([value]), partition=number % PARTITIONS), correlation=number)
                error, _ = produce_answer(exchange(connection, frame), "sound")
                if error:
                    return acknowledged
                acknowledged.append(value)
    except (OSError, EOFError):
        return acknowledged
    return fail(f"no sync failed within {REQUESTS} requests")


def read_all(bootstrap):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False})
    values = []
    for partition in range(PARTITIONS):
        place = TopicPartition("sound", partition, 0)
        end = consumer.get_watermark_offsets(place, timeout=20)[1]
        consumer.assign([place])
        for _ in range(end):
            message = consumer.poll(20)
            if message is None or message.error():
                fail(f"partition {partition} cannot be read to its end at {end}")
            values.append(message.value())
    consumer.close()
    return values


def main():
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode != 0:
        fail("strace does not work here (ptrace forbidden?)")
    strace = ["strace", "-D", "-f", "-qq", "-e", "trace=fdatasync", "-e", "signal=none", "-o", "/dev/null",
              "-e", f"inject=fdatasync:error=EIO:when={FAILING_SYNC}"]
    daemon = brokers.Broker(wrapper=strace).start()
    try:
        Admin(daemon.bootstrap).create_topic("sound", PARTITIONS)
        acknowledged = produce_until_refused(daemon)
        if is_ready(daemon.http):
            fail("/readyz answers 200 although the data folder failed")
        process, daemon.process = daemon.process, None
        try:
            status = process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            fail(f"still there {END_SECONDS} s after its disk failed")
        if status != 1 or "data folder failed" not in daemon.log_tail():
            fail(f"ended with status {status}\n{daemon.log_tail()}")
        daemon.wrapper = []
        daemon.start()
        there = read_all(daemon.bootstrap)
        missing = set(acknowledged) - set(there)
        if missing or len(set(there)) != len(there):
            fail(f"{len(missing)} acknowledged records are gone, {len(there) - len(set(there))} are there twice")
        daemon.stop()
    finally:
        daemon.close()
    print(f"failing_disk: {len(acknowledged)} acknowledged before the sync failed, all there; {len(there)} in all")


if __name__ == "__main__":
    main()
