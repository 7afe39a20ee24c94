#!/usr/bin/python3
"""Tab in real shells: each test types a line into bash, zsh or fish on a terminal, presses Tab, and lets the shell itself say
which words the line then has."""

import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import broker as brokers
import client_suite

TIDEMARK = os.path.join(brokers.BIN, "tidemark")
PATIENCE_SECONDS = 30
ODD_GROUPS = ["odd group", "o'neil & \"sons\" $HOME", "team:billing", "tëam-ü", "semi;colon*"]
TO_BEGIN, TO_END = "\x01", "\x05"  # Ctrl-A, Ctrl-E: all three have them


class Shell:
    """An interactive shell with our completion and nobody's settings."""

    START = {
        "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='ready> '; bind 'set enable-bracketed-paste off'; "
                                                          "source <(tidemark completion bash)"),
        "zsh": (["zsh", "-f", "-i"], "PS1='ready> '; unsetopt beep zle_bracketed_paste; bindkey -e; autoload -Uz compinit; "
                                     "compinit -u -D; source <(tidemark completion zsh)"),
        "fish": (["fish", "--no-config", "-i"], "function fish_prompt; echo -n 'ready> '; end; "
                                                "tidemark completion fish | source"),
    }

    def __init__(self, name, folder, bootstrap):
        command, setting = self.START[name]
        environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": folder, "TERM": "dumb" if name != "fish" else "xterm",
                       "LC_ALL": "C.UTF-8", "TIDEMARK_BOOTSTRAP": bootstrap, "HISTFILE": "/dev/null"}
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.seen = ""
        self.enter(setting + "; echo begun-$((6*7))" if name != "fish" else setting + "; echo begun-(math 6 x 7)")
        self.await_text(r"begun-42[\s\S]*ready> ")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def enter(self, text):
        self.type(text + "\r")

    def await_text(self, pattern):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := re.search(pattern, self.seen)):
            if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"no {pattern} in {self.seen!r}")
            self.seen += os.read(self.terminal, 65536).decode(errors="replace").replace("\r", "")
        self.seen = self.seen[found.end():]
        return found

    def words(self, typed):
        """Types it and a Tab; the words of the line as the shell then has it, without the program's name."""
        self.seen = ""
        self.type(typed + "\t")
        self.type(TO_BEGIN + "printf '<%s>\\n' begin ")
        self.enter(TO_END + " end")
        told = self.await_text(r"<begin>\n([\s\S]*?)<end>\n")[1]
        self.await_text("ready> ")
        return re.findall(r"<(.*)>", told)[1:]

    def close(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.terminal)


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.open_broker()
        cls.addClassCleanup(cls.broker.close)
        cls.folder = tempfile.mkdtemp(prefix="tidemark-completion.")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.mkdir(os.path.join(cls.folder, "bin"))
        os.symlink(TIDEMARK, os.path.join(cls.folder, "bin", "tidemark"))
        with open(os.path.join(cls.folder, "plan of offsets.csv"), "w", encoding="utf-8"):
            pass
        os.mkdir(os.path.join(cls.folder, "data folder"))
        for topic in ("harbour", "quay.north", "quay.south"):
            cls.must("topic", "create", topic, "-r", "1")
        deadline = time.monotonic() + PATIENCE_SECONDS
        for group in ODD_GROUPS + ["readers"]:
            while subprocess.run([TIDEMARK, "-b", cls.broker.bootstrap, "group", "reset", group, "--topic", "harbour",
                                  "--to-offset", "0"], capture_output=True, check=False).returncode:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    @classmethod
    def must(cls, *words):
        return subprocess.run([TIDEMARK, "-b", cls.broker.bootstrap, *words], check=True, capture_output=True, text=True,
                              timeout=60).stdout

    def offered(self, *words, bootstrap=None):
        environment = dict(os.environ, TIDEMARK_BOOTSTRAP=bootstrap or self.broker.bootstrap)
        done = subprocess.run([TIDEMARK, "complete", "zsh", *words], capture_output=True, text=True, check=False, timeout=60,
                              env=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        return [line.split("\t")[0] for line in lines[1:]]

    # --- what the command itself answers --------------------------------------------------------------------------------
    def test_names_of_the_cluster(self):
        self.assertEqual(self.offered("topic", "describe", "q"), ["quay.north", "quay.south"])
        for verb in ("produce", "consume", "latency"):
            self.assertEqual(self.offered("perf", verb, "har"), ["harbour"])
        self.assertLessEqual(set(ODD_GROUPS), set(self.offered("group", "describe", "")))
        self.assertEqual(self.offered("group", "reset", "readers", "--topic=har"), ["--topic=harbour"])
        self.assertEqual(self.offered("config", "get", "group", "read"), ["readers"])

    def test_every_verb_can_be_reached(self):
        def below(words):
            text = subprocess.run([TIDEMARK, *words, "--help"], capture_output=True, text=True, check=True).stdout
            verbs = re.findall(r"^  ([a-z-]+)  +\S", text.partition("Subcommands:")[2], re.MULTILINE)
            if verbs:
                self.assertEqual(self.offered(*words, ""), verbs)
            options = re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.MULTILINE)
            self.assertLessEqual(set(options) - {"--version"}, set(self.offered(*words, "--")), words)
            for verb in verbs:
                below([*words, verb])
        below([])

    def test_nobody_answers(self):
        """A closed port, and an address that swallows everything: nothing, soon."""
        for bootstrap in ("127.0.0.1:1", "192.0.2.1:9092", "nonsense"):
            began = time.monotonic()
            self.assertEqual(self.offered("topic", "describe", "", bootstrap=bootstrap), [])
            self.assertLess(time.monotonic() - began, 5)
        with socket_that_is_silent() as silent:
            began = time.monotonic()
            self.assertEqual(self.offered("group", "describe", "", bootstrap=f"127.0.0.1:{silent.getsockname()[1]}"), [])
            self.assertLess(time.monotonic() - began, 5)

    # --- shells -----------------------------------------------------------------------------------------------------------
    def shell(self, name):
        if not shutil.which(name):
            self.fail(f"no {name} here: deploy/install-deps.sh")
        shell = Shell(name, self.folder, self.broker.bootstrap)
        self.addCleanup(shell.close)
        return shell

    def check_shell(self, name):
        shell = self.shell(name)
        for typed, words in (
                ("tidemark top", ["topic"]),
                ("tidemark topic des", ["topic", "describe"]),
                ("tidemark -o js", ["-o", "json"]),
                ("tidemark topic list --int", ["topic", "list", "--internal"]),
                ("tidemark topic describe har", ["topic", "describe", "harbour"]),
                ("tidemark topic describe harbour qu", ["topic", "describe", "harbour", "quay."]),
                ("tidemark config set topic harbour retention.b", ["config", "set", "topic", "harbour", "retention.bytes="]),
                ("tidemark topic create x -c retention.b", ["topic", "create", "x", "-c", "retention.bytes="]),
                ("tidemark group reset readers --topic=har", ["group", "reset", "readers", "--topic=harbour"]),
                ("tidemark group reset readers --from-file pla", ["group", "reset", "readers", "--from-file",
                                                                  "plan of offsets.csv"]),
                ("tidemark -b 127.0.0.1:1 topic describe har", ["-b", "127.0.0.1:1", "topic", "describe", "har"]),
                (f"tidemark -b {self.broker.bootstrap} topic describe har", ["-b", self.broker.bootstrap, "topic", "describe",
                                                                             "harbour"])):
            with self.subTest(typed):
                self.assertEqual(shell.words(typed), words)
        self.assertEqual([word.rstrip("/") for word in shell.words("tidemark log verify dat")], ["log", "verify", "data folder"])
        # What has odd characters comes as one word, and nothing in it is the shell's.
        for typed, group in (("odd", ODD_GROUPS[0]), ("o\\'", ODD_GROUPS[1]), ("team", ODD_GROUPS[2]), ("team:b", ODD_GROUPS[2]),
                             ("tëa", ODD_GROUPS[3]), ("semi", ODD_GROUPS[4])):
            with self.subTest(group=group, typed=typed):
                self.assertEqual(shell.words(f"tidemark group describe {typed}"), ["group", "describe", group])

    def test_bash(self):
        self.check_shell("bash")
        shell = self.shell("bash")
        for typed in ("'odd", '"odd', "'odd 'gr", "od'd g", "'o'\\''n", '"o\'n'):
            with self.subTest(typed):
                group = ODD_GROUPS[0] if "d" in typed else ODD_GROUPS[1]
                self.assertEqual(shell.words(f"tidemark group describe {typed}"), ["group", "describe", group])

    def test_zsh(self):
        self.check_shell("zsh")

    def test_fish(self):
        self.check_shell("fish")


def socket_that_is_silent():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


if __name__ == "__main__":
    client_suite.main(__name__)
