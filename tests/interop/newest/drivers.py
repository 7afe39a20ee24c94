"""Drivers: small programs around one client library each, in its own language, which do what lines of JSON ask of them
(README.md says what they may be asked). Libraries come from their registries, pinned, into build/newest; nothing of them is
kept in the repository. `Unavailable` says in one line what this machine lacks; what is there and does not build is `Broken`."""

import base64
import filecmp
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
BUILD = os.path.join(ROOT, "build", "newest")
KAFKA = os.path.join(HERE, "..", "kafka", "kafka.sh")
PYPI = {"kafka-python": "3.0.12", "aiokafka": "0.14.0", "confluent-kafka": "2.16.1", "cramjam": "2.14.0", "lz4": "4.4.5",
        "zstandard": "0.25.0", "python-snappy": "0.7.3"}
LEAVE_SECONDS = 60
CALL_SECONDS = 120
# A registry was reached and has something else than what is pinned, or what is pinned contradicts itself.
WRONG_PINS = re.compile("checksum mismatch|SECURITY ERROR|EINTEGRITY|EUSAGE|ResolutionImpossible")


class Unavailable(Exception):
    """A tool or a registry is not there."""


class Broken(Exception):
    """All is there, and a driver does not build."""


class DriverError(Exception):
    """What the client said when it could not."""


class Missing(Exception):
    """The client has no such call."""


def run(command, folder, what, seconds=900):
    """(whether it succeeded, all that it said, in one line what went wrong)."""
    try:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return False, "", f"{what}: no answer within {seconds} s"
    lines = done.stdout.strip().splitlines() or [f"exit status {done.returncode}"]
    telling = next((line for line in lines if "error" in line.lower()), lines[-1])
    return done.returncode == 0, done.stdout, f"{what}: {telling}"


def fetch(command, folder, what):
    """Only downloads: what fails is missing here, unless the pins themselves are wrong."""
    succeeded, said, reason = run(command, folder, what)
    if not succeeded:
        wrong = WRONG_PINS.search(said)
        raise Broken(f"{what}: {wrong[0]}\n{said}") if wrong else Unavailable(reason)


def build(command, folder, what):
    """Only builds, from what is fetched: what fails is our fault."""
    succeeded, said, reason = run(command, folder, what)
    if not succeeded:
        raise Broken(f"{reason}\n{said}")


def once(name, pins, install):
    """Installs if that was not done yet with these very pins."""
    done = os.path.join(BUILD, f"installed-{name}")
    if not (os.path.exists(done) and filecmp.cmp(done, pins, shallow=False)):
        install()
        shutil.copy(pins, done)


def need(program, package):
    if not shutil.which(program):
        raise Unavailable(f"no {program} here (Debian: {package})")


def python_command(script):
    """Newest Python clients live in a virtual environment of their own."""
    place = os.path.join(BUILD, "venv")
    python = os.path.join(place, "bin", "python")
    pins = os.path.join(BUILD, "requirements.txt")
    os.makedirs(BUILD, exist_ok=True)
    with open(pins, "w", encoding="utf-8") as file:
        file.writelines(f"{name}=={version}\n" for name, version in PYPI.items())

    def install():
        fetch(["/usr/bin/python3", "-m", "venv", "--clear", place], BUILD, "a virtual environment (Debian: python3-venv)")
        fetch([python, "-m", "pip", "install", "-q", "-r", pins], BUILD, "packages from PyPI")
    once("pypi", pins, install)
    return [python, os.path.join(HERE, "python", script)]


def go_command(name):
    need("go", "golang")
    os.makedirs(BUILD, exist_ok=True)
    program = os.path.join(BUILD, name)
    folder = os.path.join(HERE, "go")
    fetch(["go", "mod", "download"], folder, "modules from the Go proxy")
    build(["go", "build", "-o", program, f"./{name}"], folder, f"go build of {name}")
    return [program]


def node_command(name):
    need("npm", "npm")
    place = os.path.join(BUILD, "node")
    os.makedirs(place, exist_ok=True)
    for file in ("package.json", "package-lock.json", "lines.mjs", f"{name}.mjs"):
        shutil.copy(os.path.join(HERE, "node", file), place)
    once("npm", os.path.join(place, "package-lock.json"), lambda: fetch(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], place, "packages from npm"))
    return ["node", os.path.join(place, f"{name}.mjs")]


def genuine_jars():
    """Those that genuine Kafka itself runs with."""
    available = subprocess.run([KAFKA, "available"], capture_output=True, text=True, check=False)
    if available.returncode != 0:
        reason = available.stdout.strip()
        raise Unavailable(reason) if reason else Broken(f"{KAFKA}: {available.stderr}")
    return os.environ.get("KAFKA_JARS", os.path.join(ROOT, "build", "genuine-kafka"))


def java_command(source):
    jars = genuine_jars()
    need("javac", "openjdk-17-jdk-headless")
    place = os.path.join(BUILD, "java")
    os.makedirs(place, exist_ok=True)
    build(["javac", "-cp", f"{jars}/*", "-d", place, *source], os.path.join(HERE, "java"), "javac")
    config = os.path.join(os.path.dirname(KAFKA), "log4j2.xml")
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{place}:{jars}/*",
            f"-Dlog4j2.configurationFile={config}", source[0][:-len(".java")]]


def encoded(data):
    return None if data is None else base64.b64encode(data).decode()


def decoded(text):
    return None if text is None else base64.b64decode(text)


def tail(file):
    file.seek(0)
    return file.read()[-2000:]


class Driver:
    """One process; one call at a time."""

    def __init__(self, command, bootstrap):
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*command, bootstrap], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True)
        self.lock = threading.Lock()

    def call(self, verb, **fields):
        with self.lock:
            self.process.stdin.write(json.dumps({"verb": verb, **fields}) + "\n")
            self.process.stdin.flush()
            watchdog = threading.Timer(CALL_SECONDS, self.process.kill)
            watchdog.start()
            line = self.process.stdout.readline()
            watchdog.cancel()
        if not line:
            raise DriverError(f"{verb}: the driver ended\n{tail(self.said)}")
        answer = json.loads(line)
        if "missing" in answer:
            raise Missing(answer["missing"])
        if "error" in answer:
            raise DriverError(answer["error"])
        return answer

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.said.close()


class MemberProcess:
    """A group's member in a process of its own: tells what it reads, and commits before it gives anything up. `leave()` has it
    commit and go; `kill()` does not."""

    def __init__(self, command, bootstrap, **settings):
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*command, bootstrap, "member", json.dumps(settings)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.said, text=True)
        self.read, self.shares, self.has_left, self.complaints = [], [], False, []
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            word, *rest = json.loads(line)
            if word == "read":
                self.read.append((rest[0], rest[1]))
            elif word == "share":
                self.shares.append(rest[0])
            elif word == "left":
                self.has_left = True
            else:
                self.complaints.append(rest)

    def share(self):
        """Its partitions as last told; None before it is told any."""
        return self.shares[-1] if self.shares else None

    def leave(self):
        self.process.stdin.close()
        self.process.wait(LEAVE_SECONDS)
        self.listener.join(LEAVE_SECONDS)
        assert self.has_left, (self.process.returncode, self.complaints, tail(self.said))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.listener.join(LEAVE_SECONDS)
        self.process.stdout.close()
