#!/bin/bash
# Genuine Apache Kafka for comparisons: one node, and its command line tools against any broker. Needs Java 17, and for
# `fetch` mvn and a Maven repository. Its jars stay under build/genuine-kafka, never in the repository.
#   kafka.sh available              exit 0 if the jars are there or can be fetched; otherwise says in one line why not
#   kafka.sh fetch                  gets the jars, once
#   kafka.sh start FOLDER PORT [KEY=VALUE...]   formats FOLDER if it is new, starts on 127.0.0.1:PORT, waits until it answers
#   kafka.sh format FOLDER PORT [KEY=VALUE...]  only the first of these; then `kafka.sh run FOLDER` becomes the broker itself
#   kafka.sh stop FOLDER            SIGTERM, and waits
#   kafka.sh tool NAME ARGS...      e.g. tool kafka-topics --bootstrap-server 127.0.0.1:9092 --list
# HEAP sets the broker's heap (default: Kafka's own, 1g), TOOL_HEAP the tools' (256m); KAFKA_PLUGINS: a folder of classes besides Kafka's.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=${KAFKA_JARS:-$(cd "$here/../../.." && pwd)/build/genuine-kafka}

java_major() { java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p'; }

fetched() { compgen -G "$jars/connect-file-*.jar" >/dev/null && [ -e "$jars/complete" ]; }

available() {
  command -v java >/dev/null || { echo "no java here (Debian: openjdk-17-jre-headless)"; return 1; }
  [ "$(java_major)" -ge 17 ] || { echo "java is older than 17"; return 1; }
  fetched && return 0
  command -v mvn >/dev/null || { echo "no mvn here to fetch Kafka's jars with (Debian: maven)"; return 1; }
  fetch || { echo "Kafka's jars cannot be fetched from a Maven repository"; return 1; }
}

fetch() {
  fetched && return 0
  mkdir -p "$jars"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" >"$jars/fetch.log" 2>&1 || return 1
  touch "$jars/complete"
}

run() { # run HEAP CLASS ARGS...
  local heap=$1
  shift
  exec java "-Xmx$heap" -XX:+UseG1GC -cp "$jars/*${KAFKA_PLUGINS:+:$KAFKA_PLUGINS}" -Dlog4j2.configurationFile="$here/log4j2.xml" "$@"
}

main_class() {
  case $1 in
    kafka-topics) echo org.apache.kafka.tools.TopicCommand ;;
    kafka-configs) echo kafka.admin.ConfigCommand ;;
    kafka-get-offsets) echo org.apache.kafka.tools.GetOffsetShell ;;
    kafka-delete-records) echo org.apache.kafka.tools.DeleteRecordsCommand ;;
    kafka-log-dirs) echo org.apache.kafka.tools.LogDirsCommand ;;
    kafka-console-producer) echo org.apache.kafka.tools.ConsoleProducer ;;
    kafka-console-consumer) echo org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    kafka-producer-perf-test) echo org.apache.kafka.tools.ProducerPerformance ;;
    kafka-consumer-groups) echo org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    kafka-groups) echo org.apache.kafka.tools.GroupsCommand ;;
    kafka-consumer-perf-test) echo org.apache.kafka.tools.ConsumerPerformance ;;
    kafka-broker-api-versions) echo org.apache.kafka.tools.BrokerApiVersionsCommand ;;
    kafka-verifiable-producer) echo org.apache.kafka.tools.VerifiableProducer ;;
    kafka-verifiable-consumer) echo org.apache.kafka.tools.VerifiableConsumer ;;
    kafka-dump-log) echo org.apache.kafka.tools.DumpLogSegments ;;
    kafka-metadata-quorum) echo org.apache.kafka.tools.MetadataQuorumCommand ;;
    kafka-cluster) echo org.apache.kafka.tools.ClusterTool ;;
    kafka-storage) echo kafka.tools.StorageTool ;;
    kafka-client-metrics) echo org.apache.kafka.tools.ClientMetricsCommand ;;
    kafka-features) echo org.apache.kafka.tools.FeatureCommand ;;
    kafka-leader-election) echo org.apache.kafka.tools.LeaderElectionCommand ;;
    kafka-reassign-partitions) echo org.apache.kafka.tools.reassign.ReassignPartitionsCommand ;;
    kafka-transactions) echo org.apache.kafka.tools.TransactionsCommand ;;
    connect-distributed) echo org.apache.kafka.connect.cli.ConnectDistributed ;;
    *) echo "kafka.sh: no tool '$1'" >&2; return 2 ;;
  esac
}

tool() {
  local class
  class=$(main_class "$1") || exit 2
  shift
  run "${TOOL_HEAP:-256m}" "$class" "$@"
}

# Makes the folder of a node, if it is new.
format() {
  local folder=$1 port=$2 setting controller
  shift 2
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  if [ ! -e "$folder/server.properties" ]; then
    # A free port for the controller's listener, which nobody else uses.
    controller=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    {
      echo "process.roles=broker,controller"
      echo "node.id=1"
      echo "controller.quorum.voters=1@127.0.0.1:$controller"
      echo "controller.listener.names=CONTROLLER"
      echo "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller"
      echo "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
      echo "log.dirs=$folder/data"
      echo "offsets.topic.replication.factor=1"
      echo "transaction.state.log.replication.factor=1"
      echo "transaction.state.log.min.isr=1"
      echo "share.coordinator.state.topic.replication.factor=1"
      echo "share.coordinator.state.topic.min.isr=1"
      for setting in "$@"; do echo "$setting"; done
    } >"$folder/server.properties"
    (tool kafka-storage format -t "$(tool kafka-storage random-uuid | tail -n 1)" -c "$folder/server.properties") \
      >"$folder/format.log" 2>&1 || { cat "$folder/format.log" >&2; return 1; }
  fi
}

# Becomes the broker.
run_broker() {
  local heap=${HEAP:-1g}
  run "$heap" "-Xms$heap" kafka.Kafka "$1/server.properties"
}

start() {
  local folder=$1 port=$2
  format "$@"
  (run_broker "$folder") >"$folder/broker.log" 2>&1 &
  echo $! >"$folder/pid"
  for _ in $(seq 1 600); do
    # Ready when it answers, not when it listens.
    if /usr/bin/python3 "$here/../served_apis.py" "127.0.0.1:$port" >/dev/null 2>&1; then return 0; fi
    kill -0 "$(cat "$folder/pid")" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 5 "$folder/broker.log" >&2
  return 1
}

stop() {
  local pid
  pid=$(cat "$1/pid") || return 0
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 1 300); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$pid"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
  available) available ;;
  fetch) fetch ;;
  format) format "$@" ;;
  run) run_broker "$@" ;;
  start) start "$@" ;;
  stop) stop "$@" ;;
  tool) tool "$@" ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
