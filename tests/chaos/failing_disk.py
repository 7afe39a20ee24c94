#!/usr/bin/python3
"""A real daemon whose disk fails one sync: strace lets a single fdatasync of each thread return EIO. From then on nothing is
acknowledged, /readyz says no, and the daemon ends by itself with status 1 and says why; started again, it has every
acknowledged record, each once. Of two data folders the second's disk fails alone: what is in the first goes on."""

import glob
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
from confluent_admin import Admin  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from raw_frames import batch, produce_answer, produce_body, request  # noqa: E402
from served_apis import connect, exchange  # noqa: E402

PRODUCE, STORAGE_ERROR = 0, 56
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


def check_all_there(acknowledged, daemon):
    there = read_all(daemon.bootstrap)
    missing = set(acknowledged) - set(there)
    if missing or len(set(there)) != len(there):
        fail(f"{len(missing)} acknowledged records are gone, {len(there) - len(set(there))} are there twice")
    return there


def only_folder():
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
        there = check_all_there(acknowledged, daemon)
        daemon.stop()
    finally:
        daemon.close()
    print(f"failing_disk: {len(acknowledged)} acknowledged before the sync failed, all there; {len(there)} in all")


def fail_syncs_of(daemon, files):
    """strace on all threads of the daemon: no sync of the files succeeds any more."""
    pid = daemon.process.pid
    strace = subprocess.Popen(["strace", "-f", "-qq", "-p", str(pid), *(word for file in files for word in ("-P", file)),
                               "-e", "trace=fdatasync", "-e", "signal=none", "-e", "inject=fdatasync:error=EIO", "-o", "/dev/null"])

    def traced(task):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as status:
            return "TracerPid:\t0\n" not in status.read()

    deadline = time.monotonic() + 20
    while not all(traced(task) for task in os.listdir(f"/proc/{pid}/task")):
        if time.monotonic() > deadline:
            fail("strace does not attach")
        time.sleep(0.01)
    return strace


def one_of_two_folders():
    daemon = brokers.Broker()
    first, second = (os.path.join(daemon.folder, name) for name in ("first", "second"))
    daemon.flags.remove("--data-dir")
    daemon.options = ["--set", f"log.dirs={first},{second}"]
    daemon.start()
    acknowledged, refused = [], set()

    def produce_to_all(connection, number):
        for partition in range(PARTITIONS):
            value = b"%06d" % (number * PARTITIONS + partition)
            frame = request(PRODUCE, 7, produce_body("sound", batch([value]), partition=partition))
            error, _ = produce_answer(exchange(connection, frame), "sound")
            if not error:
                acknowledged.append(value)
            elif error != STORAGE_ERROR:
                fail(f"partition {partition} answers {error}")
            if (error or partition in refused) and not in_second(partition):
                fail(f"partition {partition} is refused, and its folder is sound")
            if not error and partition in refused:
                fail(f"partition {partition} takes records again although its folder failed")
            if error:
                refused.add(partition)

    def in_second(partition, topic="sound"):
        return os.path.isdir(os.path.join(second, f"{topic}-{partition}"))

    try:
        Admin(daemon.bootstrap).create_topic("sound", PARTITIONS)
        failing = {partition for partition in range(PARTITIONS) if in_second(partition)}
        if len(failing) != PARTITIONS // 2:
            fail(f"partitions {failing} are in the second folder")
        with connect(daemon.bootstrap) as connection:
            for number in range(20):
                produce_to_all(connection, number)
            strace = fail_syncs_of(daemon, glob.glob(os.path.join(second, "tidemark", "journal", "*")))
            for number in range(20, 40):
                produce_to_all(connection, number)
            strace.terminate()
            strace.wait()
        if refused != failing:
            fail(f"partitions {refused} were refused, and {failing} are in the folder that failed")
        if not is_ready(daemon.http):
            fail("/readyz does not answer 200 although the first folder is sound")
        offline = daemon.metric("tidemark_data_folder_offline")
        if offline != {f'{{folder="{first}"}}': 0, f'{{folder="{second}"}}': 1}:
            fail(f"tidemark_data_folder_offline says {offline}")
        Admin(daemon.bootstrap).create_topic("later", PARTITIONS)
        if any(in_second(partition, "later") for partition in range(PARTITIONS)):
            fail("a new partition is in the folder that failed")
        daemon.kill()
        daemon.start()
        check_all_there(acknowledged, daemon)
        with connect(daemon.bootstrap) as connection:
            refused.clear()
            produce_to_all(connection, 40)
        if refused:
            fail(f"partitions {refused} are refused after a start on sound disks")
        daemon.stop()
    finally:
        daemon.close()
    print(f"failing_disk: one of two folders failed alone; {len(acknowledged)} acknowledged, all there")


def main():
    if subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode != 0:
        fail("strace does not work here (ptrace forbidden?)")
    only_folder()
    one_of_two_folders()


if __name__ == "__main__":
    main()
