"""A group member by hand: one connection, its requests sent and received apart, so that a join may wait for others."""

from group_messages import HEARTBEAT, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP, subscription
from raw_client import RawClient

MEMBER_ID_REQUIRED = 79


class RawMember(RawClient):
    """`version` is JoinGroup's; the other calls take the newest unless told."""

    def __init__(self, bootstrap, group, topics=("none",), instance=None, version=9, **join_fields):
        super().__init__(bootstrap)
        self.group, self.instance, self.version = group, instance, version
        self.join_fields = {"protocols": [{"name": "range", "metadata": subscription(list(topics))}], **join_fields}
        self.member, self.generation, self.joined = "", -1, None

    # --- join: sent, and received when the others have come ---------------------------------------------------------
    def send_join(self):
        fields = {"group": self.group, "member": self.member, **self.join_fields}
        if self.version >= 5:
            fields["instance"] = self.instance
        self.send(JOIN_GROUP, self.version, **fields)

    def await_joined(self):
        """The answer, after the detour over a member id (KIP-394) where the broker asks for it."""
        self.joined = self.answer(JOIN_GROUP, self.version)
        if self.joined["error"] == MEMBER_ID_REQUIRED:
            self.member = self.joined["member"]
            self.send_join()
            self.joined = self.answer(JOIN_GROUP, self.version)
        if self.joined["error"] == 0:
            self.member, self.generation = self.joined["member"], self.joined["generation"]
        return self.joined

    def announce(self):
        """Gets the member id, then sends the join that counts. REQUIRES: version >= 4, not static."""
        self.send_join()
        self.member = self.answer(JOIN_GROUP, self.version)["member"]
        self.send_join()

    def join(self):
        self.send_join()
        return self.await_joined()

    # --- the others -------------------------------------------------------------------------------------------------
    def identity(self, **changes):
        return {"group": self.group, "generation": self.generation, "member": self.member, **changes}

    def send_sync(self, assignments=(), version=5, **changes):
        listed = [{"member": member, "assignment": data} for member, data in dict(assignments).items()]
        fields = {"instance": self.instance} if version >= 3 else {}
        self.send(SYNC_GROUP, version, assignments=listed, **self.identity(**{**fields, **changes}))

    def await_synced(self, version=5):
        return self.answer(SYNC_GROUP, version)

    def sync(self, assignments=(), version=5, **changes):
        self.send_sync(assignments, version, **changes)
        return self.await_synced(version)

    def heartbeat(self, version=4, **changes):
        """The error."""
        fields = {"instance": self.instance} if version >= 3 else {}
        return self.call(HEARTBEAT, version, **self.identity(**{**fields, **changes}))["error"]

    def leave(self, version=5):
        if version < 3:
            return self.call(LEAVE_GROUP, version, group=self.group, member=self.member)
        return self.call(LEAVE_GROUP, version, group=self.group, members=[{"member": self.member, "instance": self.instance}])
