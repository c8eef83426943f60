"""The library that makes the faults: built here, and steered through a file that both sides map."""

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

KINDS = "none open write sync rename unlink truncate send receive accept connect map malloc read mkdir close".split()
PLACES = "other message wal database directory client downstream content scanner index relaxed".split()
ACTIONS = {"before": 1, "after": 2, "halfway": 3, "fail": 4}

# What a call at a place is, in words.
STEPS = {
    ("open", "message"): "a message's file is created",
    ("write", "message"): "a message's file is written",
    ("sync", "message"): "a message's file is synchronized",
    ("rename", "message"): "a message's file gets its place",
    ("open", "directory"): "a directory is opened",
    ("sync", "directory"): "a directory is synchronized",
    ("open", "wal"): "a database's log is opened",
    ("write", "wal"): "a row is written (WAL)",
    ("sync", "wal"): "a transaction is committed (WAL)",
    ("truncate", "wal"): "a WAL is cut",
    ("unlink", "wal"): "a WAL is removed",
    ("open", "database"): "a database is opened",
    ("read", "database"): "a database is read",
    ("read", "wal"): "a WAL is read",
    ("write", "database"): "a checkpoint is written",
    ("sync", "database"): "a checkpoint is synchronized",
    ("truncate", "database"): "a database is cut",
    ("open", "content"): "a large message's file is created",
    ("write", "content"): "a large message is received to its file",
    ("read", "content"): "a large message is read back",
    ("read", "message"): "a message's file is read",
    ("unlink", "message"): "a message's file is removed",
    ("map", "index"): "a WAL's index is mapped",
    ("open", "index"): "a WAL's index is opened",
    ("accept", "client"): "a client is accepted",
    ("receive", "client"): "a client is heard",
    ("send", "client"): "a client is answered",
    ("connect", "downstream"): "the mail server is called",
    ("send", "downstream"): "the mail server is told",
    ("receive", "downstream"): "the mail server is heard",
    ("malloc", "other"): "memory is allocated",
}


def step(kind, place):
    return STEPS.get((kind, place), f"{kind} of {place}")


def compiler():
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


def build(directory):
    """Compiles the library and returns its path."""
    source, library = Path(__file__).with_name("faults.c"), Path(directory) / "faults.so"
    command = [compiler(), "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


class Control:
    """`struct control` of faults.c."""

    OFFSETS = {
        "kind": (0, "I"), "place": (4, "I"), "action": (8, "I"), "error": (12, "i"), "countdown": (16, "q"), "repeat": (24, "q"),
        "waits": (32, "I"), "has_client": (36, "I"), "fired": (40, "q"), "fired_at": (48, "q"), "clock": (56, "q"),
    }
    COUNTS = 64
    SIZE = COUNTS + 8 * len(KINDS) * len(PLACES)

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(self.SIZE)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), self.SIZE)

    def __getitem__(self, name):
        offset, form = self.OFFSETS[name]
        return struct.unpack_from("=" + form, self.memory, offset)[0]

    def __setitem__(self, name, value):
        offset, form = self.OFFSETS[name]
        struct.pack_into("=" + form, self.memory, offset, value)

    def disarm(self):
        self["action"] = self["kind"] = 0
        self["repeat"] = 0

    def arm(self, kind, place, action, number=1, *, error=0, repeat=0, waits=False):
        """A fault at the `number`th call from now. `waits`: counted from the first connection of a client on."""
        self.disarm()
        self["waits"], self["has_client"] = int(waits), 0
        self["fired"] = self["fired_at"] = 0
        self["place"], self["error"], self["repeat"], self["countdown"] = PLACES.index(place), error, repeat, number
        self["action"] = ACTIONS[action]
        # Last: from here on calls are counted.
        self["kind"] = KINDS.index(kind)

    def counts(self):
        """How often each call was made at each place since they were last cleared."""
        values = struct.unpack_from(f"={len(KINDS) * len(PLACES)}Q", self.memory, self.COUNTS)
        return {
            (kind, place): values[k * len(PLACES) + p]
            for k, kind in enumerate(KINDS)
            for p, place in enumerate(PLACES)
            if values[k * len(PLACES) + p]
        }

    def clear(self):
        self.memory[self.COUNTS :] = bytes(self.SIZE - self.COUNTS)


def records(path):
    """What the library has recorded, as (kind, place, fd, begun, ended, result, offset, path, data)."""
    head = struct.Struct("=IBBHiiqqqq")
    octets = Path(path).read_bytes()
    at = 0
    while at + head.size <= len(octets):
        size, kind, place, path_size, fd, _, begun, ended, result, offset = head.unpack_from(octets, at)
        name = octets[at + head.size : at + head.size + path_size].decode()
        data = octets[at + head.size + path_size : at + size]
        yield KINDS[kind], PLACES[place], fd, begun, ended, result, offset, name, data
        at += size
