#!/bin/bash
# Genuine Kafka's own command line tools against a real tidemarkd, kafka-dump-log on its files included. Skips, with the
# reason in one line, where Java or a Maven repository is missing. Not part of tests/run.sh.
#   tests/interop/extended.sh [WORD...]     only the tests whose names contain a word
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if ! reason=$("$here/kafka/kafka.sh" available); then
  echo "extended: SKIPPED: $reason"
  exit 0
fi
exec /usr/bin/python3 "$here/genuine_tools.py" "$@"
