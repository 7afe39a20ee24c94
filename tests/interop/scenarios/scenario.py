"""What the scenarios share: a broker with quick rebalances, topics drawn anew, patience."""

import os
import sys
import time
import unittest
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import client_suite  # noqa: E402
import group_broker  # noqa: E402
import raw_client  # noqa: E402
from confluent_admin import Admin  # noqa: E402

PATIENCE_SECONDS = 60
main = client_suite.main


class Scenario(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = group_broker.open_group_broker()
        cls.addClassCleanup(cls.broker.close)
        cls.bootstrap = cls.broker.bootstrap

    def new_topic(self, partitions=1):
        name = f"topic-{uuid.uuid4().hex[:8]}"
        Admin(self.bootstrap).create_topic(name, partitions)
        raw_client.await_led(self.bootstrap, name, partitions)
        return name

    def new_group(self):
        return f"group-{uuid.uuid4().hex[:8]}"

    def restart_broker(self):
        """Dies without a word and comes back. A broker that is not ours lives on."""
        if not self.broker.is_external:
            self.broker.kill()
            self.broker.start()

    def wait_for(self, holds, what=lambda: None):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            self.assertLess(time.monotonic(), deadline, what())
            time.sleep(0.05)
