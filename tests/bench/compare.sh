#!/bin/bash
# Tidemark and genuine Apache Kafka under the same load in the same run; see tests/bench/README.md.
#   tests/bench/compare.sh [--quick] [--only SCENARIO,...] [--rounds N] [--no-kafka] [--json FILE] [--list]
# Needs a release build (tidemarkd, bench-load). Without Java 17 or a Maven repository it says so and measures Tidemark alone.
exec /usr/bin/python3 "$(dirname "$0")/compare.py" "$@"
