"""A real Prometheus (Debian's package) on loopback with a temporary folder, which scrapes what it is told and loads a copy of the
alert rules whose patience is shortened to seconds."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import broker as brokers

START_SECONDS = 30
# Two scrapes may fail on a busy machine before a node counts as down.
SCRAPE_SECONDS, EVALUATION_SECONDS, PATIENCE_SECONDS = 2, 1, 5

CONFIG = """\
global: {{scrape_interval: {scrape}s, scrape_timeout: {scrape}s, evaluation_interval: {evaluation}s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: tidemark
    static_configs: [{{targets: [{targets}]}}]
"""


class Prometheus:
    def __init__(self, rules_path, targets):
        self.folder = tempfile.mkdtemp(prefix="tidemark-test.")
        self.address = f"127.0.0.1:{brokers.free_port()}"
        with open(rules_path, encoding="utf-8") as file:
            rules, changed = re.subn(r"^( +for): .*$", rf"\1: {PATIENCE_SECONDS}s", file.read(), flags=re.MULTILINE)
        assert changed > 0
        self._write("rules.yml", rules)
        self._write("prometheus.yml", CONFIG.format(
            scrape=SCRAPE_SECONDS, evaluation=EVALUATION_SECONDS, targets=", ".join(f'"{target}"' for target in targets)))
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address={self.address}", "--log.level=warn"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder)
        try:
            self._await_ready()
        except BaseException:
            self.close()
            raise

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def _await_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=10):
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
                    raise RuntimeError(f"Prometheus did not start\n{log.read()[-4000:]}")
            time.sleep(0.05)

    def api(self, path, **parameters):
        """The `data` of an answer; a refused expression is an error that says why."""
        url = f"http://{self.address}/api/v1/{path}?" + urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        assert told["status"] == "success", told
        return told["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def alerts(self):
        """The rules, with their alerts, as Prometheus understood them."""
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"] if rule["type"] == "alerting"]

    def firing(self, instance):
        """{name: alert} of a node."""
        return {alert["labels"]["alertname"]: alert for alert in self.api("alerts")["alerts"]
                if alert["state"] == "firing" and alert["labels"].get("instance") == instance}

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
