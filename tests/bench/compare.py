#!/usr/bin/python3
"""Tidemark and genuine Apache Kafka under the same load in the same run. See compare.sh and README.md."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench_brokers  # noqa: E402

MIB = 1 << 20


class Scenario:
    """A load on a topic of its own, on either broker. `settings`: the topic's, by broker."""

    def __init__(self, name, title, run, options, settings, partitions, warmup=6, seconds=8):
        self.name, self.title, self.run = name, title, run
        self.options, self.settings, self.partitions = options, settings, partitions
        self.warmup, self.seconds = warmup, seconds


# What each broker calls the two kinds of durability. Tidemark's default is synced and Kafka's is not.
CACHED = {"tidemark": {"write.caching": "true"}, "kafka": {}}
SYNCED = {"tidemark": {}, "kafka": {"flush.messages": "1"}}
DEFAULTS = {"tidemark": {}, "kafka": {}}


def load_scenarios():
    scenarios = []
    for size, label in ((100, "100 B"), (1024, "1 KiB"), (10240, "10 KiB")):
        for mode, settings in (("cached", CACHED), ("synced", SYNCED)):
            scenarios.append(Scenario(f"max-{size}-{mode}", f"max produce, {label}, {mode}", "max",
                                      {"record-bytes": size}, settings, 16))
    for codec in ("lz4", "zstd"):
        scenarios.append(Scenario(f"max-1024-{codec}", f"max produce, 1 KiB, cached, {codec}", "max",
                                  {"record-bytes": 1024, "codec": codec}, CACHED, 16))
    scenarios.append(Scenario("max-single", "max produce, one record of 100 B a request, cached", "max",
                              {"record-bytes": 100, "batch-bytes": 1, "batches": 1, "connections": 16}, CACHED, 16))
    for partitions in (10, 100, 1000):
        scenarios.append(Scenario(f"paced-{partitions}", f"synced 5,000/s over {partitions} partitions", "paced",
                                  {"record-bytes": 1024, "rate": 5000, "connections": 10}, SYNCED, partitions,
                                  seconds=10))
    for mode, settings in (("cached", CACHED), ("synced", SYNCED)):
        scenarios.append(Scenario(f"e2e-{mode}", f"end to end 1,000/s, {mode}", "end-to-end",
                                  {"record-bytes": 100, "rate": 1000}, settings, 1, seconds=10))
    for mode, settings in (("cached", CACHED), ("synced", SYNCED)):
        scenarios.append(Scenario(f"stream-20000-{mode}", f"20,000/s in and out, a group, linger 1 ms, {mode}", "stream",
                                  {"record-bytes": 100, "rate": 20000, "connections": 1}, settings, 8))
    scenarios.append(Scenario("stream-max", "max in and out, 100 B, a group, cached", "stream",
                              {"record-bytes": 100, "rate": 0, "connections": 2}, CACHED, 8))
    scenarios.append(Scenario("wide", "5,000/s over 10,000 partitions and 1,000 connections, defaults", "paced",
                              {"record-bytes": 1024, "rate": 5000, "connections": 1000}, DEFAULTS, 10000))
    return scenarios


# Of what has no topic of its own on a running broker: name and title.
SPECIAL = {"start": "start, empty folder", "restart": "start after kill -9 under load, 200 partitions",
           "restart-1000": "start after kill -9 with 1,000 partitions and 2 GiB, page cache warm",
           "restart-cold": "the same with the page cache dropped",
           "catch-up": "2 GiB read from the beginning, page cache warm",
           "memory": "memory, and processor time when idle"}


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.results = []  # one dictionary per scenario, broker and round
        self.topics = 0

    def load(self, broker, run, topic, *options, patience=300):
        command = [bench_brokers.LOAD, run, "--bootstrap", broker.bootstrap, "--topic", topic, *map(str, options)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=patience, check=False)
        if done.returncode != 0:
            raise bench_brokers.Failed(done.stderr.decode(errors="replace").strip() or f"{run}: {done.returncode}")
        return json.loads(done.stdout)

    def new_topic(self, broker, partitions, settings):
        self.topics += 1
        topic = f"bench-{self.topics}"
        # What a run has written is gone soon after it: the next one shall not share the disk with it.
        settings = {"file.delete.delay.ms": "100", **settings}
        options = [f"--setting={key}={value}" for key, value in settings.items()]
        self.load(broker, "create", topic, "--partitions", partitions, *options)
        return topic

    def delete_topic(self, broker, topic):
        self.load(broker, "delete", topic)
        time.sleep(1.5)
        os.sync()

    def add(self, name, broker, round_number, result):
        self.results.append({"scenario": name, "broker": broker.name, "round": round_number, **result})

    def run_once(self, scenario, broker, warmup, seconds):
        topic = self.new_topic(broker, scenario.partitions, scenario.settings[broker.name])
        options = [f"--{key}={value}" for key, value in scenario.options.items()]
        try:
            return self.load(broker, scenario.run, topic, "--pid", broker.pid(), "--partitions", scenario.partitions,
                             "--warmup", warmup, "--seconds", seconds, *options)
        except (bench_brokers.Failed, subprocess.TimeoutExpired) as e:
            return {"failed": str(e)}
        finally:
            self.delete_topic(broker, topic)

    def run_load(self, scenario, broker, round_number):
        if self.arguments.quick:
            result = self.run_once(scenario, broker, 1, 3)
        else:
            # The JVM's warm-up writes to another topic: a run that counts shall not begin with the disk's queue full.
            if round_number == 1 and broker.needs_warmup:
                self.run_once(scenario, broker, 0, scenario.warmup)
            result = self.run_once(scenario, broker, 0.5, scenario.seconds)
        self.add(scenario.name, broker, round_number, result)

    def run_start(self, kinds, round_number):
        """From the command to the first answer, and to the first record taken; the folder is new."""
        for kind in kinds:
            broker = kind()
            try:
                began = time.monotonic_ns()
                broker.launch()
                times = self.load(broker, "probe-new", "first", "--partitions", 1)
                self.add("start", broker, round_number, {
                    "answered_ms": (times["answered_ns"] - began) / 1e6,
                    "produced_ms": (times["produced_ns"] - began) / 1e6,
                    "format_ms": broker.format_seconds * 1e3})
            finally:
                broker.close()

    def run_restart(self, kinds, round_number):
        """kill -9 in the middle of a load over 200 partitions, each broker with its defaults, then until every partition takes a
        record."""
        self.restart("restart", kinds, round_number, 200)

    def run_restart_1000(self, kinds, round_number):
        self.restart("restart-1000", kinds, round_number, 1000, preload=2 << 30)

    def run_restart_cold(self, kinds, round_number):
        self.restart("restart-cold", kinds, round_number, 1000, preload=2 << 30, cold=True)

    def restart(self, name, kinds, round_number, partitions, preload=0, cold=False):
        """The kill falls into the largest load; behind `preload` bytes, into a small one."""
        for kind in kinds:
            broker = kind()
            try:
                broker.start()
                topic = self.new_topic(broker, partitions, {})
                if preload:
                    self.load(broker, "max", topic, "--partitions", partitions, "--record-bytes", 1024, "--warmup", 0,
                              "--seconds", 200, "--max-bytes", preload)
                run = ["paced", "--rate", "5000"] if preload else ["max", "--max-bytes", str(1 << 50)]
                load = subprocess.Popen(
                    [bench_brokers.LOAD, *run, "--bootstrap", broker.bootstrap, "--topic", topic, "--partitions",
                     str(partitions), "--record-bytes", "1024", "--seconds", "600"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(2 if self.arguments.quick else 6)
                died = load.poll() is not None
                broker.kill()
                load.wait()
                if cold:
                    os.sync()
                    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
                        drop.write("3")
                written = bench_brokers.log_bytes(broker.data_dir)
                began = time.monotonic_ns()
                broker.launch()
                times = self.load(broker, "probe", topic, "--partitions", partitions)
                result = {"answered_ms": (times["answered_ns"] - began) / 1e6,
                          "produced_ms": (times["produced_ns"] - began) / 1e6, "data_mib": written / MIB}
                if died:
                    result = {"failed": "the load ended before the kill"}
                self.add(name, broker, round_number, result)
            finally:
                broker.close()

    def run_catch_up(self, kinds, round_number):
        """A topic of 2 GiB and 8 partitions, written before, read from its beginning by one connection."""
        for kind in kinds:
            broker = kind()
            try:
                broker.start()
                topic = self.new_topic(broker, 8, CACHED[broker.name])
                self.load(broker, "max", topic, "--partitions", 8, "--record-bytes", 1024, "--warmup", 0, "--seconds", 200,
                          "--max-bytes", 1 << 28 if self.arguments.quick else 2 << 30)
                # Once for the JVM; what was written is on the disk by then.
                os.sync()
                self.load(broker, "catch-up", topic, "--partitions", 8, "--seconds", 120)
                self.add("catch-up", broker, round_number, self.load(
                    broker, "catch-up", topic, "--pid", broker.pid(), "--partitions", 8, "--seconds", 120))
            finally:
                broker.close()

    def run_memory(self, kinds, round_number):
        """VmRSS and processor time of an idle broker, and VmRSS after a load of 1 GiB over 100 partitions."""
        idle_seconds = 3 if self.arguments.quick else 10
        for kind in kinds:
            broker = kind()
            try:
                broker.start()
                time.sleep(2)
                idle_kib = broker.resident_kib()
                cpu = broker.cpu_seconds()
                time.sleep(idle_seconds)
                idle_percent = (broker.cpu_seconds() - cpu) / idle_seconds * 100
                topic = self.new_topic(broker, 100, {})
                self.load(broker, "max", topic, "--pid", broker.pid(), "--partitions", 100, "--record-bytes", 1024,
                          "--warmup", 0, "--seconds", 120, "--max-bytes", 1 << 30)
                self.add("memory", broker, round_number, {
                    "idle_mib": idle_kib / 1024, "idle_cpu_percent": idle_percent,
                    "loaded_mib": broker.resident_kib() / 1024})
            finally:
                broker.close()

    def run(self, scenarios, special, kinds):
        rounds = range(1, self.arguments.rounds + 1)
        if scenarios:
            brokers = [kind() for kind in kinds]
            try:
                for broker in brokers:
                    broker.start()
                for scenario in scenarios:
                    for round_number in rounds:
                        # In turns, so that what else the machine does meets both.
                        for broker in brokers if round_number % 2 else reversed(brokers):
                            progress(f"{scenario.name}, round {round_number}: {broker.name}")
                            self.run_load(scenario, broker, round_number)
            finally:
                for broker in brokers:
                    broker.close()
        for name in special:
            for round_number in rounds:
                progress(f"{name}, round {round_number}")
                getattr(self, "run_" + name.replace("-", "_"))(kinds, round_number)


def progress(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


# Column, path into a result, format. Of the broker's processor time, the kernel's; the generator's; the strangers'.
COSTS = [("kernel CPU s", "broker_kernel_cpu_seconds", "{:.2f}"), ("load's CPU s", "load_cpu_seconds", "{:.2f}"),
         ("written/byte", "written_per_byte", "{:.2f}"), ("others' CPU s", "others_cpu_seconds", "{:.1f}")]
COLUMNS = {
    "max": [("records/s", "records_per_second", "{:,.0f}"), ("MB/s", "mb_per_second", "{:.0f}"),
            ("CPU us/rec", "broker_cpu_us_per_record", "{:.3f}"), ("CPU s", "broker_cpu_seconds", "{:.2f}"),
            ("p50 ms", "request_latency_us/p50", "ms"), ("p99", "request_latency_us/p99", "ms"),
            ("p99.9", "request_latency_us/p99.9", "ms"), ("RSS MiB", "rss_kib", "mib"),
            *COSTS],
    "paced": [("records/s", "records_per_second", "{:,.0f}"), ("CPU us/rec", "broker_cpu_us_per_record", "{:.1f}"),
              ("p50 ms", "latency_us/p50", "ms"), ("p99", "latency_us/p99", "ms"), ("p99.9", "latency_us/p99.9", "ms"),
              ("max", "latency_us/max", "ms"), ("RSS MiB", "rss_kib", "mib"),
              *COSTS],
    "stream": [("records/s", "records_per_second", "{:,.0f}"), ("CPU us/rec", "broker_cpu_us_per_record", "{:.3f}"),
               ("p50 ms", "latency_us/p50", "ms"), ("p99", "latency_us/p99", "ms"), ("p99.9", "latency_us/p99.9", "ms"),
               ("commit p99", "commit_us/p99", "ms"), ("RSS MiB", "rss_kib", "mib"), *COSTS],
    "catch-up": [("MB/s", "mb_per_second", "{:.0f}"), ("CPU s/GB", "broker_cpu_seconds_per_gb", "{:.3f}"),
                 ("p50 ms", "request_latency_us/p50", "ms"), ("p99", "request_latency_us/p99", "ms"),
                 ("RSS MiB", "rss_kib", "mib"), *COSTS],
    "start": [("first answer ms", "answered_ms", "{:.0f}"), ("first record ms", "produced_ms", "{:.0f}"),
              ("format ms", "format_ms", "{:.0f}")],
    "restart": [("first answer ms", "answered_ms", "{:.0f}"), ("all partitions ms", "produced_ms", "{:.0f}"),
                ("log MiB", "data_mib", "{:.0f}")],
    "memory": [("idle MiB", "idle_mib", "{:.0f}"), ("idle CPU %", "idle_cpu_percent", "{:.2f}"),
               ("after load MiB", "loaded_mib", "{:.0f}")],
}
NO_RATIO = {"others' CPU s", "load's CPU s", "format ms", "log MiB"}
COLUMNS["end-to-end"] = COLUMNS["paced"]
COLUMNS["restart-1000"] = COLUMNS["restart-cold"] = COLUMNS["restart"]


def value_at(result, path):
    for key in path.split("/"):
        if not isinstance(result, dict) or key not in result:
            return None
        result = result[key]
    return result


def shown(value, form):
    if value is None:
        return "-"
    if form == "ms":
        return f"{value / 1e3:.2f}"
    if form == "mib":
        return f"{value / 1024:.0f}"
    return form.format(value)


def print_table(title, columns, results, brokers):
    print(f"\n{title}")
    rows = [["", *(name for name, _, _ in columns)]]
    medians = {}
    for broker in brokers:
        mine = [r for r in results if r["broker"] == broker and "failed" not in r]
        values = []
        for _, path, _ in columns:
            found = [value_at(r, path) for r in mine]
            found = [v for v in found if v is not None]
            values.append(statistics.median(found) if found else None)
        medians[broker] = values
        rows.append([broker, *(shown(v, form) for v, (_, _, form) in zip(values, columns))])
    if len(brokers) == 2:
        ratios = [a / b if a is not None and b and name not in NO_RATIO else None
                  for a, b, (name, _, _) in zip(medians[brokers[0]], medians[brokers[1]], columns)]
        rows.append(["ratio", *("-" if r is None else f"{r:.3f}" for r in ratios)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                               for i, (cell, w) in enumerate(zip(row, widths))))
    for r in results:
        if "failed" in r:
            print(f"  {r['broker']}, round {r['round']}: FAILED: {r['failed']}")
        elif r.get("errors"):
            print(f"  {r['broker']}, round {r['round']}: {r['errors']} answers were errors, first {r['first_error']}")
        elif r.get("not_sent"):
            print(f"  {r['broker']}, round {r['round']}: {r['not_sent']} of {r['due']} records were still waiting at the end")
        elif r.get("not_read_back"):
            print(f"  {r['broker']}, round {r['round']}: {r['not_read_back']} of {r['sent']} records had not come back 15 s later")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs, one round: does it work, not how fast is it")
    parser.add_argument("--only", help="scenarios, with commas; a name's beginning will do")
    parser.add_argument("--rounds", type=int, help="of each scenario, the brokers in turns (default 3)")
    parser.add_argument("--no-kafka", action="store_true", help="Tidemark alone")
    parser.add_argument("--json", help="every single result goes to this file")
    parser.add_argument("--list", action="store_true", help="the scenarios' names")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE for tidemarkd")
    parsed = parser.parse_args()
    if parsed.rounds is None:
        parsed.rounds = 1 if parsed.quick else 3
    return parsed


def main():
    args = arguments()
    scenarios, special = load_scenarios(), list(SPECIAL)
    if args.list:
        for name, title in [*((s.name, s.title) for s in scenarios), *SPECIAL.items()]:
            print(f"{name:18} {title}")
        return 0
    if args.only:
        wanted = tuple(args.only.split(","))
        for word in wanted:
            if not any(name.startswith(word) for name in [*(s.name for s in scenarios), *special]):
                sys.exit(f"compare: no scenario '{word}' (--list names them)")
        scenarios = [s for s in scenarios if s.name.startswith(wanted)]
        special = [s for s in special if s.startswith(wanted)]
    if "restart-cold" in special and not os.access("/proc/sys/vm/drop_caches", os.W_OK):
        print("compare: SKIPPED restart-cold: only root may drop the page cache")
        special.remove("restart-cold")
    bench_brokers.require_programs()
    kinds = [lambda: bench_brokers.Tidemark(args.set)]
    names = ["tidemark"]
    if not args.no_kafka:
        reason = bench_brokers.kafka_unavailable()
        if reason:
            print(f"compare: SKIPPED genuine Kafka: {reason}")
        else:
            kinds.append(bench_brokers.Kafka)
            names.append("kafka")
    # A SIGTERM ends the brokers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench(args)
    try:
        bench.run(scenarios, special, kinds)
    finally:
        if args.json:
            with open(args.json, "w", encoding="utf-8") as file:
                json.dump({"cores": os.cpu_count(), "rounds": args.rounds, "quick": args.quick,
                           "results": bench.results}, file, indent=1)
        for name, title, columns in [*((s.name, s.title, COLUMNS[s.run]) for s in scenarios),
                                     *((name, title, COLUMNS[name]) for name, title in SPECIAL.items())]:
            results = [r for r in bench.results if r["scenario"] == name]
            if results:
                print_table(f"{name}: {title}", columns, results, names)
    failed = [r for r in bench.results if "failed" in r]
    return 1 if any(r["broker"] == "tidemark" for r in failed) else 0


if __name__ == "__main__":
    sys.exit(main())
