"""A broker to test consumer groups against: quick rebalances, short sessions, and its coordinator awake."""

import time
import unittest

import broker as brokers
from confluent_admin import Admin
from group_messages import DESCRIBE_GROUPS, FIND_COORDINATOR
from raw_member import RawMember

PROPERTIES = {"group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "500"}
GROUP = 0  # the coordinator's type


def open_group_broker():
    broker = brokers.open_broker(properties=PROPERTIES)
    try:
        await_coordinator(broker.bootstrap)
    except BaseException:
        broker.close()
        raise
    return broker


class GroupBrokerTest(unittest.TestCase):
    """Tests of one class share such a broker."""

    @classmethod
    def setUpClass(cls):
        cls.broker = open_group_broker()

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()


def await_coordinator(bootstrap, patience_seconds=30):
    """Genuine Kafka makes its offsets topic at the first question for a coordinator, and loads it before it answers."""
    client = RawMember(bootstrap, "await-coordinator")
    try:
        deadline = time.monotonic() + patience_seconds
        while True:
            found = client.call(FIND_COORDINATOR, 3, key=client.group, key_type=GROUP)
            if found["error"] == 0:
                found, = client.call(DESCRIBE_GROUPS, 5, groups=[client.group])["groups"]
                if found["error"] == 0:
                    return
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
    finally:
        client.close()


def shortest_session_ms(bootstrap):
    """The shortest session timeout that the broker allows, yet long enough for a busy machine."""
    admin = Admin(bootstrap)
    broker_id = next(iter(admin.client.list_topics(timeout=30).brokers))
    return max(1500, int(admin.describe_configs("broker", str(broker_id))["group.min.session.timeout.ms"].value))
