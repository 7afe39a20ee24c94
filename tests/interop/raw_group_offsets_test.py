#!/usr/bin/python3
"""Committed offsets and the administration of groups by hand, in every version and with everything wrong that can be.
Every expectation here is genuine Kafka's behaviour (4.3)."""

import time
import uuid

import client_suite
import group_broker
from confluent_admin import Admin
from group_messages import (DELETE_GROUPS, DESCRIBE_GROUPS, LIST_GROUPS, OFFSET_COMMIT, OFFSET_DELETE, OFFSET_FETCH, assignment,
                            subscription)
from raw_member import RawMember

NONE, UNKNOWN_TOPIC_OR_PARTITION, OFFSET_METADATA_TOO_LARGE, ILLEGAL_GENERATION, INVALID_GROUP_ID = 0, 3, 12, 22, 24
UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, GROUP_SUBSCRIBED_TO_TOPIC = 25, 27, 68, 69, 86
COMMIT_VERSIONS, FETCH_VERSIONS = range(2, 10), range(1, 10)
NOT_ASKED = -(1 << 31)  # for the authorized operations


class RawGroupOffsets(group_broker.GroupBrokerTest):
    def setUp(self):
        self.group = f"raw-{uuid.uuid4().hex[:8]}"
        self.outsider = self.member()
        self.topic = self.outsider.new_topic(3)

    def member(self, group=None, **settings):
        member = RawMember(self.broker.bootstrap, group or self.group, **settings)
        self.addCleanup(member.close)
        return member

    def stable_member(self, topics=None, sync=True):
        member = self.member(topics=topics or [self.topic])
        self.assertEqual(member.join()["error"], NONE)
        if sync:
            self.assertEqual(member.sync({member.member: assignment({self.topic: [0, 1, 2]})})["error"], NONE)
        return member

    def commit(self, offsets, version=9, group=None, topic=None, metadata="", leader_epoch=-1, **identity):
        """`offsets`: {partition: offset}. Returns {partition: error}."""
        partitions = [{"partition": partition, "offset": offset, "leader_epoch": leader_epoch, "metadata": metadata}
                      for partition, offset in offsets.items()]
        answer = self.outsider.call(OFFSET_COMMIT, version, group=self.group if group is None else group,
                                    topics=[{"topic": topic or self.topic, "partitions": partitions}], **identity)
        found, = answer["topics"]
        self.assertEqual(found["topic"], topic or self.topic)
        return {entry["partition"]: entry["error"] for entry in found["partitions"]}

    def fetch(self, version=9, group=None, topics=..., **fields):
        """(error, {(topic, partition): (offset, metadata, error)}); `topics` None asks for all."""
        group = self.group if group is None else group
        topics = [{"topic": self.topic, "partitions": [0, 1, 2]}] if topics is ... else topics
        if version >= 8:
            answer = self.outsider.call(OFFSET_FETCH, version, groups=[{"group": group, "topics": topics}], **fields)
            found, = answer["groups"]
            self.assertEqual(found["group"], group)
        else:
            found = self.outsider.call(OFFSET_FETCH, version, group=group, topics=topics, **fields)
        return found.get("error", NONE), self.by_partition(found["topics"])

    def by_partition(self, topics):
        return {(topic["topic"], entry["partition"]): (entry["offset"], entry["metadata"], entry["error"])
                for topic in topics for entry in topic["partitions"]}

    def delete_offsets(self, partitions, group=None, topic=None):
        """(error, {partition: error})"""
        answer = self.outsider.call(OFFSET_DELETE, 0, group=self.group if group is None else group, topics=[
            {"topic": topic or self.topic, "partitions": [{"partition": partition} for partition in partitions]}])
        return answer["error"], {entry["partition"]: entry["error"]
                                 for found in answer["topics"] for entry in found["partitions"]}

    def delete_groups(self, *groups, version=2):
        answer = self.outsider.call(DELETE_GROUPS, version, groups=list(groups))
        return {entry["group"]: entry["error"] for entry in answer["results"]}

    def describe(self, *groups, version=6, **fields):
        answer = self.outsider.call(DESCRIBE_GROUPS, version, groups=list(groups), **fields)
        return {entry["group"]: entry for entry in answer["groups"]}

    def listed(self, version=5, **filters):
        answer = self.outsider.call(LIST_GROUPS, version, **filters)
        self.assertEqual(answer["error"], NONE)
        return {entry["group"]: entry for entry in answer["groups"]}

    # --- without membership ------------------------------------------------------------------------------------------
    def test_commits_and_fetches_of_every_version(self):
        for version in COMMIT_VERSIONS:
            self.assertEqual(self.commit({0: 100 + version}, version, metadata=f"of {version}"), {0: NONE})
            for fetch in FETCH_VERSIONS:
                with self.subTest(commit=version, fetch=fetch):
                    committed = (100 + version, f"of {version}", NONE)
                    self.assertEqual(self.fetch(fetch), (NONE, {
                        (self.topic, 0): committed, (self.topic, 1): (-1, "", NONE), (self.topic, 2): (-1, "", NONE)}))
                    if fetch >= 2:
                        self.assertEqual(self.fetch(fetch, topics=None), (NONE, {(self.topic, 0): committed}))
                    self.assertEqual(self.fetch(fetch, topics=[]), (NONE, {}))
                    if fetch >= 7:
                        self.assertEqual(self.fetch(fetch, topics=None, require_stable=True),
                                         (NONE, {(self.topic, 0): committed}))

    def test_the_leader_epoch_is_kept(self):
        self.assertEqual(self.commit({0: 1}, leader_epoch=3), {0: NONE})
        for version in (5, 6, 7):
            answer = self.outsider.call(OFFSET_FETCH, version, group=self.group, topics=None)
            self.assertEqual(answer["topics"][0]["partitions"][0]["leader_epoch"], 3)
        self.assertEqual(self.commit({0: 2}, version=5), {0: NONE})  # a version without one
        answer = self.outsider.call(OFFSET_FETCH, 7, group=self.group, topics=None)
        self.assertEqual(answer["topics"][0]["partitions"][0]["leader_epoch"], -1)

    def test_several_groups_in_one_fetch(self):
        other, nobody = f"{self.group}-other", f"{self.group}-nobody"
        self.commit({0: 1, 1: 2})
        self.commit({2: 3}, group=other)
        for version in (8, 9):
            answer = self.outsider.call(OFFSET_FETCH, version, groups=[
                {"group": self.group, "topics": None}, {"group": nobody, "topics": None},
                {"group": other, "topics": [{"topic": self.topic, "partitions": [2, 0]}]}])
            found = {entry["group"]: (entry["error"], self.by_partition(entry["topics"])) for entry in answer["groups"]}
            self.assertEqual(found, {
                self.group: (NONE, {(self.topic, 0): (1, "", NONE), (self.topic, 1): (2, "", NONE)}),
                nobody: (NONE, {}),
                other: (NONE, {(self.topic, 2): (3, "", NONE), (self.topic, 0): (-1, "", NONE)})})
            self.assertEqual(self.outsider.call(OFFSET_FETCH, version, groups=[])["groups"], [])

    def test_fetches_of_what_is_not_there(self):
        for version in FETCH_VERSIONS:
            with self.subTest(version=version):
                for group in (f"{self.group}-nobody", ""):
                    absent = {(self.topic, 99): (-1, "", NONE)}
                    self.assertEqual(self.fetch(version, group, [{"topic": self.topic, "partitions": [99]}]), (NONE, absent))
                absent = {("never-was", 0): (-1, "", NONE)}
                self.assertEqual(self.fetch(version, topics=[{"topic": "never-was", "partitions": [0]}]), (NONE, absent))
        self.assertNotIn(f"{self.group}-nobody", self.listed())

    def test_commits_that_are_partly_wrong(self):
        for version in COMMIT_VERSIONS:
            with self.subTest(version=version):
                self.assertEqual(self.commit({99: 1, 0: 2, -1: 3}, version), {
                    99: UNKNOWN_TOPIC_OR_PARTITION, 0: NONE, -1: UNKNOWN_TOPIC_OR_PARTITION})
                self.assertEqual(self.commit({0: 1}, version, topic="never-was"), {0: UNKNOWN_TOPIC_OR_PARTITION})

    def test_metadata_of_a_commit(self):
        longest = "m" * 4096
        self.assertEqual(self.commit({0: 1}, metadata=longest), {0: NONE})
        self.assertEqual(self.commit({0: 2}, metadata=longest + "m"), {0: OFFSET_METADATA_TOO_LARGE})
        self.assertEqual(self.fetch()[1][self.topic, 0], (1, longest, NONE))
        self.assertEqual(self.commit({0: 3}, metadata=None), {0: NONE})
        self.assertEqual(self.fetch()[1][self.topic, 0], (3, "", NONE))

    def test_commits_of_strangers(self):
        for version in COMMIT_VERSIONS:
            with self.subTest(version=version):
                nobody = f"{self.group}-nobody"
                error = GROUP_ID_NOT_FOUND if version >= 9 else ILLEGAL_GENERATION
                self.assertEqual(self.commit({0: 1}, version, nobody, generation=3, member="stranger"), {0: error})
                self.assertEqual(self.commit({0: 1}, version), {0: NONE})
                self.assertEqual(self.commit({0: 1}, version, generation=3, member="stranger"), {0: UNKNOWN_MEMBER_ID})
                # A member id without a generation is a commit without membership.
                self.assertEqual(self.commit({0: 1}, version, member="stranger"), {0: NONE})
        self.assertEqual(self.commit({0: 1}, group=""), {0: NONE})  # a group, if a commit is all that it asks for
        self.assertEqual(self.fetch(group="")[1][self.topic, 0], (1, "", NONE))
        self.assertEqual(self.describe("")[""]["state"], "Empty")
        self.assertEqual(self.delete_groups(""), {"": NONE})
        self.assertEqual(self.delete_groups(""), {"": GROUP_ID_NOT_FOUND})

    # --- of members --------------------------------------------------------------------------------------------------
    def test_commits_into_a_living_group(self):
        member = self.stable_member()
        generation, me = member.generation, member.member
        for version in COMMIT_VERSIONS:
            for identity, error in (({"generation": generation, "member": me}, NONE),
                                    ({}, UNKNOWN_MEMBER_ID),
                                    ({"generation": generation - 1, "member": me}, ILLEGAL_GENERATION),
                                    ({"generation": generation + 1, "member": me}, ILLEGAL_GENERATION),
                                    ({"generation": -1, "member": me}, ILLEGAL_GENERATION),
                                    ({"generation": generation, "member": "stranger"}, UNKNOWN_MEMBER_ID),
                                    ({"generation": generation, "member": ""}, UNKNOWN_MEMBER_ID)):
                with self.subTest(identity, version=version):
                    self.assertEqual(self.commit({0: version}, version, **identity), {0: error})
            self.assertEqual(self.fetch()[1][self.topic, 0], (version, "", NONE))

    def test_commits_during_a_rebalance(self):
        member, newcomer = self.stable_member(), self.member(topics=[self.topic])
        identity = {"generation": member.generation, "member": member.member}
        newcomer.announce()
        self.await_state("PreparingRebalance")
        self.assertEqual(self.commit({0: 1}, **identity), {0: NONE})  # the last chance before it joins again
        member.send_join()
        member.await_joined()
        newcomer.await_joined()
        self.assertEqual(self.commit({0: 2}, **identity), {0: ILLEGAL_GENERATION})
        for each in (member, newcomer):
            identity = {"generation": each.generation, "member": each.member}
            self.assertEqual(self.commit({0: 3}, **identity), {0: REBALANCE_IN_PROGRESS})
        self.assertEqual(self.fetch()[1][self.topic, 0], (1, "", NONE))

    def await_state(self, state, patience_seconds=20):
        deadline = time.monotonic() + patience_seconds
        while self.describe(self.group)[self.group]["state"] != state:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_a_group_without_members_keeps_its_offsets(self):
        member = self.stable_member()
        identity = {"generation": member.generation, "member": member.member}
        self.commit({0: 7}, **identity)
        member.leave()
        self.assertEqual(self.fetch()[1][self.topic, 0], (7, "", NONE))
        self.assertEqual(self.commit({0: 8}, **identity), {0: UNKNOWN_MEMBER_ID})
        self.assertEqual(self.commit({0: 9}), {0: NONE})
        self.assertEqual(self.stable_member().generation, 3)
        self.assertEqual(self.fetch()[1][self.topic, 0], (9, "", NONE))

    def test_a_deleted_topic_takes_its_offsets_along(self):
        doomed = self.outsider.new_topic(1)
        self.commit({0: 1})
        self.commit({0: 1}, topic=doomed)
        self.assertEqual(len(self.fetch(topics=None)[1]), 2)
        Admin(self.broker.bootstrap).delete_topic(doomed)
        deadline = time.monotonic() + 20
        while len(self.fetch(topics=None)[1]) > 1:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertEqual(self.fetch(topics=None)[1], {(self.topic, 0): (1, "", NONE)})

    # --- OffsetDelete ------------------------------------------------------------------------------------------------
    def test_offsets_are_deleted(self):
        self.commit({0: 1, 1: 2, 2: 3})
        self.assertEqual(self.delete_offsets([0, 2, 99]), (NONE, {0: NONE, 2: NONE, 99: UNKNOWN_TOPIC_OR_PARTITION}))
        self.assertEqual(self.fetch(topics=None), (NONE, {(self.topic, 1): (2, "", NONE)}))
        self.assertEqual(self.delete_offsets([0]), (NONE, {0: NONE}))  # there was none any more
        self.assertEqual(self.delete_offsets([0], topic="never-was"), (NONE, {0: UNKNOWN_TOPIC_OR_PARTITION}))
        self.assertEqual(self.delete_offsets([0], group=f"{self.group}-nobody"), (GROUP_ID_NOT_FOUND, {}))
        self.assertEqual(self.delete_offsets([0], group=""), (INVALID_GROUP_ID, {}))

    def test_offsets_of_a_subscribed_topic_are_not_deleted(self):
        member, other = self.stable_member(), self.outsider.new_topic(1)
        identity = {"generation": member.generation, "member": member.member}
        self.commit({0: 1}, **identity)
        self.commit({0: 1}, topic=other, **identity)
        self.assertEqual(self.delete_offsets([0]), (NONE, {0: GROUP_SUBSCRIBED_TO_TOPIC}))
        self.assertEqual(self.delete_offsets([0], topic=other), (NONE, {0: NONE}))
        self.assertEqual(list(self.fetch(topics=None)[1]), [(self.topic, 0)])
        member.leave()
        self.assertEqual(self.delete_offsets([0]), (NONE, {0: NONE}))

    # --- DescribeGroups ----------------------------------------------------------------------------------------------
    def test_groups_are_described_in_every_version(self):
        member, simple, nobody = self.stable_member(), f"{self.group}-simple", f"{self.group}-nobody"
        self.commit({0: 1}, group=simple)
        for version in range(7):
            with self.subTest(version=version):
                found = self.describe(self.group, simple, nobody, version=version)
                expected = {
                    self.group: {"error": NONE, "state": "Stable", "protocol_type": "consumer", "protocol": "range", "members": [
                        {"member": member.member, "client_id": "raw", "client_host": "/127.0.0.1",
                         "metadata": subscription([self.topic]), "assignment": assignment({self.topic: [0, 1, 2]})}]},
                    simple: {"error": NONE, "state": "Empty", "protocol_type": "", "protocol": "", "members": []},
                    nobody: {"error": NONE, "state": "Dead", "protocol_type": "", "protocol": "", "members": []}}
                for group, entry in expected.items():
                    entry["group"] = group
                    if version >= 3:
                        entry["authorized_operations"] = NOT_ASKED
                    if version >= 6:
                        entry["message"] = None
                if version >= 4:
                    expected[self.group]["members"][0]["instance"] = None
                if version >= 6:  # KIP-1043
                    expected[nobody].update(error=GROUP_ID_NOT_FOUND, message=f"Group {nobody} not found.")
                self.assertEqual(found, expected)

    def test_a_group_is_described_in_every_state(self):
        member = self.stable_member(sync=False)
        described = self.describe(self.group)[self.group]
        self.assertEqual((described["state"], described["protocol_type"], described["protocol"]),
                         ("CompletingRebalance", "consumer", ""))
        # Its metadata are those of a protocol, and none is in force.
        self.assertEqual((described["members"][0]["metadata"], described["members"][0]["assignment"]), (b"", b""))
        member.sync({member.member: assignment({self.topic: [0]})})
        self.assertEqual(self.describe(self.group)[self.group]["state"], "Stable")
        newcomer = self.member(topics=[self.topic])
        newcomer.announce()
        self.await_state("PreparingRebalance")
        described = self.describe(self.group)[self.group]
        self.assertEqual((described["protocol"], len(described["members"])), ("", 2))
        self.assertEqual({entry["assignment"] for entry in described["members"]}, {b"", assignment({self.topic: [0]})})
        self.assertEqual(self.delete_groups(self.group), {self.group: NON_EMPTY_GROUP})
        member.leave()
        newcomer.await_joined()
        newcomer.leave()
        described = self.describe(self.group)[self.group]
        self.assertEqual((described["state"], described["protocol_type"], described["protocol"], described["members"]),
                         ("Empty", "consumer", "", []))

    def test_the_authorized_operations_of_a_group(self):
        read, delete, describe, describe_configs, alter_configs = 3, 6, 8, 10, 11
        self.commit({0: 1})
        found = self.describe(self.group, include_authorized_operations=True)[self.group]["authorized_operations"]
        self.assertEqual(found, sum(1 << operation for operation in (read, delete, describe, describe_configs, alter_configs)))

    # --- ListGroups --------------------------------------------------------------------------------------------------
    def test_groups_are_listed_in_every_version(self):
        member, simple = self.stable_member(), f"{self.group}-simple"
        self.assertEqual(member.heartbeat(), NONE)
        self.commit({0: 1}, group=simple)
        for version in range(6):
            with self.subTest(version=version):
                expected = {self.group: {"protocol_type": "consumer"}, simple: {"protocol_type": ""}}
                for group, state in ((self.group, "Stable"), (simple, "Empty")):
                    expected[group]["group"] = group
                    if version >= 4:
                        expected[group]["state"] = state
                    if version >= 5:
                        expected[group]["type"] = "classic"
                found = self.listed(version)
                self.assertEqual({group: found[group] for group in expected}, expected)

    def test_groups_are_listed_by_state_and_type(self):
        self.stable_member()
        simple, nobody = f"{self.group}-simple", f"{self.group}-nobody"
        self.commit({0: 1}, group=simple)
        both = {self.group, simple}
        for filters, expected in (({"states": ["Stable"]}, {self.group}), ({"states": ["sTABLE"]}, {self.group}),
                                  ({"states": ["Empty"]}, {simple}), ({"states": ["Empty", "Stable"]}, both),
                                  ({"states": ["PreparingRebalance", "Bogus"]}, set()), ({"states": []}, both),
                                  ({"states": ["Dead"]}, set()), ({"types": ["classic"]}, both), ({"types": ["Classic"]}, both),
                                  ({"types": ["consumer"]}, set()), ({"types": ["bogus"]}, set()),
                                  ({"types": ["consumer", "classic"], "states": ["Empty"]}, {simple})):
            with self.subTest(filters):
                self.assertEqual(set(self.listed(**filters)) & (both | {nobody}), expected)

    # --- DeleteGroups ------------------------------------------------------------------------------------------------
    def test_groups_are_deleted_in_every_version(self):
        for version in range(3):
            with self.subTest(version=version):
                simple, nobody = f"{self.group}-simple", f"{self.group}-nobody"
                member = self.stable_member()
                self.commit({0: 1}, generation=member.generation, member=member.member)
                self.commit({0: 1}, group=simple)
                self.assertEqual(self.delete_groups(self.group, nobody, simple, version=version),
                                 {self.group: NON_EMPTY_GROUP, nobody: GROUP_ID_NOT_FOUND, simple: NONE})
                self.assertEqual(member.heartbeat(), NONE)
                self.assertEqual(self.fetch(group=simple, topics=None), (NONE, {}))
                member.leave()
                self.assertEqual(self.delete_groups(self.group, version=version), {self.group: NONE})
                self.assertEqual(self.fetch(topics=None), (NONE, {}))
                self.assertEqual(self.describe(self.group)[self.group]["state"], "Dead")
                self.assertEqual(self.delete_groups(self.group, version=version), {self.group: GROUP_ID_NOT_FOUND})

    def test_a_deleted_group_begins_anew(self):
        for _ in range(2):
            member = self.stable_member()
            self.assertEqual(member.generation, 1)
            member.leave()
            self.assertEqual(self.delete_groups(self.group), {self.group: NONE})

    def test_a_group_that_is_named_twice_is_deleted_once(self):
        self.commit({0: 1})
        answer = self.outsider.call(DELETE_GROUPS, 2, groups=[self.group, self.group])
        self.assertEqual(answer["results"], [{"group": self.group, "error": NONE}])


if __name__ == "__main__":
    client_suite.main(__name__)
