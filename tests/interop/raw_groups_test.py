#!/usr/bin/python3
"""Joining, syncing, heartbeats and leaving by hand, in every version and with everything wrong that can be.
Every expectation here is genuine Kafka's behaviour (4.3)."""

import select
import time
import uuid

import client_suite
import group_broker
from group_messages import (DESCRIBE_GROUPS, FIND_COORDINATOR, JOIN_GROUP, LEAVE_GROUP, OFFSET_COMMIT,
                            subscription)
from raw_member import MEMBER_ID_REQUIRED, RawMember

NONE, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID = 0, 22, 23, 24
UNKNOWN_MEMBER_ID, INVALID_SESSION_TIMEOUT, REBALANCE_IN_PROGRESS, INVALID_REQUEST, FENCED_INSTANCE_ID = 25, 26, 27, 42, 82
NOBODY = {"error": UNKNOWN_MEMBER_ID, "instance": None}


class RawGroups(group_broker.GroupBrokerTest):
    def setUp(self):
        self.group = f"raw-{uuid.uuid4().hex[:8]}"
        self.outsider = self.member()  # a connection that belongs to no member

    def member(self, group=None, **settings):
        member = RawMember(self.broker.bootstrap, self.group if group is None else group, **settings)
        self.addCleanup(member.close)
        return member

    def described(self):
        found, = self.outsider.call(DESCRIBE_GROUPS, 6, groups=[self.group])["groups"]
        return found

    def await_state(self, state, members=None, patience_seconds=20):
        deadline = time.monotonic() + patience_seconds
        while True:
            found = self.described()
            if found["state"] == state and (members is None or len(found["members"]) == members):
                return found
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.02)

    def stable(self, *members):
        """Brings the members into one generation; each is assigned its own number as bytes. The first of them leads."""
        members[0].join()
        for count, newcomer in enumerate(members[1:], 1):
            members[0].sync()
            if newcomer.instance is None and newcomer.version >= 4:
                newcomer.announce()
            else:
                newcomer.send_join()
            self.await_state("PreparingRebalance", count + 1)
            for old in members[:count]:
                old.send_join()
            for each in members[:count + 1]:
                self.assertEqual(each.await_joined()["error"], NONE)
        for follower in members[1:]:
            follower.send_sync()
        self.assertEqual(members[0].sync({each.member: b"%d" % i for i, each in enumerate(members)})["assignment"], b"0")
        for i, follower in enumerate(members[1:], 1):
            self.assertEqual(follower.await_synced()["assignment"], b"%d" % i)

    def is_answered(self, member, seconds):
        return bool(select.select([member.connection], [], [], seconds)[0])

    # --- the coordinator ---------------------------------------------------------------------------------------------
    def test_find_coordinator_in_every_version(self):
        address = self.broker.bootstrap.rsplit(":", 1)
        for version in range(7):
            with self.subTest(version=version):
                if version < 4:
                    found = self.outsider.call(FIND_COORDINATOR, version, key=self.group)
                    if version >= 1:
                        self.assertEqual(found["message"], "NONE")
                else:
                    answer = self.outsider.call(FIND_COORDINATOR, version, keys=[self.group, ""])
                    self.assertEqual([entry["key"] for entry in answer["coordinators"]], [self.group, ""])
                    found = answer["coordinators"][0]
                    self.assertEqual(answer["coordinators"][1]["error"], NONE)
                    self.assertEqual(found["message"], "")
                self.assertEqual((found["error"], found["host"], found["port"]), (NONE, address[0], int(address[1])))

    def test_a_coordinator_of_an_unknown_type(self):
        found = self.outsider.call(FIND_COORDINATOR, 3, key=self.group, key_type=7)
        self.assertEqual((found["error"], found["node"], found["host"], found["port"]), (INVALID_REQUEST, -1, "", -1))
        found, = self.outsider.call(FIND_COORDINATOR, 6, keys=[self.group], key_type=7)["coordinators"]
        self.assertEqual((found["key"], found["error"], found["node"]), (self.group, INVALID_REQUEST, -1))

    # --- every version -----------------------------------------------------------------------------------------------
    def test_a_member_alone_in_every_version(self):
        for version in range(10):
            with self.subTest(version=version):
                member = self.member(f"{self.group}-v{version}", version=version)
                joined = member.join()
                self.assertEqual((joined["error"], joined["generation"], joined["protocol"]), (NONE, 1, "range"))
                self.assertEqual(joined["leader"], member.member)
                self.assertRegex(member.member, "^raw-.{36}$")  # the client id, and a UUID
                self.assertEqual([entry["member"] for entry in joined["members"]], [member.member])
                self.assertEqual(joined["members"][0]["metadata"], subscription(["none"]))
                if version >= 7:
                    self.assertEqual(joined["protocol_type"], "consumer")
                if version >= 9:
                    self.assertFalse(joined["skip_assignment"])
                synced = member.sync({member.member: b"all"}, version=min(version, 5))
                self.assertEqual((synced["error"], synced["assignment"]), (NONE, b"all"))
                if version >= 5:
                    self.assertEqual((synced["protocol_type"], synced["protocol"]), ("consumer", "range"))
                self.assertEqual(member.heartbeat(version=min(version, 4)), NONE)
                left = member.leave(version=min(version, 5))
                self.assertEqual(left["error"], NONE)
                if version >= 3:
                    self.assertEqual(left["members"], [{"member": member.member, "instance": None, "error": NONE}])

    def test_a_member_id_is_required_from_version_4_on(self):
        for version in range(10):
            with self.subTest(version=version):
                member = self.member(f"{self.group}-v{version}", version=version)
                member.send_join()
                answer = member.answer(JOIN_GROUP, version)
                self.assertEqual(answer["error"], MEMBER_ID_REQUIRED if version >= 4 else NONE)
                self.assertNotEqual(answer["member"], "")
                if version >= 4:
                    self.assertEqual((answer["generation"], answer["leader"], answer["members"]), (-1, "", []))

    # --- rebalances --------------------------------------------------------------------------------------------------
    def test_a_second_member_waits_for_the_first(self):
        first, second = self.member(), self.member()
        self.stable(first)
        second.announce()
        self.await_state("PreparingRebalance", 2)
        self.assertFalse(self.is_answered(second, 0.3))
        self.assertEqual(first.heartbeat(), REBALANCE_IN_PROGRESS)
        self.assertEqual(first.sync()["error"], REBALANCE_IN_PROGRESS)
        first.send_join()
        self.assertEqual((first.await_joined()["generation"], second.await_joined()["generation"]), (2, 2))
        self.assertEqual({entry["member"] for entry in first.joined["members"]}, {first.member, second.member})
        self.assertEqual((second.joined["members"], second.joined["leader"]), ([], first.member))
        self.assertEqual(self.described()["state"], "CompletingRebalance")
        self.assertEqual(first.heartbeat(), NONE)  # while its assignment is awaited
        second.send_sync()
        self.assertFalse(self.is_answered(second, 0.3))
        first.sync({second.member: b"second"})
        self.assertEqual(second.await_synced()["assignment"], b"second")
        self.assertEqual(self.described()["state"], "Stable")

    def test_a_sync_is_answered_again_while_stable(self):
        first, second = self.member(), self.member()
        self.stable(first, second)
        self.assertEqual((first.sync()["assignment"], second.sync()["assignment"]), (b"0", b"1"))

    def test_three_members_and_the_leader_leaves(self):
        members = [self.member() for _ in range(3)]
        self.stable(*members)
        members[0].leave()
        for member in members[1:]:
            self.assertEqual(member.heartbeat(), REBALANCE_IN_PROGRESS)
            member.send_join()
        generations = {member.await_joined()["generation"] for member in members[1:]}
        self.assertEqual(generations, {members[0].generation + 1})
        self.assertIn(members[1].joined["leader"], [member.member for member in members[1:]])
        self.assertEqual(members[0].heartbeat(), UNKNOWN_MEMBER_ID)

    def test_a_leader_that_joins_again_starts_a_rebalance_and_a_follower_does_not(self):
        first, second = self.member(), self.member()
        self.stable(first, second)
        self.assertEqual((second.join()["generation"], second.joined["members"]), (2, []))
        self.assertEqual(first.heartbeat(), NONE)
        first.send_join()
        self.await_state("PreparingRebalance")
        self.assertEqual(second.heartbeat(), REBALANCE_IN_PROGRESS)
        second.send_join()
        self.assertEqual((first.await_joined()["generation"], second.await_joined()["generation"]), (3, 3))

    def test_a_follower_with_a_new_subscription_starts_a_rebalance(self):
        first, second = self.member(), self.member()
        self.stable(first, second)
        second.join_fields["protocols"] = [{"name": "range", "metadata": subscription(["other"])}]
        second.send_join()
        self.await_state("PreparingRebalance")
        first.send_join()
        self.assertEqual(first.await_joined()["generation"], 3)
        self.assertIn(subscription(["other"]), [entry["metadata"] for entry in first.joined["members"]])

    def test_the_protocol_that_every_member_has_and_most_prefer(self):
        def offer(*names):
            return [{"name": name, "metadata": name.encode()} for name in names]
        # Not of consumers: genuine Kafka parses the subscriptions of those, and is stuck with one that it cannot.
        first, second = (self.member(protocol_type="connect", protocols=offer(*names))
                         for names in (("range", "roundrobin"), ("sticky", "roundrobin")))
        self.assertEqual((first.join()["protocol"], first.joined["protocol_type"]), ("range", "connect"))
        first.sync(protocol_type="connect")
        second.announce()
        self.await_state("PreparingRebalance", 2)
        first.send_join()
        self.assertEqual((first.await_joined()["protocol"], second.await_joined()["protocol"]), ("roundrobin", "roundrobin"))
        self.assertEqual({entry["metadata"] for entry in first.joined["members"]}, {b"roundrobin"})

    def test_a_member_that_does_not_join_again_is_left_behind(self):
        first, second = self.member(rebalance_timeout_ms=1500), self.member(rebalance_timeout_ms=1500)
        self.stable(first)
        began = time.monotonic()
        second.announce()
        self.assertEqual(second.await_joined()["error"], NONE)
        self.assertGreater(time.monotonic() - began, 1.2)
        self.assertEqual((second.joined["leader"], len(second.joined["members"])), (second.member, 1))
        self.assertEqual(first.heartbeat(), UNKNOWN_MEMBER_ID)

    def test_a_leader_that_does_not_sync_is_left_behind(self):
        first, second = self.member(rebalance_timeout_ms=1500), self.member(rebalance_timeout_ms=1500)
        self.stable(first)
        second.announce()
        self.await_state("PreparingRebalance", 2)
        first.send_join()
        first.await_joined()
        second.await_joined()
        second.send_sync()
        self.assertEqual(second.await_synced()["error"], REBALANCE_IN_PROGRESS)
        self.assertEqual([entry["member"] for entry in self.described()["members"]], [second.member])

    def test_a_silent_member_loses_its_session(self):
        session_ms = group_broker.shortest_session_ms(self.broker.bootstrap)
        silent, living = self.member(session_timeout_ms=session_ms), self.member(session_timeout_ms=session_ms)
        self.stable(silent, living)
        began = time.monotonic()
        while living.heartbeat() == NONE:
            self.assertLess(time.monotonic() - began, session_ms / 1000 + 10)
            time.sleep(0.1)
        self.assertGreater(time.monotonic() - began, session_ms / 1000 - 0.5)
        self.assertEqual((living.join()["generation"], len(living.joined["members"])), (3, 1))
        self.assertEqual(silent.heartbeat(), UNKNOWN_MEMBER_ID)
        self.assertEqual(silent.join()["error"], UNKNOWN_MEMBER_ID)

    def test_a_group_whose_members_all_fell_silent_is_empty(self):
        session_ms = group_broker.shortest_session_ms(self.broker.bootstrap)
        self.stable(self.member(session_timeout_ms=session_ms))
        found = self.await_state("Empty", 0)
        self.assertEqual((found["protocol_type"], found["protocol"]), ("consumer", ""))
        self.assertEqual(self.member().join()["generation"], 3)  # the empty one was a generation, too

    # --- wrong joins -------------------------------------------------------------------------------------------------
    def assert_join_fails(self, error, member="", **settings):
        for version in (9, 5, 2, 0):
            with self.subTest(version=version, error=error):
                joiner = self.member(**{**settings, "version": version})
                joiner.member = member
                joined = joiner.join()
                self.assertEqual((joined["error"], joined["generation"], joined["member"], joined["leader"], joined["members"]),
                                 (error, -1, member, "", []))
                self.assertEqual(joined["protocol"], None if version >= 7 else "")

    def test_joins_that_are_wrong_by_themselves(self):
        self.assert_join_fails(INVALID_GROUP_ID, group="")
        self.assert_join_fails(INVALID_SESSION_TIMEOUT, session_timeout_ms=10)
        self.assert_join_fails(INVALID_SESSION_TIMEOUT, session_timeout_ms=1_800_001)
        self.assert_join_fails(INCONSISTENT_GROUP_PROTOCOL, protocols=[])
        self.assert_join_fails(INCONSISTENT_GROUP_PROTOCOL, protocol_type="")
        self.assert_join_fails(UNKNOWN_MEMBER_ID, member="stranger")
        self.assertIn(self.described()["state"], ("Dead", "Empty"))

    def test_joins_that_the_group_refuses(self):
        member = self.member()
        self.stable(member)
        self.assert_join_fails(INCONSISTENT_GROUP_PROTOCOL, protocols=[{"name": "other", "metadata": b""}])
        self.assert_join_fails(INCONSISTENT_GROUP_PROTOCOL, protocol_type="connect")
        self.assert_join_fails(UNKNOWN_MEMBER_ID, member="stranger")
        self.assertEqual(member.heartbeat(), NONE)

    # --- wrong syncs, heartbeats and leaves --------------------------------------------------------------------------
    def test_wrong_syncs(self):
        member = self.member()
        self.stable(member)
        for changes, error in (({"generation": member.generation + 1}, ILLEGAL_GENERATION),
                               ({"generation": member.generation - 1}, ILLEGAL_GENERATION),
                               ({"member": "stranger"}, UNKNOWN_MEMBER_ID),
                               ({"group": "never-was"}, UNKNOWN_MEMBER_ID),
                               ({"group": ""}, INVALID_GROUP_ID),
                               ({"protocol": "roundrobin"}, INCONSISTENT_GROUP_PROTOCOL),
                               ({"protocol": None}, INCONSISTENT_GROUP_PROTOCOL),
                               ({"protocol_type": None}, INCONSISTENT_GROUP_PROTOCOL),
                               ({"protocol_type": "connect"}, INCONSISTENT_GROUP_PROTOCOL)):
            with self.subTest(changes):
                answer = member.sync({member.member: b"wrong"}, **changes)
                self.assertEqual((answer["error"], answer["assignment"]), (error, b""))
                self.assertEqual((answer["protocol_type"], answer["protocol"]), (None, None))
        self.assertEqual(member.sync()["assignment"], b"0")

    def test_wrong_heartbeats(self):
        member = self.member()
        self.stable(member)
        for version in range(5):
            for changes, error in (({"generation": member.generation + 1}, ILLEGAL_GENERATION),
                                   ({"generation": -1}, ILLEGAL_GENERATION),
                                   ({"member": "stranger"}, UNKNOWN_MEMBER_ID),
                                   ({"group": "never-was"}, UNKNOWN_MEMBER_ID),
                                   ({"group": ""}, INVALID_GROUP_ID)):
                with self.subTest(changes, version=version):
                    self.assertEqual(member.heartbeat(version=version, **changes), error)

    def test_wrong_leaves(self):
        member = self.member()
        self.stable(member)
        for version in range(3):
            for group, error in (("never-was", UNKNOWN_MEMBER_ID), (self.group, UNKNOWN_MEMBER_ID), ("", INVALID_GROUP_ID)):
                answer = self.outsider.call(LEAVE_GROUP, version, group=group, member="stranger")
                self.assertEqual(answer["error"], error, (version, group))
        self.assertEqual(member.heartbeat(), NONE)

    def test_several_members_leave_in_one_request(self):
        for version in (3, 4, 5):
            first, second, third = self.member(), self.member(), self.member()
            with self.subTest(version=version):
                self.stable(first, second, third)
                members = [{"member": member} for member in (first.member, "stranger", third.member)]
                for group in ("never-was", ""):
                    answer = self.outsider.call(LEAVE_GROUP, version, group=group, members=members)
                    if group:
                        self.assertEqual((answer["error"], answer["members"]), (NONE, [{**NOBODY, **each} for each in members]))
                    else:
                        self.assertEqual((answer["error"], answer["members"]), (INVALID_GROUP_ID, []))
                answer = self.outsider.call(LEAVE_GROUP, version, group=self.group, members=members)
                self.assertEqual((answer["error"], [entry["error"] for entry in answer["members"]]),
                                 (NONE, [NONE, UNKNOWN_MEMBER_ID, NONE]))
                self.assertEqual([entry["member"] for entry in self.described()["members"]], [second.member])
                self.assertEqual(self.outsider.call(LEAVE_GROUP, version, group=self.group, members=[])["error"], NONE)
                second.leave()
                self.await_state("Empty", 0)

    # --- static members (KIP-345) ------------------------------------------------------------------------------------
    def test_a_static_member_returns_without_a_rebalance(self):
        leader, follower = self.member(instance="a"), self.member(instance="b")
        self.stable(leader, follower)
        self.assertRegex(leader.member, "^a-.{36}$")
        generation = leader.generation
        again = self.member(instance="b")
        joined = again.join()
        self.assertEqual((joined["error"], joined["generation"], joined["members"]), (NONE, generation, []))
        self.assertNotEqual(again.member, follower.member)
        self.assertEqual(again.sync()["assignment"], b"1")
        self.assertEqual((leader.heartbeat(), again.heartbeat()), (NONE, NONE))

    def test_the_one_before_with_the_same_instance_id_is_fenced(self):
        topic = self.outsider.new_topic()
        leader, follower = self.member(instance="a"), self.member(instance="b")
        self.stable(leader, follower)
        again = self.member(instance="b")
        again.join()
        self.assertEqual(follower.heartbeat(), FENCED_INSTANCE_ID)
        self.assertEqual(follower.sync()["error"], FENCED_INSTANCE_ID)
        topics = [{"topic": topic, "partitions": [{"partition": 0, "offset": 1}]}]
        for instance, error in (("b", FENCED_INSTANCE_ID), (None, UNKNOWN_MEMBER_ID)):
            answer = self.outsider.call(OFFSET_COMMIT, 9, topics=topics, **follower.identity(instance=instance))
            self.assertEqual(answer["topics"][0]["partitions"][0]["error"], error)
        left = follower.leave()
        self.assertEqual((left["error"], left["members"][0]["error"]), (NONE, FENCED_INSTANCE_ID))
        follower.send_join()
        self.assertEqual(follower.await_joined()["error"], FENCED_INSTANCE_ID)
        self.assertEqual(follower.joined["member"], follower.member)
        self.assertEqual(again.heartbeat(), NONE)
        self.assertEqual(follower.heartbeat(instance=None), UNKNOWN_MEMBER_ID)
        self.assertEqual(again.heartbeat(instance="c"), UNKNOWN_MEMBER_ID)

    def test_a_static_leader_returns_and_skips_the_assignment(self):
        leader, follower = self.member(instance="a"), self.member(instance="b")
        self.stable(leader, follower)
        again = self.member(instance="a")
        joined = again.join()
        self.assertEqual((joined["error"], joined["generation"], joined["skip_assignment"]), (NONE, leader.generation, True))
        self.assertEqual((joined["leader"], len(joined["members"])), (again.member, 2))
        # Before version 9 it could not be told; so it is not told that it leads (KIP-814).
        old = self.member(instance="a", version=8)
        joined = old.join()
        self.assertEqual((joined["error"], joined["generation"], joined["leader"], joined["members"]),
                         (NONE, leader.generation, again.member, []))
        self.assertEqual(old.sync()["assignment"], b"0")
        self.assertEqual(follower.heartbeat(), NONE)

    def test_static_members_leave_by_their_instance_ids(self):
        leader, follower = self.member(instance="a"), self.member(instance="b")
        self.stable(leader, follower)
        members = [{"member": "", "instance": "b"}, {"member": "wrong", "instance": "a"}, {"member": "", "instance": "c"}]
        answer = self.outsider.call(LEAVE_GROUP, 5, group=self.group, members=members)
        errors = [NONE, FENCED_INSTANCE_ID, UNKNOWN_MEMBER_ID]
        self.assertEqual(answer["error"], NONE)
        self.assertEqual(answer["members"], [{**each, "error": error} for each, error in zip(members, errors)])
        self.assertEqual(leader.heartbeat(), REBALANCE_IN_PROGRESS)
        self.assertEqual(leader.join()["generation"], leader.generation)
        self.assertEqual([entry["instance"] for entry in leader.joined["members"]], ["a"])


if __name__ == "__main__":
    client_suite.main(__name__)
