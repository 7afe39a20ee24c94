#!/usr/bin/python3
"""Runs the C program on librdkafka (librdkafka_test.c) against the broker. Where it says which codec a topic's records were sent
with, looks into the topic's files: librdkafka sends them uncompressed, and says nothing, if it thinks that the broker is too old."""

import os
import subprocess
import sys

import broker as brokers
import stored_batch


def other_codecs(broker, sent):
    """sent: words of `stored TOPIC RECORDS CODEC`."""
    for _, topic, records, codec in sent:
        stored = {batch.codec for batch in stored_batch.stored_batches(broker.data_dir, topic, 0, int(records))}
        if stored != {codec}:
            yield f"{topic} was sent with {codec} and is stored with {sorted(stored)}"


def main():
    broker = brokers.open_broker()
    try:
        program = os.path.join(brokers.BIN, "interop-librdkafka")
        done = subprocess.run([program, broker.bootstrap], check=False, timeout=300, stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="")
        sent = [line.split() for line in done.stdout.splitlines() if line.startswith("stored ")]
        if not broker.data_dir:
            sys.exit(done.returncode)
        wrong = list(other_codecs(broker, sent))
    finally:
        broker.close()
    print(f"codecs: {len(sent)} topics looked at, {len(wrong)} differ", *wrong, sep="\n")
    sys.exit(1 if done.returncode or wrong or {codec for *_, codec in sent} != set(stored_batch.CODECS) else 0)


if __name__ == "__main__":
    main()
