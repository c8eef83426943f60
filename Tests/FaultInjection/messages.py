"""Messages that can be told from one another and rebuilt from their numbers, and the logs of those who send and take them."""

import os
import re
import struct
import mmap
import time

# Each so many-th is larger than what the gateway keeps in memory (256 KiB).
LARGE_EVERY = 50
LARGE_LINES = 4_000


def now():
    """Nanoseconds of the clock that all processes of the machine share; faults.c uses the same."""
    return time.monotonic_ns()


def octets(number, subject="let this pass"):
    """The message of that number as its client sends it, without dots doubled."""
    head = (
        f"X-Harness: {number}\r\nMessage-ID: <{number}@harness.example>\r\nFrom: Ann <ann@sender.example>\r\n"
        f"To: Bob <bob@example.com>\r\nDate: Mon, 23 Nov 2026 09:20:00 +0000\r\nSubject: {subject}\r\n\r\n"
    )
    lines = LARGE_LINES if number % LARGE_EVERY == LARGE_EVERY - 1 else 4
    body = "".join(f".{number} line {line} {'abcdefghij' * 6}\r\n" for line in range(lines))
    return (head + body).encode()


def recipients(number):
    return ["bob@example.com", "eve@example.com"] if number % 4 == 0 else ["bob@example.com"]


def stuffed(message):
    return message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


HARNESS = re.compile(rb"^X-Harness: (\d+)\r$", re.M)
TRANSACTION = re.compile(rb"^X-Outpost-Id: (\w+)|^Received: .*?\sid (\w{12})", re.M | re.S)
ACTION = re.compile(rb"^Action: (\w+)", re.M)


def identify(message, subject):
    """What arrived: (number, transaction, "message" or what a notice says, whether it is what was sent)."""
    found = HARNESS.search(message)
    if found is None:
        return None
    number = int(found[1])
    transaction = TRANSACTION.search(message)
    name = (transaction[1] or transaction[2]).decode() if transaction else "?"
    if b"multipart/report" in message[:4000].lower():
        action = ACTION.search(message)
        return number, name, action[1].decode() if action else "notice", True
    return number, name, "message", message[found.start() :] == octets(number, subject)


class Log:
    """Lines of `time event words…`, each written at once: they outlive whoever wrote them."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, event, *words):
        os.write(self.fd, ("\t".join([str(now()), event, *map(str, words)]) + "\n").encode())


def lines(path):
    """What a log says: lists of time, event and words."""
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.endswith("\n"):
                moment, *words = line[:-1].split("\t")
                yield int(moment), *words


class Board:
    """Numbers that several processes see."""

    NAMES = ("stop", "pause", "sender_step", "sender_count", "server_step", "server_count", "server_action", "answered", "large")

    def __init__(self):
        self.memory = mmap.mmap(-1, 8 * len(self.NAMES))

    def __getitem__(self, name):
        return struct.unpack_from("=q", self.memory, 8 * self.NAMES.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("=q", self.memory, 8 * self.NAMES.index(name), value)

    def reached(self, who, step, steps):
        """Counts down at a step; true at the one that is meant."""
        if self[who + "_count"] <= 0 or steps[self[who + "_step"]] != step:
            return False
        self[who + "_count"] -= 1
        return self[who + "_count"] == 0
