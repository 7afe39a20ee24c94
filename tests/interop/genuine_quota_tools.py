#!/usr/bin/python3
"""Genuine Kafka's kafka-configs for client quotas: its own words for users, clients and addresses, and for what is refused."""

import sys

import genuine_suite

USERS, CLIENTS, IPS = ("--entity-type", "users"), ("--entity-type", "clients"), ("--entity-type", "ips")
DEFAULT = ("--entity-default",)


def named(name):
    return ("--entity-name", name)


class GenuineQuotaTools(genuine_suite.ToolSuite):
    def configs(self, *arguments):
        return self.on_broker("kafka-configs", *arguments)

    def set(self, who, quotas, said):
        self.assertEqual(self.configs("--alter", *who, "--add-config", quotas), said + "\n")

    def unset(self, who, keys, said):
        self.assertEqual(self.configs("--alter", *who, "--delete-config", keys), said + "\n")

    def described(self, *who):
        return sorted(self.configs("--describe", *who).splitlines())

    def refused(self, *arguments):
        done = self.run_tool("kafka-configs", "--bootstrap-server", self.broker.bootstrap, *arguments)
        self.assertEqual(done.returncode, 1)
        return done.stdout + done.stderr

    def test_kafka_configs_of_users_and_clients(self):
        alice, app = (*USERS, *named("alice")), (*CLIENTS, *named("app"))
        self.set(alice, "producer_byte_rate=1000,request_percentage=50.5", "Completed updating config for user alice.")
        self.set((*alice, *app), "consumer_byte_rate=2048", "Completed updating config for user alice.")
        self.set(app, "controller_mutation_rate=0.5", "Completed updating config for client app.")
        self.set((*CLIENTS, *DEFAULT), "producer_byte_rate=900000000",
                 "Completed updating default config for clients in the cluster.")
        self.set((*USERS, *DEFAULT), "producer_byte_rate=800000000", "Completed updating default config for users in the cluster.")
        self.set((*USERS, *DEFAULT, *CLIENTS, *DEFAULT), "producer_byte_rate=700000000",
                 "Completed updating default config for users in the cluster.")
        of_alice = "Quota configs for user-principal 'alice' are request_percentage=50.5, producer_byte_rate=1000.0"
        of_default = "Quota configs for the default user-principal are producer_byte_rate=8.0E8"
        self.assertEqual(self.described(*USERS), sorted([of_alice, of_default]))
        self.assertEqual(self.described(*alice), [of_alice])
        self.assertEqual(self.described(*USERS, *DEFAULT), [of_default])
        self.assertEqual(self.described(*USERS, *named("nobody")), [])
        of_app = "Quota configs for client-id 'app' are controller_mutation_rate=0.5"
        of_clients = "Quota configs for the default client-id are producer_byte_rate=9.0E8"
        self.assertEqual(self.described(*CLIENTS), sorted([of_app, of_clients]))
        self.assertEqual(self.described(*app), [of_app])
        self.assertEqual(self.described(*CLIENTS, *DEFAULT), [of_clients])
        of_pair = "Quota configs for user-principal 'alice', client-id 'app' are consumer_byte_rate=2048.0"
        self.assertEqual(self.described(*USERS, *CLIENTS), sorted([
            of_pair, "Quota configs for the default user-principal, the default client-id are producer_byte_rate=7.0E8"]))
        self.assertEqual(self.described(*alice, *app), [of_pair])
        self.unset(alice, "request_percentage", "Completed updating config for user alice.")
        self.assertEqual(self.described(*alice), ["Quota configs for user-principal 'alice' are producer_byte_rate=1000.0"])
        self.unset(alice, "producer_byte_rate", "Completed updating config for user alice.")
        self.unset((*alice, *app), "consumer_byte_rate", "Completed updating config for user alice.")
        self.unset(app, "controller_mutation_rate", "Completed updating config for client app.")
        for who, of in (((*CLIENTS, *DEFAULT), "clients"), ((*USERS, *DEFAULT), "users"),
                        ((*USERS, *DEFAULT, *CLIENTS, *DEFAULT), "users")):
            self.unset(who, "producer_byte_rate", f"Completed updating default config for {of} in the cluster.")
        for who in (USERS, CLIENTS, (*USERS, *CLIENTS)):
            self.assertEqual(self.described(*who), [])

    def test_kafka_configs_of_addresses(self):
        one = (*IPS, *named("10.1.2.3"))
        self.set(one, "connection_creation_rate=5", "Completed updating config for ip 10.1.2.3.")
        self.set((*IPS, *DEFAULT), "connection_creation_rate=1000", "Completed updating default config for ips in the cluster.")
        of_one = "Quota configs for ip '10.1.2.3' are connection_creation_rate=5.0"
        of_default = "Quota configs for the default ip are connection_creation_rate=1000.0"
        self.assertEqual(self.described(*IPS), sorted([of_one, of_default]))
        self.assertEqual(self.described(*one), [of_one])
        self.assertEqual(self.described(*IPS, *DEFAULT), [of_default])
        self.unset(one, "connection_creation_rate", "Completed updating config for ip 10.1.2.3.")
        self.unset((*IPS, *DEFAULT), "connection_creation_rate", "Completed updating default config for ips in the cluster.")
        self.assertEqual(self.described(*IPS), [])

    def test_kafka_configs_tells_what_a_quota_cannot_be(self):
        self.assertIn("InvalidRequestException: Quota producer_byte_rate must be greater than 0",
                      self.refused("--alter", *USERS, *named("alice"), "--add-config", "producer_byte_rate=-1"))
        self.assertIn("InvalidRequestException: connection_creation_rate cannot be a fractional value.",
                      self.refused("--alter", *IPS, *named("10.1.2.3"), "--add-config", "connection_creation_rate=1.5"))


if __name__ == "__main__":
    genuine_suite.main(sys.modules[__name__])
