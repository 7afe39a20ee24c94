#!/usr/bin/python3
"""What the architecture forbids, by folder: clocks, random sources, sleeps, threads and unordered containers in the
cores; Asio outside of the runtime folders; system calls outside of the seams' production sides; an include that points
up. Comments and string literals do not count. Every exception stands in ALLOWED with its reason, and one that is no longer
needed is an error."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sources  # noqa: E402

# The production sides of the seams: they alone touch the world.
SEAMS = r"(broker/runtime|client/runtime|storage/posix|storage/rocksdb)/"
# Pure or above the seams, and simulated: nothing here may depend on the order of a hash.
CORES = (r"(protocol|config|storage|replication|broker/coordinator|client/core)/")
PRODUCT = r"(protocol|config|storage|replication|broker|client)/"

# name, folders, folders exempt, pattern, why
RULES = [
    ("clock", PRODUCT, SEAMS,
     r"::now\s*\(|\b(gettimeofday|clock_gettime|timerfd_create)\s*\(|\b(std::)?time\s*\(\s*(nullptr|NULL|0|&)",
     "time comes through the Clock seam"),
    ("random", PRODUCT, SEAMS, r"random_device|\bmt19937|\bdefault_random_engine|\bs?rand\s*\(|\bgetrandom\s*\(|\bgetentropy\s*\(",
     "randomness comes through the Random seam"),
    ("sleep", PRODUCT, SEAMS, r"\bthis_thread\b|\b(u|nano|clock_nano)sleep\s*\(|(?<![\w.>])(?<!\w::)sleep\s*\(",
     "waiting goes through the Scheduler seam"),
    ("thread", PRODUCT, SEAMS,
     r"std::(jthread|thread|async|mutex|shared_mutex|recursive_mutex|timed_mutex|condition_variable|counting_semaphore|"
     r"binary_semaphore|latch|barrier|lock_guard|unique_lock|scoped_lock|call_once)\b|\bpthread_\w+\s*\(",
     "one shard, one loop, nobody locks; blocking work goes to a Lane"),
    ("atomic", CORES, SEAMS, r"std::atomic\b|std::atomic_\w+|__atomic_\w+|__sync_\w+", "a core runs on one loop"),
    ("unordered", CORES, SEAMS, r"\bunordered_(multi)?(map|set)\b", "the order of a hash must not decide anything: std::map, or LookupMap"),
    ("asio", PRODUCT, SEAMS, r"#\s*include\s*<boost/asio", "shells name no Asio type; the seams' production sides do"),
    ("system", PRODUCT, SEAMS,
     r"#\s*include\s*<(fstream|filesystem|unistd\.h|fcntl\.h|dirent\.h|poll\.h|netdb\.h|sys/\w+\.h|netinet/\w+\.h|arpa/\w+\.h)>",
     "files and sockets are reached through the seams"),
    ("environment", CORES, SEAMS, r"\bgetenv\s*\(", "a core is given what it needs"),
]

# (path pattern, rule, reason)
ALLOWED = [
    (r"protocol/generator/.*", "system", "a build tool: reads schemas, writes sources"),
    (r"config/config_file\.cc", "system", "reads the configuration once, before there is a seam"),
    (r"config/reference/main\.cc", "system", "a build tool: compares the reference page"),
    (r"protocol/runtime/buffer\.h", "atomic", "a byte budget that several shards share"),
    (r"replication/controller/address\.cc", "system", "the text of addresses; no socket and no name server"),
    (r"broker/quota/usages\.(h|cc)", "thread",
     "finds what a client has used when its connection begins or a quota changes: off every request's path"),
    (r"broker/daemon\.cc", "thread", "starts the shards' threads, and waits for them and for signals"),
    (r"broker/daemon\.cc", "system", "the machine's memory, and signals"),
    (r"broker/observe/metrics\.(h|cc)", "thread", "registering and scraping, never counting: off every request's path"),
    (r"broker/group_metrics\.(h|cc)", "thread", "the rows of groups, from a look a second to a scrape: off every request's path"),
    (r"broker/node_metrics\.(h|cc)", "thread", "bytes by topic, from a sample a second to a scrape: off every request's path"),
    (r"broker/telemetry/client_series\.(h|cc)", "thread", "what clients push once a minute, and a scrape: off every record's path"),
    (r"broker/server/connection_limits\.(h|cc)", "thread", "counts the node's connections, once when one opens and once when it ends"),
    (r"storage/file_cache\.(h|cc)", "thread", "open files are shared by a data folder's lanes: the one lock in storage/"),
    (r"storage/file_cache\.h", "unordered", "looked up by name only; the order of eviction is a list's"),
]

# What each folder may include; the longest prefix counts. Dependencies point down only (architecture: the house).
BELOW = {
    "protocol": ["protocol"],
    "config": ["config", "protocol"],
    "storage/format": ["storage/format", "storage/file.h", "storage/planted.h", "protocol"],
    "storage": ["storage", "config", "protocol"],
    "replication": ["replication", "storage", "config", "protocol"],
    "broker/coordinator": ["broker/coordinator", "protocol"],
    "broker": ["broker", "replication", "storage", "config", "protocol"],
    "client": ["client", "tidemark", "protocol"],  # tidemark/: the library's public headers
    "client/include": ["tidemark"],
    "client/cli": ["client", "config", "protocol", "storage/format", "storage/file.h", "storage/posix"],
}


def code_of(text):
    """The text with comments and the content of literals blanked, line for line."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s\\"]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'',
        re.DOTALL)
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def includes_of(text):
    return [(text.count("\n", 0, match.start()) + 1, match.group(1))
            for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', text, re.MULTILINE)]


def may_include(path, included):
    prefixes = sorted((prefix for prefix in BELOW if path.startswith(prefix + "/")), key=len)
    if not prefixes:
        return True
    return any(included == below or included.startswith(below + "/") for below in BELOW[prefixes[-1]])


def check_file(path, text, used):
    problems = []
    code = code_of(text)
    for name, folders, exempt, pattern, why in RULES:
        if not re.match(folders, path) or re.match(exempt, path):
            continue
        for match in re.finditer(pattern, code):
            allowed = [entry for entry in ALLOWED if entry[1] == name and re.fullmatch(entry[0], path)]
            if allowed:
                used.update(allowed)
                continue
            line = code.count("\n", 0, match.start()) + 1
            problems.append(f"{path}:{line}: {name}: `{match.group(0).strip()}`: {why}")
    for line, included in includes_of(text):
        if included.count("/") and not may_include(path, included):
            problems.append(f"{path}:{line}: include: \"{included}\" points up or sideways")
    return problems


def check(files, read):
    problems, used = [], set()
    for path in files:
        if path.endswith((".h", ".cc", ".inc", ".def")) and re.match(PRODUCT, path):
            problems += check_file(path, read(path), used)
    for entry in ALLOWED:
        if entry not in used:
            problems.append(f"tests/checks/core_rules.py: the exception {entry[:2]} is no longer needed")
    return problems


PLANTED = [
    ("storage/x.cc", "auto t = std::chrono::steady_clock::now();", "clock"),
    ("broker/api/x.cc", "auto t = Clock::now ( );", "clock"),
    ("replication/x.cc", "long t = time(nullptr);", "clock"),
    ("storage/x.cc", "std::random_device seed;", "random"),
    ("config/x.cc", "std::mt19937_64 g;", "random"),
    ("storage/x.cc", "std::this_thread::sleep_for(a);", "sleep"),
    ("client/core/x.cc", "usleep(5);", "sleep"),
    ("broker/server/x.cc", "std::thread t(f);", "thread"),
    ("storage/x.h", "std::mutex mutex_;", "thread"),
    ("replication/x.h", "std::atomic<int> n;", "atomic"),
    ("storage/x.h", "std::unordered_map<int, int> m;", "unordered"),
    ("broker/coordinator/x.h", "std::unordered_set<int> m;", "unordered"),
    ("broker/x.cc", "#include <boost/asio/ip/tcp.hpp>", "asio"),
    ("storage/x.cc", "#include <fcntl.h>", "system"),
    ("protocol/x.cc", 'auto home = getenv("HOME");', "environment"),
    ("storage/x.cc", '#include "broker/node.h"', "include"),
    ("storage/format/x.cc", '#include "storage/log.h"', "include"),
    ("protocol/x.h", '#include "config/setting.h"', "include"),
    ("client/x.cc", '#include "storage/format/index.h"', "include"),
    ("client/x.cc", '#include "broker/node.h"', "include"),
    ("client/core/x.cc", '#include "config/written.h"', "include"),
    ("broker/x.cc", '#include "tests/simulation/world.h"', "include"),
]
INNOCENT = [
    ("storage/x.cc", "// never calls Clock::now() nor sleep()"),
    ("storage/x.cc", 'log("steady_clock::now() std::mutex");'),
    ("storage/x.cc", "/* std::thread\n std::unordered_map */ int time(int when);"),
    ("storage/x.cc", "const char c = '\"'; int known_now = 1'000;"),
    ("broker/runtime/x.cc", "auto t = std::chrono::steady_clock::now();\n#include <boost/asio.hpp>"),
    ("storage/posix/x.cc", "#include <fcntl.h>"),
    ("broker/api/x.cc", "std::unordered_map<int, int> in_a_shell;"),
    ("client/cli/x.cc", '#include "storage/format/index.h"'),
    ("storage/x.cc", "co_await sleep_for(scheduler, pause);"),
    ("tests/unit/x.cc", "std::mutex m;"),
]


def self_test():
    """The check sees: every planted violation is found, by its rule, and nothing innocent is."""
    for path, text, rule in PLANTED:
        found = check_file(path, text, set())
        if len(found) != 1 or f": {rule}: " not in found[0]:
            sys.exit(f"core_rules: self-test: {text!r} in {path} should break '{rule}', found {found}")
    for path, text in INNOCENT:
        if found := [problem for problem in check_file(path, text, set()) if re.match(PRODUCT, path)]:
            sys.exit(f"core_rules: self-test: {text!r} in {path} is innocent, found {found}")
    seen = {rule for _, _, rule in PLANTED}
    if missing := [rule[0] for rule in RULES if rule[0] not in seen]:
        sys.exit(f"core_rules: self-test: nothing is planted for {missing}")


def main():
    self_test()
    files = sources.tracked_files()
    problems = check(files, sources.read)
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(f"core_rules: {len(problems)} problems")
    print(f"core_rules: {len(RULES)} rules and the direction of includes hold")


if __name__ == "__main__":
    main()
