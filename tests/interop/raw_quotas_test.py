#!/usr/bin/python3
"""Client quotas by hand: AlterClientQuotas and DescribeClientQuotas in every version, with everything wrong that can be.
Every expectation here is genuine Kafka's behaviour (4.3), except where a test is `tidemark_only`."""

import time
import unittest
import uuid

import broker as brokers
import client_suite
from quota_messages import ANY, CLIENT, DEFAULT, DESCRIBE_SCRAM, EXACT, IP, USER, QuotaClient, entity, entry

NONE, UNSUPPORTED_VERSION, INVALID_REQUEST, POLICY_VIOLATION = 0, 35, 42, 44
RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE = 91, 92
DONE = (NONE, None)
RATE = {"producer_byte_rate": 5.0}


def ops(who, *pairs):
    """Keys in their order, perhaps twice."""
    return {"entity": who, "ops": [{"key": key, "value": value, "remove": False} for key, value in pairs]}


class RawQuotas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()
        cls.addClassCleanup(cls.broker.close)

    def setUp(self):
        self.client = QuotaClient(self.broker.bootstrap)
        self.addCleanup(self.client.close)
        self.addCleanup(self.remove_all)
        self.name = f"q-{uuid.uuid4().hex[:8]}"

    def remove_all(self):
        for parts, quotas in self.client.describe().items():
            who = [{"type": kind, "name": name} for kind, name in parts]
            self.client.alter(entry(who, **dict.fromkeys(quotas)))
        self.assert_described(expected={})

    def refused(self, *entries, error=INVALID_REQUEST):
        (code, message), = self.client.alter(*entries)
        self.assertEqual(code, error, message)
        return message

    def assert_described(self, *components, strict=False, expected):
        """At once; a genuine broker hears of what its controller answered a little later."""
        deadline = time.monotonic() + (10 if self.broker.is_external else 0)
        for version in (0, 1):
            while True:
                found = self.client.describe(*components, strict=strict, version=version)
                if found == expected or time.monotonic() >= deadline:
                    break
                time.sleep(0.02)
            self.assertEqual(found, expected)

    # --- what is set is there ---------------------------------------------------------------------------------------
    def test_quotas_are_set_changed_and_removed_in_every_version(self):
        for version in (0, 1):
            with self.subTest(version=version):
                who = entity(user=self.name, client="app")
                key = ((CLIENT, "app"), (USER, self.name))
                self.assertEqual(self.client.alter(entry(who, **RATE, request_percentage=50.5), version=version), [DONE])
                mine = [(USER, EXACT, self.name)]
                self.assert_described(*mine, expected={key: {**RATE, "request_percentage": 50.5}})
                self.assertEqual(self.client.alter(entry(who, producer_byte_rate=6.0, request_percentage=None),
                                                   version=version), [DONE])
                self.assert_described(*mine, expected={key: {"producer_byte_rate": 6.0}})
                self.assertEqual(self.client.alter(entry(who, producer_byte_rate=None, consumer_byte_rate=None),
                                                   version=version), [DONE])
                self.assert_described(*mine, expected={})

    def test_validate_only_changes_nothing(self):
        who = entity(user=self.name)
        self.assertEqual(self.client.alter(entry(who, **RATE), validate_only=True), [DONE])
        self.assert_described((USER, EXACT, self.name), expected={})
        (code, _), = self.client.alter(entry(who, nonsense=5.0), validate_only=True)
        self.assertEqual(code, INVALID_REQUEST)

    def test_nothing_is_asked(self):
        self.assertEqual(self.client.alter(), [])
        self.assertEqual(self.client.alter({"entity": entity(user=self.name), "ops": []}), [DONE])

    # --- entities -------------------------------------------------------------------------------------------------------
    def test_entities_that_cannot_be(self):
        self.assertEqual(self.refused(entry([], **RATE)), "Invalid empty client quota entity")
        self.assertEqual(self.refused(entry(entity(user=""), **RATE)), "Empty user not supported")
        self.assertEqual(self.refused(entry(entity(client=""), **RATE)), "Empty client-id not supported")
        self.assertEqual(self.refused(entry(entity(ip=""), connection_creation_rate=5.0)), "Empty ip not supported")
        self.assertEqual(self.refused(entry([{"type": "team", "name": "a"}], **RATE)),
                         "Unhandled client quota entity type: team")
        self.assertEqual(self.refused(entry(entity(ip="1.2.3.4", user="bob"), connection_creation_rate=5.0)),
                         "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId")
        self.assertEqual(self.refused(entry(entity(ip="300.1.1.1"), connection_creation_rate=5.0)),
                         "300.1.1.1 is not a valid IP or resolvable host.")

    def test_addresses(self):
        for address in ("10.1.2.3", "::1", "2001:db8::7", "localhost", None):
            with self.subTest(address=address):
                self.assertEqual(self.client.alter(entry(entity(ip=address), connection_creation_rate=5.0)), [DONE])
                component = (IP, DEFAULT, None) if address is None else (IP, EXACT, address)
                self.assert_described(component, expected={((IP, address),): {"connection_creation_rate": 5.0}})
                self.client.alter(entry(entity(ip=address), connection_creation_rate=None))

    def test_a_type_named_twice_is_as_named_last(self):
        who = [{"type": USER, "name": self.name + "a"}, {"type": USER, "name": self.name + "b"}]
        self.assertEqual(self.client.alter(entry(who, **RATE)), [DONE])
        self.assert_described((USER, EXACT, self.name + "a"), expected={})
        self.assert_described((USER, EXACT, self.name + "b"), expected={((USER, self.name + "b"),): RATE})

    def test_an_entity_named_twice(self):
        who = entity(user=self.name)
        self.assertEqual(self.client.alter(entry(who, producer_byte_rate=11.0), entry(who, producer_byte_rate=12.0)),
                         [(INVALID_REQUEST, "Ignoring duplicate entity ClientQuotaEntity(entries={user=%s})" % self.name)])
        self.assert_described((USER, EXACT, self.name), expected={((USER, self.name),): {"producer_byte_rate": 11.0}})

    # --- keys and values ----------------------------------------------------------------------------------------------
    def test_keys_and_values_that_cannot_be(self):
        bob, address = entity(user=self.name), entity(ip="1.2.3.4")
        for who, key, value, message in (
                (bob, "nonsense", 5.0, "Invalid configuration key nonsense"),
                (bob, "connection_creation_rate", 5.0, "Invalid configuration key connection_creation_rate"),
                (address, "producer_byte_rate", 5.0, "Invalid configuration key producer_byte_rate"),
                (bob, "producer_byte_rate", 0.0, "Quota producer_byte_rate must be greater than 0"),
                (bob, "request_percentage", -1.0, "Quota request_percentage must be greater than 0"),
                (bob, "consumer_byte_rate", 1.5, "consumer_byte_rate cannot be a fractional value."),
                (bob, "producer_byte_rate", 1e30, "Proposed value for producer_byte_rate is too large for a LONG."),
                (address, "connection_creation_rate", 2147483648.0,
                 "Proposed value for connection_creation_rate is too large for an INT."),
                (address, "connection_creation_rate", 1.5, "connection_creation_rate cannot be a fractional value.")):
            with self.subTest(key=key, value=value):
                self.assertEqual(self.refused(ops(who, (key, value))), message)
        self.assert_described((USER, EXACT, self.name), expected={})
        self.assertEqual(self.client.alter(ops(bob, ("request_percentage", 0.25), ("controller_mutation_rate", 0.5))), [DONE])
        self.assert_described((USER, EXACT, self.name), expected={
            ((USER, self.name),): {"request_percentage": 0.25, "controller_mutation_rate": 0.5}})

    def test_what_cannot_be_may_be_removed(self):
        self.assertEqual(self.client.alter(entry(entity(user=self.name), nonsense=None)), [DONE])

    def test_one_bad_key_keeps_back_the_others(self):
        message = self.refused(ops(entity(user=self.name), ("producer_byte_rate", 1.0), ("zz", 2.0)))
        self.assertEqual(message, "Invalid configuration key zz")
        message = self.refused(ops(entity(user=self.name), ("producer_byte_rate", 1.0), ("producer_byte_rate", 2.0)))
        self.assertEqual(message, "Ignoring duplicate entity ClientQuotaEntity(entries={user=%s})" % self.name)
        self.assert_described((USER, EXACT, self.name), expected={})

    def test_too_many_at_once(self):
        many = [entry(entity(user=f"{self.name}-{i}"), **RATE) for i in range(10_001)]
        answers = self.client.alter(*many)
        self.assertEqual(set(answers), {(POLICY_VIOLATION, "Request parameters do not satisfy the configured policy.")})
        self.assertEqual(len(answers), 10_001)
        self.assertEqual(self.client.describe(), {})

    # --- filters --------------------------------------------------------------------------------------------------------
    def test_filters(self):
        a, b = self.name + "a", self.name + "b"
        entities = [entity(user=a), entity(user=b), entity(user=None), entity(client="x"), entity(client=None),
                    entity(user=a, client="x"), entity(user=a, client=None), entity(user=None, client=None)]
        self.assertEqual(self.client.alter(*(entry(who, **RATE) for who in entities)), [DONE] * len(entities))
        self.client.alter(entry(entity(ip="10.0.0.1"), connection_creation_rate=3.0))

        def of(*wanted):
            return {tuple(sorted((part["type"], part["name"]) for part in who)): RATE for who in wanted}
        by = dict(zip(("a", "b", "default", "x", "client default", "a x", "a default", "all default"), entities))
        self.assert_described(strict=True, expected={})
        any_user, any_client = (USER, ANY, None), (CLIENT, ANY, None)
        for components, strict, names in (
                ([any_user], True, ["a", "b", "default"]),
                ([any_user], False, ["a", "b", "default", "a x", "a default", "all default"]),
                ([(USER, EXACT, a)], True, ["a"]),
                ([(USER, EXACT, a)], False, ["a", "a x", "a default"]),
                ([(USER, DEFAULT, None)], True, ["default"]),
                ([(USER, DEFAULT, None)], False, ["default", "all default"]),
                ([any_user, any_client], False, ["a x", "a default", "all default"]),
                ([(USER, EXACT, a), (CLIENT, DEFAULT, None)], True, ["a default"]),
                ([any_client], True, ["x", "client default"]),
                ([(USER, EXACT, "nobody")], False, [])):
            with self.subTest(components=components, strict=strict):
                self.assert_described(*components, strict=strict, expected=of(*(by[name] for name in names)))
        self.assert_described((IP, ANY, None), expected={((IP, "10.0.0.1"),): {"connection_creation_rate": 3.0}})
        self.assertEqual(len(self.client.describe()), 9)

    def test_filters_that_cannot_be(self):
        for components, error, message in (
                ([("", ANY, None)], INVALID_REQUEST, "Invalid empty entity type."),
                ([("team", ANY, None)], UNSUPPORTED_VERSION, "Unsupported entity type team"),
                ([(USER, 7, None)], INVALID_REQUEST, "Unknown match type 7"),
                ([(USER, EXACT, None)], INVALID_REQUEST, "Request specified MATCH_TYPE_EXACT, but set match string to null."),
                ([(USER, DEFAULT, "x")], INVALID_REQUEST,
                 "Request specified MATCH_TYPE_DEFAULT, but also specified a match string."),
                ([(USER, ANY, "x")], INVALID_REQUEST,
                 "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string."),
                ([(USER, ANY, None)] * 2, INVALID_REQUEST, "Entity type user cannot appear more than once in the filter."),
                ([(IP, ANY, None), (USER, ANY, None)], INVALID_REQUEST,
                 "Invalid entity filter component combination. IP filter component should not be used with user or clientId "
                 "filter component.")):
            for version in (0, 1):
                with self.subTest(components=components, version=version):
                    answer = self.client.describe_raw(*components, version=version)
                    self.assertEqual((answer["error"], answer["message"], answer["entries"]), (error, message, None))
        answer = self.client.describe_raw((USER, EXACT, "nobody"))
        self.assertEqual((answer["error"], answer["message"], answer["entries"]), (NONE, "", []))

    # --- what kafka-configs asks beside the quotas of users -------------------------------------------------------------
    def test_nobody_has_scram_credentials(self):
        def results(*users):
            answer = self.client.call(DESCRIBE_SCRAM, 0, users=[{"name": user} for user in users])
            self.assertEqual((answer["error"], answer["message"]), (NONE, ""))
            return {found["user"]: (found["error"], found["message"], found["infos"]) for found in answer["results"]}

        def no_such(user):
            return RESOURCE_NOT_FOUND, f"Attempt to describe a user credential that does not exist: {user}", []
        self.assertEqual(self.client.call(DESCRIBE_SCRAM, 0, users=None)["results"], [])
        self.assertEqual(results(), {})
        self.assertEqual(results("alice", ""), {"alice": no_such("alice"), "": no_such("")})
        self.assertEqual(results("alice", "bob", "alice"), {
            "bob": no_such("bob"), "alice": (DUPLICATE_RESOURCE, "Cannot describe SCRAM credentials for the same user twice in a "
                                             "single request: alice", [])})

    # --- ours ---------------------------------------------------------------------------------------------------------
    @brokers.tidemark_only("Kafka takes it, and has no limit then")
    def test_a_quota_that_is_no_number_is_refused(self):
        self.assertEqual(self.refused(ops(entity(user=self.name), ("producer_byte_rate", float("nan")))),
                         "Quota producer_byte_rate must be greater than 0")

    @brokers.tidemark_only("kills the broker")
    def test_quotas_are_there_after_a_kill_and_after_a_snapshot(self):
        broker = brokers.Broker(properties={"metadata.log.max.record.bytes.between.snapshots": 1}).start()
        self.addCleanup(broker.close)
        client = QuotaClient(broker.bootstrap)
        expected = {((CLIENT, None), (USER, "a")): RATE, ((IP, "::1"),): {"connection_creation_rate": 7.0}}
        client.alter(entry(entity(user="a", client=None), **RATE), entry(entity(ip="::1"), connection_creation_rate=7.0))
        for end in (broker.kill, broker.stop, broker.kill):
            client.close()
            end()
            broker.start()
            client = QuotaClient(broker.bootstrap)
            self.assertEqual(client.describe(), expected)
        client.close()


if __name__ == "__main__":
    client_suite.main(__name__)
