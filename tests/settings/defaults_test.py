#!/usr/bin/python3
"""Every broker setting that gives topics a default, seen from outside: the tests of topics_test.py once more, but a topic has
another value by its daemon's, and itself sets nothing. A test there for which no broker's setting is named here fails. And all of it
again with values that change while the daemon runs, and has the topic."""

import os
import sys

import topics_test
from topics_test import HOUR_MS, NONE

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import client_suite  # noqa: E402
from admin_messages import INCREMENTAL_ALTER_CONFIGS  # noqa: E402

MINUTE_MS = 60_000
INVALID_REQUEST = 42
BROKER, ALL_BROKERS = 4, ""


class GivenByTheBroker:
    """Before a test: its broker's setting, and how many of the topic's units are one of that."""

    given_by, unit = None, None

    def topic_with(self, setting, value, both=None, partitions=1):
        self.assertIsNotNone(self.given_by, f"which of a broker's settings is the default of {setting}?")
        place = self.open_place({self.given_by: self.in_its_unit(value)})
        self.addCleanup(place.close)
        return place.new_topic(both, partitions)

    def in_its_unit(self, value):
        return str(int(value) // self.unit) if self.unit else value


class ChangedWhileItRuns:
    """A default that comes when its topic is there already."""

    at_start_only = ("log.retention.minutes", "log.retention.hours", "log.roll.hours", "log.roll.jitter.hours",
                     "log.flush.scheduler.interval.ms")

    def topic_with(self, _setting, value, both=None, partitions=1):
        place = self.open_place()
        self.addCleanup(place.close)
        topic = place.new_topic(both, partitions)
        change = {"name": self.given_by, "value": self.in_its_unit(value)}
        answer = place.client.call(INCREMENTAL_ALTER_CONFIGS, 1,
                                   resources=[{"type": BROKER, "name": ALL_BROKERS, "configs": [change]}])["responses"][0]
        if self.given_by in self.at_start_only:
            self.assertEqual(answer["error"], INVALID_REQUEST, answer)
            self.skipTest("as in Kafka, this cannot change while the node runs")
        self.assertEqual(answer["error"], NONE, answer)
        return topic


class TopicDefaults(GivenByTheBroker, topics_test.TopicSettings):
    def test_cleanup_policy(self):
        self.given_by = "log.cleanup.policy"
        super().test_cleanup_policy()

    def test_min_cleanable_dirty_ratio(self):
        self.given_by = "log.cleaner.min.cleanable.ratio"
        super().test_min_cleanable_dirty_ratio()

    def test_min_compaction_lag_ms(self):
        self.given_by = "log.cleaner.min.compaction.lag.ms"
        super().test_min_compaction_lag_ms()

    def test_max_compaction_lag_ms(self):
        self.given_by = "log.cleaner.max.compaction.lag.ms"
        super().test_max_compaction_lag_ms()

    def test_delete_retention_ms(self):
        self.given_by = "log.cleaner.delete.retention.ms"
        super().test_delete_retention_ms()

    def test_retention_ms(self):
        self.given_by = "log.retention.ms"
        super().test_retention_ms()

    def test_retention_minutes(self):
        self.given_by, self.unit = "log.retention.minutes", MINUTE_MS
        super().test_retention_ms()

    def test_retention_hours(self):
        self.given_by, self.unit = "log.retention.hours", HOUR_MS
        super().test_retention_ms()

    def test_retention_bytes(self):
        self.given_by = "log.retention.bytes"
        super().test_retention_bytes()

    def test_file_delete_delay_ms(self):
        self.given_by = "log.segment.delete.delay.ms"
        super().test_file_delete_delay_ms()

    def test_segment_bytes(self):
        self.given_by = "log.segment.bytes"
        super().test_segment_bytes()

    def test_segment_ms(self):
        self.given_by = "log.roll.ms"
        super().test_segment_ms()

    def test_segment_hours(self):
        self.given_by, self.unit = "log.roll.hours", HOUR_MS
        super().test_segment_ms()

    def test_segment_jitter_ms(self):
        self.given_by = "log.roll.jitter.ms"
        super().test_segment_jitter_ms()

    def test_segment_jitter_hours(self):
        self.given_by, self.unit = "log.roll.jitter.hours", HOUR_MS
        super().test_segment_jitter_ms()

    def test_segment_index_bytes(self):
        self.given_by = "log.index.size.max.bytes"
        super().test_segment_index_bytes()

    def test_index_interval_bytes(self):
        self.given_by = "log.index.interval.bytes"
        super().test_index_interval_bytes()

    def test_max_message_bytes(self):
        self.given_by = "message.max.bytes"
        super().test_max_message_bytes()

    def test_message_timestamp_after_max_ms(self):
        self.given_by = "log.message.timestamp.after.max.ms"
        super().test_message_timestamp_after_max_ms()

    def test_message_timestamp_before_max_ms(self):
        self.given_by = "log.message.timestamp.before.max.ms"
        super().test_message_timestamp_before_max_ms()

    def test_message_timestamp_type(self):
        self.given_by = "log.message.timestamp.type"
        super().test_message_timestamp_type()

    def test_min_insync_replicas(self):
        self.given_by = "min.insync.replicas"
        super().test_min_insync_replicas()

    def test_compression_type(self):
        self.given_by = "compression.type"
        super().test_compression_type()

    def test_compression_gzip_level(self):
        self.given_by = "compression.gzip.level"
        super().test_compression_gzip_level()

    def test_compression_lz4_level(self):
        self.given_by = "compression.lz4.level"
        super().test_compression_lz4_level()

    def test_compression_zstd_level(self):
        self.given_by = "compression.zstd.level"
        super().test_compression_zstd_level()


class DurabilityDefaults(GivenByTheBroker, topics_test.DurabilitySettings):
    def test_write_caching(self):
        self.given_by = "write.caching"
        super().test_write_caching()

    def test_flush_messages(self):
        self.given_by = "log.flush.interval.messages"
        super().test_flush_messages()

    def test_flush_ms(self):
        self.given_by = "log.flush.interval.ms"
        super().test_flush_ms()

    def test_flush_scheduler(self):
        self.given_by = "log.flush.scheduler.interval.ms"
        super().test_flush_ms()


class ChangedTopicDefaults(ChangedWhileItRuns, TopicDefaults):
    pass


class ChangedDurabilityDefaults(ChangedWhileItRuns, DurabilityDefaults):
    pass


if __name__ == "__main__":
    client_suite.main(__name__)
