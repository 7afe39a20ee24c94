#!/usr/bin/python3
"""Runs the C program on librdkafka (librdkafka_test.c) against the broker."""

import os
import subprocess
import sys

import broker as brokers


def main():
    broker = brokers.open_broker()
    try:
        program = os.path.join(brokers.BIN, "interop-librdkafka")
        status = subprocess.run([program, broker.bootstrap], check=False, timeout=300).returncode
    finally:
        broker.close()
    sys.exit(status)


if __name__ == "__main__":
    main()
