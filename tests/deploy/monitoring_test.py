#!/usr/bin/python3
"""The alert rules and dashboards of deploy/, held against real nodes by a real Prometheus: two daemons are scraped, one of them
comes to harm, and its alerts fire; the sound one's do not. What is not there to be looked at, no rule and no panel looks at."""

import glob
import json
import os
import re
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import broker as brokers  # noqa: E402
import group_broker  # noqa: E402
from group_messages import OFFSET_COMMIT, assignment  # noqa: E402
from prometheus import Prometheus  # noqa: E402
from raw_client import NONE, RawClient  # noqa: E402
from raw_frames import batch, crc32c  # noqa: E402
from raw_member import RawMember  # noqa: E402

DEPLOY = os.path.join(brokers.ROOT, "deploy")
RULES = os.path.join(DEPLOY, "prometheus", "tidemark.rules.yml")
RULE_TESTS = os.path.join(DEPLOY, "prometheus", "tidemark.rules.test.yml")
DASHBOARDS = sorted(glob.glob(os.path.join(DEPLOY, "grafana", "*.json")))
KAFKA_STORAGE_ERROR = 56
PATIENCE = 60
MIB = 1 << 20
HOUR_MS = 3_600_000
ODD_OFFSET = 0x0102030405060708  # there is nothing like it in any other record
LARGE_BATCH = batch([b"x" * 60_000])
# They measure how fast the machine is, which others use during the tests; with seconds of patience they are no judgement.
OF_A_SLOW_MACHINE = {"TidemarkJournalSlow", "TidemarkJournalStalled", "TidemarkSyncsSlow", "TidemarkLoopLate", "TidemarkProduceSlow"}
SELECTOR = re.compile(r"\b(?:tidemark_\w+|process_\w+|up)\b(?:\{[^}]*\})?")


def expressions(dashboard):
    """(panel, expression), as Grafana would send it with everything chosen."""
    chosen = {"$__rate_interval": "20s", "$instance": ".*", "$topic": ".*", "$group": ".*"}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in chosen.items():
                expression = expression.replace(variable, value)
            yield panel["title"], expression


def commit(member, topic, offset):
    partitions = [{"partition": 0, "offset": offset, "leader_epoch": -1, "metadata": ""}]
    answer = member.call(OFFSET_COMMIT, 9, group=member.group, generation=member.generation, member=member.member,
                         topics=[{"topic": topic, "partitions": partitions}])
    assert answer["topics"][0]["partitions"][0]["error"] == NONE, answer


def make_unreadable(data_dir, offset):
    """The commit of this offset becomes one of a release that this one does not know, its checksum made right: the node takes no
    such record from a client, but a newer release, which was here before it, may have left one."""
    value = struct.pack(">q", offset)
    for path in glob.glob(os.path.join(data_dir, "__consumer_offsets-*", "*.log")):
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            place = data.find(value)
            if place < 0:
                continue
            start = 0
            while (end := start + 12 + int.from_bytes(data[start + 8:start + 12], "big")) <= place:
                start = end
            data[place - 2:place] = struct.pack(">h", 77)
            data[start + 17:start + 21] = struct.pack(">I", crc32c(data[start + 21:end]))
            file.seek(0)
            file.write(data)
            return
    raise AssertionError(f"no commit of {offset}")


class Monitoring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # It takes a processor for seconds, while the others mostly wait.
        cls.rule_tests = subprocess.Popen(["promtool", "test", "rules", RULE_TESTS], text=True,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cls.addClassCleanup(cls.rule_tests.communicate)
        cls.addClassCleanup(cls.rule_tests.kill)
        cls.sound, cls.harmed = (brokers.Broker(properties={"shards": 1}).start() for _ in range(2))
        cls.troubled = brokers.Broker(properties={"shards": 1, "log.cleaner.backoff.ms": 100, "log.scrub.bytes.per.second": 0,
                                                  "group.initial.rebalance.delay.ms": 0}).start()
        for broker in (cls.sound, cls.harmed, cls.troubled):
            cls.addClassCleanup(broker.close)
        cls.prometheus = Prometheus(RULES, [cls.sound.http, cls.harmed.http, cls.troubled.http])
        cls.addClassCleanup(cls.prometheus.close)
        cls.work(cls.sound)
        cls.dashboards = {}
        for path in DASHBOARDS:
            with open(path, encoding="utf-8") as file:
                cls.dashboards[os.path.basename(path)] = json.load(file)

    @staticmethod
    def work(broker):
        """A normal day in short: topics, records in and out, a segment sealed, and a client that asks for what is not there."""
        client = RawClient(broker.bootstrap)
        topic = client.new_topic(configs={"segment.bytes": str(MIB)})
        for _ in range(40):
            assert client.produce(topic, LARGE_BATCH)[0] == NONE
        assert client.fetch(topic, 0, 0)[0] == NONE
        assert client.fetch("no-such-topic", 0, 0)[0] != NONE
        client.close()
        group_broker.await_coordinator(broker.bootstrap)
        member = RawMember(broker.bootstrap, "readers", topics=[topic])
        assert member.join()["error"] == NONE
        assert member.sync({member.member: assignment({topic: [0]})})["error"] == NONE
        commit(member, topic, 40)
        assert member.leave()["error"] == NONE
        member.close()
        return topic

    def eventually(self, holds, told):
        deadline = time.monotonic() + PATIENCE
        while not holds():
            self.assertLess(time.monotonic(), deadline, told() if callable(told) else told)
            time.sleep(0.3)

    def seen(self, expression):
        self.eventually(lambda: self.prometheus.query(expression), f"nothing is served for {expression}")

    # --- the rules -----------------------------------------------------------------------------------------------------
    def test_promtool_finds_the_rules_sound(self):
        checked = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(checked.returncode, 0, checked)
        told, _ = self.rule_tests.communicate(timeout=240)
        self.assertEqual(self.rule_tests.returncode, 0, told)

    def test_each_alert_is_shown_firing(self):
        with open(RULE_TESTS, encoding="utf-8") as file:
            shown = set(re.findall(r'labels: \'\{alertname="(\w+)"\}', file.read()))
        self.assertEqual({rule["name"] for rule in self.prometheus.alerts()}, shown)

    def test_each_alert_says_what_happened_to_whom_and_how_bad_it_is(self):
        for rule in self.prometheus.alerts():
            with self.subTest(rule["name"]):
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                self.assertEqual(set(rule["annotations"]), {"summary", "description"})
                if rule["name"] != "TidemarkNoNodes":
                    for text in rule["annotations"].values():
                        self.assertIn("{{ $labels.instance }}", text)

    def test_the_rules_look_at_what_a_node_serves(self):
        for rule in self.prometheus.alerts():
            selectors = SELECTOR.findall(rule["query"])
            self.assertTrue(selectors, rule)
            for selector in selectors:
                with self.subTest(rule["name"], selector=selector):
                    self.seen(selector)

    # --- the dashboards ------------------------------------------------------------------------------------------------
    def test_each_panel_shows_something(self):
        self.assertEqual(len(self.dashboards), 3)
        for name, dashboard in self.dashboards.items():
            for panel, expression in expressions(dashboard):
                with self.subTest(name, panel=panel, expression=expression):
                    self.assertNotIn("$", expression)
                    self.seen(expression)
                    for selector in SELECTOR.findall(expression):
                        self.seen(selector)

    def test_each_panel_has_a_unit_and_says_what_it_shows(self):
        for name, dashboard in self.dashboards.items():
            ids = [panel["id"] for panel in dashboard["panels"]]
            self.assertEqual(len(ids), len(set(ids)), name)
            for panel in dashboard["panels"]:
                if panel["type"] == "row":
                    continue
                with self.subTest(name, panel=panel["title"]):
                    self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                    self.assertTrue(panel["description"])
                    for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])]:
                        self.assertEqual(source, {"type": "prometheus", "uid": "${datasource}"})

    def test_the_panels_name_alerts_that_exist(self):
        alerts = {rule["name"] for rule in self.prometheus.alerts()}
        for dashboard in self.dashboards.values():
            for panel in dashboard["panels"]:
                self.assertLessEqual(set(re.findall(r"Tidemark[A-Z]\w+", panel.get("description", ""))), alerts, panel["title"])

    def test_the_variables_have_values(self):
        for dashboard in self.dashboards.values():
            variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
            self.assertEqual((variables["datasource"]["type"], variables["datasource"]["query"]), ("datasource", "prometheus"))
            for variable in variables.values():
                if variable["type"] == "query":
                    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
                    self.eventually(lambda: self.prometheus.api(f"label/{label}/values", **{"match[]": metric}), variable["name"])

    # --- a node comes to harm ------------------------------------------------------------------------------------------
    def alerts_come(self, broker, expected, meanwhile=lambda: None):
        """Those, and no others that are about more than the machine's speed."""
        fired = {}

        def have_come():
            nonlocal fired
            meanwhile()
            fired = self.prometheus.firing(broker.http)
            return set(fired) - OF_A_SLOW_MACHINE == expected

        self.eventually(have_come, lambda: f"{expected} should fire, and there are {set(fired)}")
        for alert in fired.values():
            for text in alert["annotations"].values():
                self.assertIn(broker.http, text)
                self.assertNotRegex(text, r"<no value>|<error|%!|\{\{")

    def test_alerts_fire_for_a_node_that_comes_to_harm_and_for_no_other(self):
        topic = self.work(self.harmed)
        self.harmed.kill()
        self.alerts_come(self.harmed, {"TidemarkNodeDown"})
        self.harmed.start()
        self.alerts_come(self.harmed, set())

        # The scrub finds it five seconds after the start.
        self.harmed.stop()
        segments = sorted(glob.glob(os.path.join(self.harmed.data_dir, f"{topic}-0", "*.log")))
        self.assertGreater(len(segments), 2)
        brokers.rot(segments[1], 90_000)
        self.harmed.start()
        client = RawClient(self.harmed.bootstrap)
        self.addCleanup(client.close)
        refused = []
        self.alerts_come(self.harmed, {"TidemarkScrubFoundDamage", "TidemarkPartitionOffline", "TidemarkStorageErrors"},
                         meanwhile=lambda: refused.append(client.produce(topic, batch([b"x"]))[0]))
        self.assertEqual(refused[-1], KAFKA_STORAGE_ERROR)

        # All this while the other node has worked and been looked at.
        self.assertGreater(int(self.prometheus.query(f'count_over_time(up{{instance="{self.sound.http}"}}[10m])')[0]["value"][1]), 5)
        fired = {found["metric"]["alertname"] for found in self.prometheus.query(
            f'count_over_time(ALERTS{{alertstate="firing", instance="{self.sound.http}"}}[10m])')}
        self.assertEqual(fired - OF_A_SLOW_MACHINE, set())
        for rule in self.prometheus.alerts():
            self.assertEqual(rule["health"], "ok", rule)

    def set_config(self, *words):
        subprocess.run([os.path.join(brokers.BIN, "tidemark"), "config", "set", *words], check=True, timeout=60, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, TIDEMARK_BOOTSTRAP=self.troubled.bootstrap))

    def test_alerts_fire_for_groups_in_trouble_and_for_a_cleaner_that_cannot_get_on(self):
        client = RawClient(self.troubled.bootstrap)
        self.addCleanup(client.close)
        compacted = client.new_topic(configs={"segment.bytes": str(MIB), "cleanup.policy": "compact",
                                              "min.compaction.lag.ms": str(10 * HOUR_MS)})
        for _ in range(40):
            self.assertEqual(client.produce(compacted, batch([b"x" * 60_000], keys=[b"k"]))[0], NONE)
        group_broker.await_coordinator(self.troubled.bootstrap)
        reader = RawMember(self.troubled.bootstrap, "simple")
        commit(reader, compacted, ODD_OFFSET)
        reader.close()
        self.troubled.stop()
        make_unreadable(self.troubled.data_dir, ODD_OFFSET)
        brokers.rot(sorted(glob.glob(os.path.join(self.troubled.data_dir, f"{compacted}-0", "*.log")))[0], 90_000)
        self.troubled.start()
        self.alerts_come(self.troubled, {"TidemarkGroupRecordsUnreadable"})
        self.set_config("topic", compacted, "min.compaction.lag.ms=0")
        self.alerts_come(self.troubled, {"TidemarkGroupRecordsUnreadable", "TidemarkPartitionUncleanable"})

        # From now on the cleaner reads a byte in a second, of a topic that wanted to be clean an hour ago.
        self.set_config("broker", "default", "log.cleaner.io.max.bytes.per.second=1")
        client = RawClient(self.troubled.bootstrap)
        self.addCleanup(client.close)
        late = client.new_topic(configs={"segment.bytes": str(MIB), "cleanup.policy": "compact", "max.compaction.lag.ms": "1000"})
        long_ago = int(time.time() * 1000) - HOUR_MS
        for _ in range(40):
            self.assertEqual(client.produce(late, batch([b"x" * 60_000], keys=[b"k"], timestamp_ms=long_ago))[0], NONE)

        # A group that has stopped reading, and rebalances; and one that nobody is in any more.
        topic = client.new_topic()
        old = batch([b"x"] * 200, timestamp_ms=long_ago)
        for _ in range(10):
            self.assertEqual(client.produce(topic, old)[0], NONE)
        group_broker.await_coordinator(self.troubled.bootstrap)
        deserted = RawMember(self.troubled.bootstrap, "deserted")
        commit(deserted, topic, 0)
        deserted.close()
        stuck = RawMember(self.troubled.bootstrap, "stuck", topics=[topic], session_timeout_ms=300_000)
        self.addCleanup(stuck.close)
        for _ in range(5):
            self.assertEqual(stuck.join()["error"], NONE)
            self.assertEqual(stuck.sync({stuck.member: assignment({topic: [0]})})["error"], NONE)
        commit(stuck, topic, 0)
        self.alerts_come(self.troubled, {
            "TidemarkGroupRecordsUnreadable", "TidemarkPartitionUncleanable", "TidemarkLogCleanerBehind", "TidemarkGroupLagGrows",
            "TidemarkGroupLagOld", "TidemarkGroupRebalances", "TidemarkGroupWithoutMembers"},
                         meanwhile=lambda: client.produce(topic, old))


if __name__ == "__main__":
    unittest.main()
