// The command line of `tidemark perf`.
#include "client/cli/verbs.h"

namespace tidemark::cli {
namespace {

void add_limits(Verb& verb, PerfLimits& limits, bool records) {
  if (records) {
    verb.option("--records", &limits.records, "stop after so many records").range(1, 1e12);
  }
  verb.option("--seconds", &limits.seconds,
              records ? "stop after so many seconds (default 10, unless --records says when)"
                      : "stop after so many seconds (default 10)")
      .range(0.1, 604'800.0);
}

void add_load(Verb& verb, PerfLoad& load, int64_t least_bytes) {
  verb.option("--size", &load.record_bytes, "bytes of a record's value, random letters (default 100)")
      .range(least_bytes, 1 << 30);
  verb.option("--acks", &load.acks,
              "0: none, acknowledged once written to the connection; 1: the leader's; all: every "
              "replica's in sync (default)")
      .one_of({"0", "1", "all", "-1"});
  verb.option("-z,--compression", &load.codec, "none, gzip, snappy, lz4, zstd")
      .one_of({"none", "gzip", "snappy", "lz4", "zstd"});
  verb.option("--idempotent,!--no-idempotent", &load.idempotent,
              "no retry writes a record twice (default with --acks all)");
  verb.option("--batch-bytes", &load.batch_bytes, "a batch is sent when it would grow beyond (16384)")
      .range(1, 1 << 30);
}

}  // namespace

void add_perf(Verb& app, PerfLine& line) {
  Verb& perf = app.family("perf", "measure: writing, reading, and from one to the other",
                          "tidemark perf latency orders --rate 1000 --seconds 30");

  Verb& produce =
      perf.verb("produce",
                "write records and time their acknowledgements: p50, p90, p99, p99.9, max. A record's time "
                "counts from when it was handed over; with --rate from when it was due, whatever the broker "
                "did (no coordinated omission)",
                "tidemark perf produce orders --seconds 30 --size 1000 --rate 5000 -z lz4",
                [&](const GlobalOptions& g) { return perf_produce(g, line.produce); });
  PerfProduce& written = line.produce;
  produce.option("TOPIC", &written.topic, "the topic").required().names(Names::topic);
  add_limits(produce, written.limits, true);
  produce.option("--rate", &written.load.rate, "records a second; without it as many as can be written")
      .range(1, 10'000'000);
  add_load(produce, written.load, 1);
  produce.option("--linger-ms", &written.load.linger_ms, "how long a batch waits for more records (5)")
      .range(0, 60'000);
  produce.option("-p,--partition", &written.partition, "the partition; else in turn").at_least(0);

  Verb& consume = perf.verb(
      "consume",
      "read records and time the fetches that bring some, the broker's wait for new records included",
      "tidemark perf consume orders --records 1000000",
      [&](const GlobalOptions& g) { return perf_consume(g, line.consume); });
  PerfConsume& read = line.consume;
  consume.option("TOPIC", &read.topics, "topics").required().names(Names::topic);
  add_limits(consume, read.limits, true);
  consume
      .option("--offset", &read.offset,
              "where to begin: start (default), end, N, -N (the last N), @TIME (ms since 1970, or ISO 8601)")
      .suggest({"start", "end"});
  consume.option("-p,--partition", &read.partitions, "a partition, may be repeated; none: all").at_least(0);

  Verb& latency =
      perf.verb("latency",
                "write records at a fixed rate, read them back, and time the way from when each was due (no "
                "coordinated omission) until it is in the reader's hands: p50, p90, p99, p99.9, max",
                "tidemark perf latency orders --rate 1000 --seconds 30 --acks all",
                [&](const GlobalOptions& g) { return perf_latency(g, line.latency); });
  PerfLatency& echoed = line.latency;
  latency.option("TOPIC", &echoed.topic, "the topic; every partition gets its share")
      .required()
      .names(Names::topic);
  add_limits(latency, echoed.limits, false);
  latency.option("--rate", &echoed.load.rate, "records a second (default 1000)").range(1, 10'000'000);
  add_load(latency, echoed.load, kPerfMarkBytes);
  latency.option("--linger-ms", &echoed.load.linger_ms, "how long a batch waits for more records (0)")
      .range(0, 60'000);
}

}  // namespace tidemark::cli
