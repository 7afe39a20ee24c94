#!/usr/bin/python3
"""Every top folder has a README.md with a file map, and every tracked file is on the map of its folder.

A map is the list under a heading that begins with "File map": each line starts with a bullet and one or more paths in
backticks, relative to the README's folder, then a colon and what they are. `{a,b}` stands for both; an entry that ends
in `/` covers everything below it. A README.md deeper down may have a map of its own, held to the same rule. README.md and
CMakeLists.txt need no entry. An entry that names nothing is an error too."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sources  # noqa: E402

SHOWN = 40
IMPLIED = {"README.md", "CMakeLists.txt"}


def expand(pattern):
    match = re.search(r"\{([^{}]*)\}", pattern)
    if not match:
        return [pattern]
    head, tail = pattern[:match.start()], pattern[match.end():]
    return [full for part in match.group(1).split(",") for full in expand(head + part.strip() + tail)]


def map_entries(text):
    """The paths of a README's map, or None if it has no such heading."""
    section = re.search(r"^#+ *File map\b.*?$(.*?)(?=^# |^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not section:
        return None
    entries = []
    for line in section.group(1).splitlines():
        bullet = re.match(r"\s*[-*] ((?:`[^`]+`(?:,| and)? *)+):", line)
        if bullet:
            for quoted in re.findall(r"`([^`]+)`", bullet.group(1)):
                entries += expand(quoted)
    return entries


def check(files, read):
    problems = []
    top_folders = sorted({name.split("/")[0] for name in files if "/" in name and not name.startswith(".")})
    readmes = {os.path.dirname(name) for name in files if os.path.basename(name) == "README.md"}
    if "README.md" not in files:
        problems.append("README.md is missing")
    for folder in top_folders:
        if folder not in readmes:
            problems.append(f"{folder}/README.md is missing")
        if "README.md" in files and f"`{folder}/`" not in read("README.md"):
            problems.append(f"README.md: its map of the folders does not name `{folder}/`")
    for folder in sorted(readmes - {""}):
        entries = map_entries(read(f"{folder}/README.md"))
        if entries is None:
            if folder in top_folders:
                problems.append(f"{folder}/README.md has no 'File map'")
            continue
        inside = [name[len(folder) + 1:] for name in files if name.startswith(folder + "/")]
        covered_folders = tuple(entry for entry in entries if entry.endswith("/"))
        exact = {entry for entry in entries if not entry.endswith("/")}
        for name in inside:
            if os.path.basename(name) in IMPLIED or name in exact or name.startswith(covered_folders):
                continue
            problems.append(f"{folder}/README.md: its file map does not name `{name}`")
        for entry in entries:
            if not (entry in inside if not entry.endswith("/") else any(name.startswith(entry) for name in inside)):
                problems.append(f"{folder}/README.md: its file map names `{entry}`, which is not there")
    return problems


def self_test():
    """The check sees: in a planted tree, a file off the map, a stale entry and a missing README are found."""
    good = {"README.md": "`a/`", "a/README.md": "## File map\n- `x.{h,cc}`: x\n- `deep/`: all\n",
            "a/x.h": "", "a/x.cc": "", "a/deep/y.h": ""}
    planted = [
        ({}, []),
        ({"a/z.h": ""}, ["a/README.md: its file map does not name `z.h`"]),
        ({"b/z.h": ""}, ["b/README.md is missing", "README.md: its map of the folders does not name `b/`"]),
        ({"a/README.md": good["a/README.md"] + "- `gone.h`: g\n"},
         ["a/README.md: its file map names `gone.h`, which is not there"]),
        ({"a/README.md": "nothing"}, ["a/README.md has no 'File map'"]),
    ]
    for change, expected in planted:
        tree = {**good, **change}
        found = check(sorted(tree), tree.__getitem__)
        if found != expected:
            sys.exit(f"file_map: self-test: expected {expected}, found {found}")


def main():
    self_test()
    files = sources.tracked_files()
    problems = check(files, sources.read)
    for problem in problems[:SHOWN]:
        print(problem)
    if problems:
        sys.exit(f"file_map: {len(problems)} problems")
    print(f"file_map: {len(files)} files are where the maps say")


if __name__ == "__main__":
    main()
