#!/usr/bin/python3
"""The addresses in a daemon's `ready` line (port 0 became a real one): prints `KAFKA HTTP`, each HOST:PORT."""

import json
import re
import sys

ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[\w.-]+):\d+")


def addresses(log_text):
    """(kafka, http) from the last complete `ready` line of a log in either format, or None."""
    found = None
    for line in log_text.split("\n")[:-1]:
        if not re.search(r"\bready\b", line):
            continue
        fields = {}
        if line.startswith("{"):
            try:
                fields = {key: str(value) for key, value in json.loads(line).items()}
            except ValueError:
                continue
        else:
            fields = dict(re.findall(r"(\w+)=(\S+)", line))
        kafka = fields.get("kafka") or fields.get("listen") or fields.get("listener") or fields.get("listeners")
        http = fields.get("http")
        if kafka and http and ADDRESS.search(kafka) and ADDRESS.search(http):
            found = ADDRESS.search(kafka).group(0), ADDRESS.search(http).group(0)
    return found


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        result = addresses(file.read())
    if not result:
        sys.exit(1)
    print(*result)
