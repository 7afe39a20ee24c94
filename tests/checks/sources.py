"""The project's files, for the checks of this folder: what git tracks, or, in an exported tree without git,
everything outside of build/ and data folders."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = {"build", "tidemark-data", ".git", "__pycache__"}


def tracked_files(root=ROOT):
    """Paths relative to the root, sorted; files that are deleted but not yet committed are left out."""
    if os.path.exists(os.path.join(root, ".git")):
        output = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True, stdout=subprocess.PIPE).stdout
        names = [name for name in output.decode().split("\0") if name]
        return sorted(name for name in names if os.path.lexists(os.path.join(root, name)))
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in files if not name.endswith(".pyc")]
    return sorted(found)


def read(path, root=ROOT):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()
