"""What a power failure would leave: the calls of a traced gateway are played into a model of a disk that keeps only what was
synchronized. At each positive reply the power is cut: what the reply promises must be there, whatever else survives or not.

Three disks are tried at each reply: nothing that was not synchronized is there; some of it, by chance; all of it.
"""

import os
import random
import re
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field

import messages

STORED = re.compile(rb"^250 2\.0\.0 Ok, (kept for review|queued[^(]*) \((\w{12})\)")
PASSED = re.compile(rb"^250 2\.0\.0 taken as (\d+)")


@dataclass(eq=False)
class File:
    now: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    # Writes and cuts since the last synchronization: (offset, octets) or (size, None).
    pending: list = field(default_factory=list)

    def apply(self, target, change):
        offset, octets = change
        if octets is None:
            del target[offset:]
            target.extend(bytes(offset - len(target)))
        else:
            target.extend(bytes(max(0, offset - len(target))))
            target[offset : offset + len(octets)] = octets

    def change(self, offset, octets):
        self.pending.append((offset, octets))
        self.apply(self.now, self.pending[-1])

    def synchronize(self):
        self.durable, self.pending = bytes(self.now), []

    def surviving(self, share, chance):
        left = bytearray(self.durable)
        for change in self.pending:
            if chance.random() < share:
                self.apply(left, change)
        return bytes(left)


class Disk:
    """Files by path. What is done in a directory is pending until that is synchronized."""

    def __init__(self):
        self.now, self.durable, self.pending, self.open = {}, {}, {}, {}

    def entry(self, path, file):
        """Here the path stands for that file (None: for nothing)."""
        self.now[path] = file
        self.pending.setdefault(os.path.dirname(path), []).append((path, file))

    def play(self, kind, fd, result, offset, path, data):
        if result < 0:
            return
        if kind == "open":
            if offset & os.O_TMPFILE == os.O_TMPFILE:
                return
            file = self.now.get(path)
            if file is None and offset & os.O_CREAT:
                file = File()
                self.entry(path, file)
            elif isinstance(file, File) and offset & os.O_TRUNC:
                file.change(0, None)
            self.open[fd] = file if isinstance(file, File) else os.path.normpath(path)
        elif kind == "close":
            self.open.pop(fd, None)
        elif kind == "write" and isinstance(self.open.get(fd), File):
            self.open[fd].change(offset if offset >= 0 else len(self.open[fd].now), data)
        elif kind == "truncate" and isinstance(self.open.get(fd), File):
            self.open[fd].change(offset, None)
        elif kind == "sync":
            file = self.open.get(fd)
            if isinstance(file, File):
                file.synchronize()
            elif file is not None:
                for name, entry in self.pending.pop(file, []):
                    self.durable[name] = entry
        elif kind == "rename":
            old, new = path.split("\n")
            file = self.now.get(old)
            self.entry(old, None)
            self.entry(new, file)
        elif kind == "unlink":
            self.entry(path, None)
        elif kind == "mkdir":
            self.entry(path, "directory")

    def surviving(self, share, chance):
        """{path: octets} of what a power failure leaves; `share` of what was not synchronized."""
        entries = dict(self.durable)
        for changes in self.pending.values():
            for path, file in changes:
                if chance.random() < share:
                    entries[path] = file
        left = {}
        for path, file in entries.items():
            if isinstance(file, File):
                left[path] = file.surviving(share, chance)
        return left, entries


class Check:
    """Cuts the power at each positive reply of a trace."""

    def __init__(self, lab, transactions, *, left_out=lambda kind, place: False, seed=1):
        """transactions: {number: the transaction that passed it on}. left_out: calls that are taken as never made (a self-test)."""
        self.lab, self.transactions, self.left_out = lab, transactions, left_out
        self.chance = random.Random(seed)
        self.promises = {"queued": {}, "kept": {}, "passed": {}}
        self.cuts = 0
        self.broken = []

    def run(self, records):
        disk = Disk()
        data = str(self.lab.data)
        # The directory itself is there before.
        disk.now[data] = disk.durable[data] = "directory"
        order = sorted(records, key=lambda r: r[3] if r[0] == "send" else r[4])
        for kind, place, fd, _, _, result, offset, path, octets in order:
            if kind == "send":
                if place == "client":
                    self.reply(disk, octets)
            elif place not in ("relaxed", "index", "content", "client", "downstream") and not self.left_out(kind, place):
                disk.play(kind, fd, result, offset, path, octets)
        return self

    def reply(self, disk, octets):
        for line in octets.split(b"\r\n"):
            if found := STORED.match(line):
                where = "kept" if found[1].startswith(b"kept") else "queued"
                self.cut(disk, where, found[2].decode())
            elif found := PASSED.match(line):
                name = self.transactions.get(int(found[1]))
                if name is not None:
                    self.cut(disk, "passed", name)

    def cut(self, disk, where, name):
        self.promises[where][name] = True
        for share in (0, 0.5, 1):
            self.cuts += 1
            problem = self.problem(disk, where, name, share)
            if problem:
                self.broken.append(f"{where} {name}, {share:.0%} of what was not synchronized: {problem}")

    def problem(self, disk, where, name, share):
        left, entries = disk.surviving(share, self.chance)
        data = str(self.lab.data)
        folder, database, table = {
            "queued": ("/spool", "spool.sqlite", "messages"),
            "kept": ("/quarantine", "quarantine.sqlite", "messages"),
            "passed": ("", "ledger.sqlite", "entries"),
        }[where]
        folder = data + folder
        if folder != data and entries.get(folder) is None:
            return "its directory is gone"
        place = tempfile.mkdtemp(prefix="outpost-power-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        try:
            for suffix in ("", "-wal"):
                if (octets := left.get(f"{folder}/{database}{suffix}")) is not None:
                    with open(f"{place}/{database}{suffix}", "wb") as file:
                        file.write(octets)
            connection = sqlite3.connect(f"{place}/{database}")
            try:
                if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                    return "the database is damaged"
                # All that was promised before, too; of the ledger only this one, since others may have been settled.
                wanted = [name] if where == "passed" else list(self.promises[where])
                there = {row[0] for row in connection.execute(f"SELECT id FROM {table}")}
                gone = [one for one in wanted if one not in there]
                if gone:
                    return f"no row for {len(gone)} of {len(wanted)} that were promised"
            except sqlite3.DatabaseError as error:
                return f"the database: {error}"
            finally:
                connection.close()
        finally:
            shutil.rmtree(place, ignore_errors=True)
        if where == "passed":
            return None
        for one in self.promises[where]:
            octets = left.get(f"{folder}/messages/{one}.eml")
            found = octets and messages.HARNESS.search(octets)
            if not found or octets != messages.octets(int(found[1]), self.lab.subject):
                return f"the file of {one} is {'not whole' if octets else 'gone'}"
        return None
