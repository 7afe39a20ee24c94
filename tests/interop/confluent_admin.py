"""Admin calls through python3-confluent-kafka, waited for; errors are raised as KafkaException."""

from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

SECONDS = 30


class Admin:
    def __init__(self, bootstrap):
        self.client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def _wait(self, futures):
        return {name: future.result(SECONDS) for name, future in futures.items()}

    def create_topic(self, name, partitions=1, configs=None, replication=1, validate_only=False):
        topic = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=configs or {})
        self._wait(self.client.create_topics([topic], operation_timeout=SECONDS, validate_only=validate_only))

    def delete_topic(self, name):
        self._wait(self.client.delete_topics([name], operation_timeout=SECONDS))

    def create_partitions(self, name, total):
        self._wait(self.client.create_partitions([NewPartitions(name, total)], operation_timeout=SECONDS))

    def describe_configs(self, kind, name):
        resource = ConfigResource(kind, name)
        return self.client.describe_configs([resource], request_timeout=SECONDS)[resource].result(SECONDS)

    def alter_configs(self, kind, name, configs):
        resource = ConfigResource(kind, name, set_config=configs)
        self._wait(self.client.alter_configs([resource], request_timeout=SECONDS))

    def topics(self):
        return self.client.list_topics(timeout=SECONDS).topics
