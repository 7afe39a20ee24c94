"""A disk as power_cut_shim.cc's log tells of it: what a process sees there, what is synced, and what a power cut may leave. What
is synced stays; of the rest any subset: of each file's 512-byte sectors and sizes, of the folders' creates, renames and removes.
The fsync of a file says nothing of its name, as in the simulator (sim_disk.cc)."""

import mmap
import os
import struct

RECORD = struct.Struct("<QQQIIII")  # time, inode, position, operation, length of first, of second, unused
CREATE, MAKE_DIR, WRITE, TRUNCATE, RENAME, REMOVE, SYNC_BEGIN, SYNC_END = range(8)
SECTOR = 512


def read_log(path):
    """[(time in ns, operation, inode, position, first, second)]"""
    if not os.path.getsize(path):
        return []
    with open(path, "rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    records, at = [], 0
    while at < len(data):
        time_ns, inode, position, operation, first, second, _ = RECORD.unpack_from(data, at)
        at += RECORD.size
        records.append((time_ns, operation, inode, position, data[at:at + first], data[at + first:at + first + second]))
        at += first + second
    return records


def put(data, position, piece):
    if position > len(data):
        data.extend(bytes(position - len(data)))
    data[position:position + len(piece)] = piece


def resize(data, size):
    del data[size:]
    data.extend(bytes(size - len(data)))


class File:
    def __init__(self, content=b""):
        self.platter = bytearray(content)
        self.unsynced = []  # (number of the log's record, position, bytes; or None: now that size)

    def sync(self, before):
        done = [change for change in self.unsynced if change[0] < before]
        for _, position, piece in done:
            if piece is None:
                resize(self.platter, position)
            else:
                put(self.platter, position, piece)
        self.unsynced = self.unsynced[len(done):]

    def seen(self):
        whole = File(self.platter)
        whole.unsynced = self.unsynced
        whole.sync(1 << 62)
        return whole.platter

    def after_cut(self, random, nothing, counts):
        data = bytearray(self.platter)
        sizes = [len(data)]
        for _, position, piece in self.unsynced:
            sizes.append(position if piece is None else max(sizes[-1], position + len(piece)))
        # All, none or any: wholes are as likely as mixtures, or a file of many sectors would never survive whole.
        kept = 0.0 if nothing else random.choice([0.0, 1.0, 0.5, 0.9])
        chosen = 0 if nothing else len(sizes) - 1 if random.random() < 0.4 else random.randrange(len(sizes))
        for number, (_, position, piece) in enumerate(self.unsynced, 1):
            if piece is None:
                # After a cut that survived, what was there before may come back, or zeros.
                if number <= chosen and position < len(data) and random.random() < 0.5:
                    data[position:] = bytes(len(data) - position)
                continue
            at = position
            while at < position + len(piece):
                end = min(at - at % SECTOR + SECTOR, position + len(piece))
                if kept == 1.0 or (kept and random.random() < kept):
                    put(data, at, piece[at - position:end - position])
                    counts["sectors kept"] += 1
                else:
                    counts["sectors lost"] += 1
                at = end
        counts["sizes lost"] += sizes[chosen] != sizes[-1]
        resize(data, sizes[chosen])
        return data


class Folder:
    def __init__(self):
        self.entries = {}  # as seen
        self.synced = {}


class Disk:
    def __init__(self, root):
        self.root = os.path.normpath(root)
        self.nodes = {}     # by inode number
        self.unsynced = []  # folders' changes: (number of the record, from folder, to folder, name there, node)
        self.syncs = {}     # begun, not ended: (node, number of the record that began it)
        self.records = 0
        self.top = self.load(self.root)

    def load(self, path):
        """What is there before the process starts is synced."""
        if os.path.isdir(path):
            node = Folder()
            node.entries = {name: self.load(os.path.join(path, name)) for name in os.listdir(path)}
            node.synced = dict(node.entries)
        else:
            with open(path, "rb") as file:
                node = File(file.read())
        self.nodes[os.stat(path).st_ino] = node
        return node

    def parent(self, path):
        """(folder, name)"""
        *folders, name = os.path.relpath(os.path.normpath(bytes(path).decode()), self.root).split("/")
        at = self.top
        for part in folders:
            at = at.entries[part]
        return at, name

    def apply(self, record):
        _, operation, inode, position, first, second = record
        self.records += 1
        if operation in (CREATE, MAKE_DIR):
            folder, name = self.parent(first)
            node = self.nodes[inode] = File() if operation == CREATE else Folder()
            folder.entries[name] = node
            self.unsynced.append((self.records, None, folder, name, node))
        elif operation in (WRITE, TRUNCATE):
            self.nodes[inode].unsynced.append((self.records, position, first if operation == WRITE else None))
        elif operation == RENAME:
            (from_folder, from_name), (folder, name) = self.parent(first), self.parent(second)
            node = folder.entries[name] = from_folder.entries.pop(from_name)
            self.unsynced.append((self.records, from_folder, folder, name, node))
        elif operation == REMOVE:
            folder, name = self.parent(first)
            self.unsynced.append((self.records, folder, None, None, folder.entries.pop(name)))
        elif operation == SYNC_BEGIN:
            self.syncs[position] = (self.nodes[inode] if inode else None, self.records)
        elif operation == SYNC_END:
            self.sync(*self.syncs.pop(position))

    def sync(self, node, before):
        if node is None:  # the whole file system
            for each in self.nodes.values():
                self.sync(each, before)
            return
        if isinstance(node, File):
            node.sync(before)
            return
        # A rename is one transaction of a journaling file system; it is certain once its target's folder is synced, and so is
        # what happened to that file before.
        certain = [change for change in self.unsynced if change[0] < before and (change[2] or change[1]) is node]
        newest = {id(change[4]): change[0] for change in certain}
        for change in certain:
            persist(change)
        self.unsynced = [change for change in self.unsynced if change[0] > newest.get(id(change[4]), -1)]

    def differences(self):
        """Between what the log tells and what is really there: the shim has missed something."""
        found = []

        def compare(node, path):
            if isinstance(node, File):
                with open(path, "rb") as file:
                    if file.read() != node.seen():
                        found.append(f"{path} holds something else")
                return
            there = set(os.listdir(path))
            found.extend(f"{path}/{name} is only {'there' if name in there else 'told of'}"
                         for name in there ^ set(node.entries))
            for name in there & set(node.entries):
                compare(node.entries[name], os.path.join(path, name))

        compare(self.top, self.root)
        return found

    def cut_power(self, random, target, counts):
        """Builds in `target` what a power cut now would leave."""
        nothing = random.random() < 0.2
        kept = 0.0 if nothing else random.choice([0.0, 1.0, 0.5, 0.8])
        changed = {id(folder): folder for change in self.unsynced for folder in change[1:3] if folder is not None}
        before = [(folder, folder.synced) for folder in changed.values()]
        for folder in changed.values():
            folder.synced = dict(folder.synced)
        for change in self.unsynced:
            if random.random() < kept:
                persist(change)
                counts["folder changes kept"] += 1
            else:
                counts["folder changes lost"] += 1
        written = set()

        def build(node, path):
            if id(node) in written:
                return  # one file, one name: of two that survived, the first
            written.add(id(node))
            if isinstance(node, Folder):
                os.mkdir(path)
                for name, below in node.synced.items():
                    build(below, os.path.join(path, name))
            else:
                with open(path, "wb") as file:
                    file.write(node.after_cut(random, nothing, counts))

        build(self.top, target)
        for folder, synced in before:
            folder.synced = synced


def persist(change):
    """A folder's change, on the platter. What an earlier, lost one would have given may be missing: then it is as if it were
    there."""
    _, from_folder, to_folder, name, node = change
    for folder in (from_folder, to_folder):
        if folder is not None:
            folder.synced = {other: below for other, below in folder.synced.items() if below is not node}
    if to_folder is not None:
        to_folder.synced[name] = node
