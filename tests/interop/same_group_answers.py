#!/usr/bin/python3
"""What genuine Kafka and Tidemark answer alike, asked right and wrong, of consumer groups; see same_answers.py."""

import uuid

import client_suite
import side_by_side


class SameGroupAnswers(side_by_side.SideBySide):
    def setUp(self):
        super().setUp()
        self.group, self.absent = (f"same-{uuid.uuid4().hex[:8]}" for _ in range(2))
        for side in self.sides:
            side.ask("DeleteGroups", 2, {"GroupsNames": [""]})  # which another test may have left

    # --- coordinators -------------------------------------------------------------------------------------------------
    def test_coordinators_are_found(self):
        for key in (self.group, ""):
            self.same("FindCoordinator", {"Key": key, "CoordinatorKeys": [key]})
        self.same("FindCoordinator", {"Key": "key", "KeyType": 7, "CoordinatorKeys": ["key"]}, but=["ErrorMessage"])  # ours says more
        for keys in ([], [self.group] * 2):
            self.same("FindCoordinator", {"CoordinatorKeys": keys}, range(4, 7))

    # --- offsets ------------------------------------------------------------------------------------------------------
    def commit(self, partitions, group=None, topic=None, member="", generation=-1):
        """`partitions`: (number, offset, metadata)"""
        topic = self.topic if topic is None else topic
        self.same("OffsetCommit", lambda side: {
            "GroupId": self.group if group is None else group, "GenerationIdOrMemberEpoch": generation, "MemberId": member,
            "Topics": [{"Name": topic, "TopicId": side.topic_id(topic), "Partitions": [
                {"PartitionIndex": number, "CommittedOffset": offset, "CommittedMetadata": metadata}
                for number, offset, metadata in partitions]}]})

    def test_offsets_are_committed(self):
        for partition in ((0, 5, ""), (0, 5, None), (0, 5, "x" * 4097), (0, -1, ""), (9, 5, ""), (-1, 5, "")):
            self.commit([partition])
        self.commit([])
        self.commit([(0, 5, ""), (0, 6, "")])
        for topic in ("no-such", "a b"):
            self.commit([(0, 5, "")], topic=topic)
        for group in ("", self.group + "-new"):
            self.commit([(0, 5, "")], group)
        for member, generation in (("who", 1), ("", 5), ("who", -1)):
            for group in (self.group, self.absent):
                self.commit([(0, 5, "")], group, member=member, generation=generation)

    def test_offsets_are_fetched(self):
        self.commit([(0, 5, "of mine"), (1, 7, None)])

        def fetch(group, topic, partitions):
            def wish(side):
                named = [{"Name": topic, "PartitionIndexes": partitions}] if topic else None
                with_id = [{"Name": topic, "TopicId": side.topic_id(topic), "PartitionIndexes": partitions}] if topic else None
                return {"GroupId": group, "Topics": named, "Groups": [{"GroupId": group, "Topics": with_id}]}

            self.same("OffsetFetch", wish, range(2, 11))

        for group in (self.group, self.absent, ""):
            for topic, partitions in ((self.topic, [0, 1, 2]), (self.topic, [9]), ("no-such", [0]), (None, [])):
                fetch(group, topic, partitions)
        self.same("OffsetFetch", {"Groups": [{"GroupId": self.group, "MemberId": "who", "MemberEpoch": 3, "Topics": None}]},
                  range(9, 11))
        self.same("OffsetFetch", {"Groups": [{"GroupId": self.group, "Topics": None}] * 2}, range(8, 11))

    def test_offsets_are_deleted(self):
        self.commit([(0, 5, "")])
        for group, topic, partition in ((self.absent, self.topic, 0), ("", self.topic, 0), (self.group, "no-such", 0),
                                        *((self.group, self.topic, partition) for partition in (9, 1, 0, 0))):
            self.same("OffsetDelete", {"GroupId": group, "Topics": [{"Name": topic, "Partitions": [{"PartitionIndex": partition}]}]})

    # --- what there is ------------------------------------------------------------------------------------------------
    def test_groups_are_described(self):
        self.commit([(0, 5, "")])
        for groups in ([self.absent], [""], [self.group] * 2, [], [self.group]):
            self.same("DescribeGroups", {"Groups": groups})
        self.same("DescribeGroups", {"Groups": [self.group], "IncludeAuthorizedOperations": True}, range(3, 7))

    def test_groups_are_deleted(self):
        self.commit([(0, 5, "")])
        for groups in ([self.absent], [""], [self.absent] * 2, [], [self.group], [self.group]):
            self.same("DeleteGroups", {"GroupsNames": groups})

    # --- members ------------------------------------------------------------------------------------------------------
    def join(self, protocols=("range",), **fields):
        """A group of its own for each version."""
        for version in range(10):
            self.same("JoinGroup", {
                "GroupId": f"same-{uuid.uuid4().hex[:8]}", "SessionTimeoutMs": 10_000, "RebalanceTimeoutMs": 10_000,
                "ProtocolType": "consumer", "Protocols": [{"Name": name, "Metadata": b""} for name in protocols], **fields},
                      [version], ["MemberId", "Leader"])

    def test_members_join(self):
        self.join()
        self.join(protocols=())
        for fields in ({"GroupId": ""}, {"MemberId": "who"}, {"SessionTimeoutMs": 10}, {"SessionTimeoutMs": 100_000_000},
                       {"ProtocolType": ""}, *({"GroupInstanceId": name} for name in ("", ".", "a b", "x" * 200))):
            self.join(**fields)

    def test_members_that_are_none(self):
        for group in (self.group, self.absent, ""):
            for member, instance in (("who", None), ("", None), ("who", "mine"), ("", "mine")):
                who = {"MemberId": member, "GroupInstanceId": instance}
                self.same("Heartbeat", {"GroupId": group, "GenerationId": 1, **who})
                self.same("SyncGroup", {"GroupId": group, "GenerationId": 1, **who, "ProtocolType": "consumer",
                                        "ProtocolName": "range"})
                self.same("LeaveGroup", {"GroupId": group, "MemberId": member, "Members": [who]})
        self.same("LeaveGroup", {"GroupId": self.group, "Members": []}, range(3, 6))
        self.same("LeaveGroup", {"GroupId": self.group, "Members": [{"MemberId": member} for member in ("a", "b")]}, range(3, 6))


if __name__ == "__main__":
    client_suite.main(__name__)
