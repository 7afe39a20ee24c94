#!/usr/bin/python3
"""What every verb of `tidemark` prints, word for word: its help, and its answers as plain lines, table, JSON and YAML, as
transcripts in golden/. A verb without a transcript fails, and so does a field of JSON that client/cli/json.md does not name.

After a change that is meant: `tidemark_golden_test.py --update` writes the transcripts anew, for `git diff` to show."""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from confluent_kafka import Consumer

import broker as brokers
import client_suite
import group_broker
import raw_client

TIDEMARK = os.path.join(brokers.BIN, "tidemark")
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
PAGE = os.path.join(brokers.ROOT, "client", "cli", "json.md")
UPDATE = "--update" in sys.argv

FORMS = {"plain": [], "table": ["-o", "table"], "json": ["-o", "json"], "yaml": ["-o", "yaml"]}
# In 2100: what is not read yet is then no second old, whenever that is.
TIME = 4_102_444_800_000
RECORDS = "".join(f"{TIME + i} k{i} value {i}\n" for i in range(5))
# Their fields are named by whoever uses them.
OPEN_OBJECTS = {"configs", "quotas", "entity"}
# Sizes of a disk, durations, and what else is another one in each run.
VOLATILE = ("joining_ms assigning_ms total_bytes usable_bytes used_percent producer_id crc elapsed_ms records_per_s "
            "bytes_per_s p50 p90 p99 p99_9 max count started").split()


class Step:
    """A command line, run in each form: "{form}" is its name. `loose`: numbers and widths are another one in each run."""

    def __init__(self, line, stdin="", forms=FORMS, loose=False):
        self.words = line.split(" ")
        self.stdin = stdin
        self.forms = forms
        self.loose = loose


ONCE = {"plain": []}
ONLINE = [
    ("topic list", [Step("topic list")]),
    ("topic describe", [Step("topic describe harbour"), Step("topic describe harbor", forms=ONCE)]),
    ("group list", [Step("group list")]),
    ("group describe", [Step("group describe readers"), Step("group describe reader", forms=ONCE)]),
    ("cluster info", [Step("cluster info")]),
    ("cluster health", [Step("cluster health", loose=True)]),
    ("config get", [Step("config get topic harbour"), Step("config get topic harbour retention.mz", forms=ONCE)]),
    ("consume", [Step("consume harbour --until-end -p 0"), Step("consume harbour -e -n 2 -f %t/%p/%o:%k=%v;", forms=ONCE)]),
    ("topic create", [Step("topic create tides-{form} -p 2 -c retention.ms=86400000"),
                      Step("topic create harbour", forms=ONCE)]),
    ("topic alter", [Step("topic alter tides-{form} -p 3 -c max.message.bytes=2000 -d retention.ms")]),
    ("produce", [Step("produce tides-plain -f %k:%v\\n", stdin="k:v\n", forms=ONCE),
                 Step("produce harbour -p 7", stdin="lost\n", forms=ONCE)]),
    ("topic trim", [Step("topic trim quay -p 0 --before 1"), Step("topic trim quay --before -2"),
                    Step("topic trim quay -p 0 --before @1000"), Step(f"topic trim quay --before @{TIME}", forms=ONCE),
                    Step("topic trim quay --before 101", forms=ONCE),
                    Step("topic trim quay -p 7 --before end", forms=ONCE), Step("topic trim quay --before soon", forms=ONCE),
                    Step("topic trim compacted --before end", forms=ONCE)]),
    ("topic delete", [Step("topic delete tides-{form}"), Step("topic delete tides-plain", forms=ONCE)]),
    ("group reset", [Step("group reset sleepers --topic harbour --to-offset 1 --dry-run"),
                     Step("group reset readers --all-topics --to-earliest", forms=ONCE)]),
    ("group delete-offsets", [Step("group delete-offsets offsets-{form} --topic harbour:0")]),
    ("group delete", [Step("group delete gone-{form}"), Step("group delete readers", forms=ONCE)]),
    ("config set", [Step("config set topic quay retention.ms=60000"), Step("config set topic quay retention.ms=often", forms=ONCE)]),
    ("config unset", [Step("config unset topic quay retention.ms")]),
    ("quota set", [Step("quota set --user alice --client-defaults producer_byte_rate=1048576 request_percentage=12.5")]),
    ("quota list", [Step("quota list")]),
    ("quota describe", [Step("quota describe --user alice --client-defaults")]),
    ("quota delete", [Step("quota delete --user {form} producer_byte_rate"), Step("quota delete --user nobody", forms=ONCE)]),
    ("perf produce", [Step("perf produce quay --records 10", loose=True)]),
    ("perf consume", [Step("perf consume harbour --records 5", loose=True)]),
    ("perf latency", [Step("perf latency quay --rate 100 --seconds 0.2", loose=True)]),
    ("completion", [Step(f"completion {shell}", forms=ONCE) for shell in ("bash", "zsh", "fish")]),
]
# After the broker has stopped, so that its files stand still.
OFFLINE = [
    ("log dump", [Step("log dump DATA/harbour-0/00000000000000000000.log --records")]),
    ("log verify", [Step("log verify DATA/harbour-0"), Step("log verify DATA/no-such-folder", forms=ONCE)]),
]


def keys_of(value):
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    below = [keys_of(inner) for key, inner in value.items() if key not in OPEN_OBJECTS]
    return set(value).union(*below)


@brokers.tidemark_only("the transcripts are of a daemon")
class Golden(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.broker = group_broker.open_group_broker()
        cls.addClassCleanup(cls.broker.close)
        cls.fields = {}

    # --- what there is to see ---------------------------------------------------------------------------------------
    def run_command(self, words, stdin="", data="DATA"):
        environment = {"TIDEMARK_BOOTSTRAP": self.broker.bootstrap, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        words = [word.replace("DATA", data) for word in words]
        return subprocess.run([TIDEMARK, *words], input=stdin, capture_output=True, text=True, timeout=60, check=False,
                              env=environment)

    def must(self, line, stdin=""):
        done = self.run_command(line.split(" "), stdin)
        self.assertEqual(done.returncode, 0, done)

    def fill(self):
        late = "message.timestamp.after.max.ms=9223372036854775807"
        for topic in ("harbour", "quay"):
            self.must(f"topic create {topic} -p 2 -r 1 -c {late}")
            raw_client.await_led(self.broker.bootstrap, topic, 2)
            self.must(f"produce {topic} -p 0 -f %T\\x20%k\\x20%v\\n", RECORDS)
        self.must("topic create compacted -p 1 -r 1 -c cleanup.policy=compact")
        for group in ("sleepers", *(f"{kind}-{form}" for kind in ("offsets", "gone") for form in FORMS)):
            self.must(f"group reset {group} --topic harbour:0 --to-offset 2")
        for user in FORMS:
            self.must(f"quota set --user {user} producer_byte_rate=1")
        reader = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "readers", "client.id": "reader",
                           "auto.offset.reset": "earliest", "enable.auto.commit": False})
        self.addCleanup(reader.close)
        self.reader = reader
        reader.subscribe(["harbour"])
        seen = 0
        while seen < 2:
            message = reader.poll(30)
            self.assertIsNotNone(message)
            seen += 1
            reader.commit(message, asynchronous=False)

    # --- transcripts --------------------------------------------------------------------------------------------------
    def same_each_time(self, text, form, loose):
        port = self.broker.bootstrap.rsplit(":", 1)[1]
        text = re.sub(rf"\b{port}\b", "PPPPP", text).replace(self.broker.data_dir, "DATA")
        text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", text)
        # Ids in Kafka's letters; YAML quotes those that begin with a digit.
        text = re.sub(r'(?<![\w.-])("?)(?=[\w-]*[A-Z0-9])[\w-]{22}\1(?![\w.-])',
                      lambda found: found[1] * (form == "json") + "ID" * 11 + found[1] * (form == "json"), text)
        # A rebalance's row: when, how it ended, why, generation, members, and how long it took.
        text = re.sub(r"\b20\d\d-\d\d-\d\dT[\d:.]+Z((?:\s+\S+){4})(\s+)\d+(\s+)\d+\b", r"TIME\1\2N\3N", text)
        text = re.sub(r'(?m)(^\s*(?:- )?"?(?:' + "|".join(VOLATILE) + r')"?: )"?[\d.:TZ-]+"?', r"\1N", text)
        if loose and form in ("plain", "table"):
            text = re.sub(r"(?<![\w.])\d+(\.\d+)?(?![\w.])", "N", text)
        if form == "table" and (loose or any(word in text for word in ("UUID", "TIME", "DATA"))):
            text = re.sub(r" {2,}", "  ", text)
        return text

    def play(self, verb, steps):
        told = self.run_command([*verb.split(" "), "--help"])
        self.assertEqual((told.returncode, told.stderr), (0, ""), verb)
        lines = [f"$ tidemark {verb} --help\n{told.stdout}"]
        for step in steps:
            for form, flags in step.forms.items():
                words = [word.replace("{form}", form) for word in [*step.words, *flags]]
                done = self.run_command(words, step.stdin, self.broker.data_dir)
                if form == "json" and done.stdout:
                    self.note_fields(verb, done.stdout)
                lines.append(f"$ tidemark {' '.join(words)}\n" + self.same_each_time(done.stdout, form, step.loose) +
                             "".join(f"! {line}\n" for line in
                                     self.same_each_time(done.stderr, form, step.loose).splitlines()) +
                             (f"[exit {done.returncode}]\n" if done.returncode else ""))
        return "\n".join(lines)

    def note_fields(self, verb, text):
        try:
            documents = [json.loads(text)]
        except ValueError:  # one a line
            documents = [json.loads(line) for line in text.splitlines()]
        self.fields.setdefault(verb, set()).update(keys_of(documents))

    def check(self, verb, steps):
        with self.subTest(verb):
            path = os.path.join(GOLDEN, verb.replace(" ", "-") + ".txt")
            shown = self.play(verb, steps)
            if UPDATE:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(shown)
            with open(path, encoding="utf-8") as file:
                self.assertEqual(shown, file.read(), f"{path}; if this is meant: {os.path.basename(__file__)} --update")

    def verbs_below(self, words=()):
        text = self.run_command([*words, "--help"]).stdout
        verbs = re.findall(r"^  ([a-z-]+)  +\S", text.partition("Subcommands:")[2], re.MULTILINE)
        return {name for verb in verbs for name in self.verbs_below((*words, verb))} if verbs else {" ".join(words)}

    def check_page(self):
        """Every verb has its section, and every field that was seen stands there between backticks."""
        with open(PAGE, encoding="utf-8") as file:
            sections = re.split(r"^## `(.*)`\n", file.read(), flags=re.MULTILINE)
        page = dict(zip(sections[1::2], sections[2::2]))
        self.assertEqual(set(page), {verb for verb, _ in ONLINE + OFFLINE}, "the sections of client/cli/json.md")
        for verb, fields in self.fields.items():
            with self.subTest(page=verb):
                named = set(re.findall(r"`([^`]+)`", page.get(verb, "")))
                self.assertEqual(fields - named, set(), f"client/cli/json.md, section `{verb}`")

    def test_every_verb(self):
        transcripts = {name[:-len(".txt")].replace("-", " ") for name in os.listdir(GOLDEN)}
        told = {verb for verb, _ in ONLINE + OFFLINE}
        self.assertEqual(self.verbs_below(), told, "a verb has no steps here, or steps have no verb")
        if not UPDATE:
            self.assertEqual({verb.replace("-", " ") for verb in told}, transcripts)
        self.fill()
        usage = shutil.disk_usage(self.broker.data_dir)
        full = usage.free < usage.total * 0.16  # which the verb would rightly tell
        for verb, steps in ONLINE:
            if verb == "cluster health" and full:
                print("the disk is nearly full: what cluster health says of it is not compared")
                continue
            self.check(verb, steps)
        self.reader.close()
        self.broker.stop()
        for verb, steps in OFFLINE:
            self.check(verb, steps)
        self.check_page()


if __name__ == "__main__":
    if UPDATE:
        sys.argv.remove("--update")
    client_suite.main(__name__)
