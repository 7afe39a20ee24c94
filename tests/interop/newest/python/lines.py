"""The drivers' language for Python clients: one JSON request a line in, one JSON answer a line out (../README.md)."""

import base64
import json
import sys
import threading


def encoded(data):
    return None if data is None else base64.b64encode(data).decode()


def decoded(text):
    return None if text is None else base64.b64decode(text)


def say(*words):
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def answer(verbs, request):
    """`verbs`: an object with a method for each verb."""
    verb = getattr(verbs, request.pop("verb"), None)
    if verb is None:
        return {"missing": "this client has no such call"}
    for entry in request.get("records", ()):
        entry[1], entry[2] = decoded(entry[1]), decoded(entry[2])
        entry[3] = [(name, decoded(value)) for name, value in entry[3]]
    try:
        return verb(**request) or {}
    except Exception as error:  # the suite judges it
        return {"error": f"{type(error).__name__}: {error}"}


def read_record(offset, timestamp, key, value, headers):
    """A record as `consume` answers with it."""
    return [offset, timestamp, encoded(key), encoded(value), [[name, encoded(data)] for name, data in headers or ()]]


class Leave(threading.Event):
    """Set when standard input ends."""

    def __init__(self):
        super().__init__()
        threading.Thread(target=self.wait_for_end, daemon=True).start()

    def wait_for_end(self):
        sys.stdin.read()
        self.set()


def main(open_verbs, member):
    bootstrap = sys.argv[1]
    if sys.argv[2:3] == ["member"]:
        member(bootstrap, Leave(), **json.loads(sys.argv[3]))
        say("left")
        return
    verbs = open_verbs(bootstrap)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(verbs, json.loads(line))) + "\n")
        sys.stdout.flush()
