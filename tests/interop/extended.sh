#!/bin/bash
# Judges that Debian does not ship, against a real tidemarkd: genuine Kafka's command line tools, its Connect and its Java client,
# and the newest clients from PyPI, npm and the Go proxy. And, the other way round, `reference`: what our suites demand of Tidemark,
# demanded of a genuine Kafka that is started for it; what is Tidemark's alone is skipped there. Not part of tests/run.sh.
# Everything is pinned and fetched into build/; what cannot be had here is skipped with one line that says why; what was fetched and
# does not build has failed. Ends with what passed, failed and was skipped. Exit status 0 if nothing failed, even if nothing could
# run: the last line says so.
#   tests/interop/extended.sh                   everything
#   tests/interop/extended.sh --no-skips        the same, and a suite that is skipped fails the run
#   tests/interop/extended.sh WORD...           suites of these names (tools connect reference java kafka-python confluent-kafka
#                                               aiokafka kafkajs platformatic franz-go sarama); any other word: only tests whose names contain it
set -euo pipefail
exec /usr/bin/python3 "$(cd "$(dirname "$0")" && pwd)/extended_suites.py" "$@"
