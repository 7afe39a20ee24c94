#!/bin/bash
# Set up and run with one command: installs what is missing (Debian packages), builds, starts one broker in the
# foreground on 127.0.0.1:9092 with its data under ./tidemark-data, and says how to produce and consume.
#   deploy/quickstart.sh [-- tidemarkd options...]
#   deploy/quickstart.sh --smoke     on free ports and a temporary folder: round-trips real records with the CLI and with
#                                    kcat, prints what it did, stops the broker, exits 0
set -euo pipefail
cd "$(dirname "$0")/.."

smoke=
case ${1:-} in
  '') ;;
  --smoke) [ $# -eq 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2; }; smoke=1 ;;
  --) shift ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

deploy/install-deps.sh
configured=$(cmake --preset release 2>&1) || { echo "$configured" >&2; exit 1; }
cmake --build --preset release --target tidemarkd tidemark
bin=$PWD/build/release/bin

if [ -z "$smoke" ]; then
  cat <<TEXT

A broker starts on 127.0.0.1:9092, its data in $PWD/tidemark-data. Ctrl-C stops it. In another terminal:

  echo 'hello tide' | kcat -b 127.0.0.1:9092 -P -t greetings
  kcat -b 127.0.0.1:9092 -C -t greetings -o beginning -e

  echo 'hello again' | $bin/tidemark produce greetings
  $bin/tidemark consume greetings --offset start -n 2

TEXT
  exec "$bin/tidemarkd" "$@"
fi

folder=$(mktemp -d /tmp/tidemark-smoke.XXXXXX)
daemon=
finish() {
  if [ -n "$daemon" ]; then kill -9 "$daemon" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap finish EXIT
fail() {
  echo "smoke: FAILED: $*" >&2
  echo "smoke: the broker's log:" >&2
  tail -n 40 "$folder/log" >&2
  exit 1
}

"$bin/tidemarkd" --data-dir "$folder/data" --listen 127.0.0.1:0 --http 127.0.0.1:0 --log-format json 2>"$folder/log" &
daemon=$!
# The `ready` line names the addresses that port 0 became.
address=
for _ in $(seq 1 300); do
  kill -0 "$daemon" 2>/dev/null || { daemon=; fail "the broker did not start"; }
  address=$(/usr/bin/python3 tests/interop/ready_line.py "$folder/log" || true)
  [ -z "$address" ] || break
  sleep 0.1
done
[ -n "$address" ] || fail "no ready line within 30 s"
read -r kafka http <<<"$address"
echo "smoke: tidemarkd is ready: Kafka on $kafka, HTTP on $http"

export TIDEMARK_BOOTSTRAP=$kafka
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$http/readyz")" = 200 ] || fail "/readyz does not answer 200"
"$bin/tidemark" topic create smoke -p 1 || fail "tidemark topic create"
seq 1 1000 | sed 's/^/cli-/' | "$bin/tidemark" produce smoke || fail "tidemark produce"
seq 1 1000 | sed 's/^/kcat-/' | kcat -b "$kafka" -P -t smoke -p 0 -X acks=all || fail "kcat -P"
{ seq 1 1000 | sed 's/^/cli-/'; seq 1 1000 | sed 's/^/kcat-/'; } >"$folder/expected"
timeout 60 kcat -b "$kafka" -C -t smoke -p 0 -o beginning -e -q >"$folder/kcat" || fail "kcat -C"
cmp "$folder/expected" "$folder/kcat" || fail "kcat read something else than was written"
timeout 60 "$bin/tidemark" consume smoke --offset start -n 2000 -f '%v\n' >"$folder/cli" || fail "tidemark consume"
cmp "$folder/expected" "$folder/cli" || fail "tidemark read something else than was written"
echo "smoke: 1000 records written by tidemark and 1000 by kcat, each read 2000 back, in order"

kill -TERM "$daemon"
status=0
wait "$daemon" || status=$?
daemon=
[ "$status" -eq 0 ] || fail "the broker's exit status after SIGTERM was $status"
echo "smoke: stopped cleanly; all good"
