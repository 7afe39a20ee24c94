#!/usr/bin/python3
"""The newest releases of other people's clients. Run by extended.sh; alone: newest_clients.py CLIENT [WORD...]"""

import subprocess
import sys
import unittest

import drivers
import driven_suite

sys.path.insert(0, driven_suite.INTEROP)
import genuine_suite  # noqa: E402

EVERY_ASSIGNOR = ("range", "roundrobin", "sticky", "cooperative-sticky")


class FranzGo(driven_suite.DrivenSuite):
    assignors = EVERY_ASSIGNOR

    @classmethod
    def command(cls):
        return drivers.go_command("franz")



class Sarama(driven_suite.DrivenSuite):
    assignors = ("range", "roundrobin", "sticky")

    @classmethod
    def command(cls):
        return drivers.go_command("sarama")


class KafkaPython(driven_suite.DrivenSuite):
    can_send_null_header = False  # the client refuses it, and
    can_send_nothing_at_all = False  # a record with neither key nor value
    assignors = EVERY_ASSIGNOR

    @classmethod
    def command(cls):
        return drivers.python_command("kafka_python_driver.py")


class ConfluentKafka(driven_suite.DrivenSuite):
    assignors = ("range", "roundrobin", "cooperative-sticky")

    @classmethod
    def command(cls):
        return drivers.python_command("confluent_driver.py")


class Aiokafka(driven_suite.DrivenSuite):
    can_send_nothing_at_all = False
    assignors = ("range", "roundrobin", "sticky")

    @classmethod
    def command(cls):
        return drivers.python_command("aiokafka_driver.py")


class Kafkajs(driven_suite.DrivenSuite):
    assignors = ("roundrobin",)
    can_send_null_header = False
    reads_once = False  # it tells nobody before a rebalance: a batch that one overtakes cannot be committed

    @classmethod
    def command(cls):
        return drivers.node_command("kafkajs")


class Platformatic(driven_suite.DrivenSuite):
    reads_once = False  # the same
    commits_late = True

    @classmethod
    def command(cls):
        return drivers.node_command("platformatic")


class GenuineJava(driven_suite.DrivenSuite):
    assignors = EVERY_ASSIGNOR

    @classmethod
    def command(cls):
        return drivers.java_command(["GenuineClient.java", "GenuineAdmin.java", "ConsumerTour.java"])

    def test_a_tour_of_the_genuine_consumer(self):
        done = subprocess.run([*self.driver_command, self.broker.bootstrap, "tour"], capture_output=True, text=True, timeout=600,
                              check=False)
        said = done.stdout.splitlines()
        self.assertEqual([line for line in said if not line.startswith("ok ")], [], done.stderr[-3000:])
        self.assertEqual(len(said), 8, said)


CLIENTS = {"java": GenuineJava, "kafka-python": KafkaPython, "confluent-kafka": ConfluentKafka, "aiokafka": Aiokafka, "kafkajs": Kafkajs,
           "platformatic": Platformatic, "franz-go": FranzGo, "sarama": Sarama}

if __name__ == "__main__":
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(CLIENTS[sys.argv[1]])
    genuine_suite.run(tests, words=sys.argv[2:])
