#!/bin/bash
# Kills a real daemon with -9 under load, again and again, and verifies that every acknowledged record is exactly where it was
# acknowledged, and that nothing idempotent is there twice.
#   tests/chaos/kill9.sh [--rounds N] [--seed N] [--partitions N] [--preload-mib N] [--genuine-kafka] ...
exec /usr/bin/python3 "$(dirname "$0")/kill9.py" "$@"
