"""The gateway, its clients and its mail server as processes that can be killed at any time, and what happened to them."""

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import control
import messages
import sender
import server

# Seconds.
START_LIMIT = 30
DRAIN_LIMIT = 60


class Failure(Exception):
    """Something other than a lost or a doubled message: the run says nothing."""


@dataclass
class Death:
    """The end of a process by a kill, or of a fault: when, at which step, and what lay on the disk then."""

    moment: int
    who: str
    step: str
    fault: str
    ledger: set = field(default_factory=set)
    spool: set = field(default_factory=set)
    releasing: set = field(default_factory=set)
    # Of a fault: when it could begin.
    since: int | None = None


def die_with_parent():
    """For a child, at its begin: no process of the harness stays when the harness itself is killed."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rows(database, query):
    """Reads a copy: to open the database itself would change what a crash left."""
    if not os.path.exists(database):
        return []
    place = tempfile.mkdtemp(prefix="outpost-crash-copy-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        copy = place + "/copy.sqlite"
        for suffix in ("", "-wal"):
            if os.path.exists(database + suffix):
                shutil.copyfile(database + suffix, copy + suffix)
        connection = sqlite3.connect(copy)
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Lab:
    """One series: a data directory that lives through all kills, and everybody around it."""

    def __init__(self, program, library, directory, *, away="defer", settings="", subject="let this pass", rules="", scanner=False, trace=False):
        self.program, self.library, self.subject = program, library, subject
        self.directory = Path(directory)
        self.directory.mkdir(parents=True)
        self.data = self.directory / "data"
        self.port, self.server_port = free_port(), free_port()
        self.control = control.Control(self.directory / "control")
        self.board = messages.Board()
        self.board["pause"] = 2_000
        self.deaths = []
        self.gateway = self.server = self.sender = None
        self.is_traced = trace
        if rules:
            (self.directory / "rules").mkdir()
            (self.directory / "rules" / "test.cf").write_text(rules)
        signatures = Path(__file__).resolve().parents[2] / "Fixtures" / "signatures"
        antivirus = f"{{engine: builtin, database: {signatures}, on_failure: defer}}" if scanner else "{engine: none}"
        (self.directory / "outpost.yaml").write_text(
            f"hostname: gateway.example\n"
            f"data_directory: {self.data}\n"
            f'listeners: [{{address: "127.0.0.1:{self.port}"}}]\n'
            f"domains:\n"
            f"  - names: [example.com]\n"
            f'    downstream: ["127.0.0.1:{self.server_port}"]\n'
            f"    downstream_tls: none\n"
            f"    when_downstream_is_away: {away}\n"
            f"rules: [{json.dumps(str(self.directory / 'rules')) if rules else ''}]\n"
            f"antivirus: {antivirus}\n"
            f"authentication: {{enabled: false}}\n"
            f"limits: {{grace: 1s}}\n"
            f"log: {{format: json}}\n"
            f"{settings}"
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in (self.sender, self.server):
            self.end(child)
        if self.gateway is not None and self.gateway.poll() is None:
            self.gateway.kill()
            self.gateway.wait()

    # Processes

    def fork(self, body, name):
        child = os.fork()
        if child == 0:
            die_with_parent()
            try:
                body(getattr(self, name + "_port", self.port), self.directory / f"{name}.log", self.board, self.subject)
                os._exit(0)
            except KeyboardInterrupt:
                os._exit(130)
            except BaseException as error:  # A child must never go on as its parent.
                os.write(2, f"{name}: {type(error).__name__}: {error}\n".encode())
                os._exit(70)
        return child

    @staticmethod
    def end(child):
        if child is not None:
            try:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            except (ProcessLookupError, ChildProcessError):
                pass

    @staticmethod
    def has_ended(child):
        return os.waitpid(child, os.WNOHANG)[0] == child

    def start_server(self):
        if self.server is None:
            self.server = self.fork(server.run, "server")

    def kill_server(self, step="at any moment"):
        if self.server is not None:
            self.end(self.server)
            self.server = None
            self.deaths.append(Death(messages.now(), "server", step, "killed"))

    def start_sender(self):
        if self.sender is None:
            self.sender = self.fork(sender.run, "sender")

    def environment(self, is_faulty=True):
        added = {"SWIFT_BACKTRACE": "enable=no"}
        if is_faulty:
            added |= {"LD_PRELOAD": str(self.library), "FAULTS_CONTROL": str(self.control.path), "FAULTS_DATA": str(self.data)}
            if self.is_traced:
                added["FAULTS_TRACE"] = str(self.directory / "trace")
        return {**os.environ, **added}

    def start_gateway(self):
        command = [str(self.program), "serve", "--config", str(self.directory / "outpost.yaml")]
        with open(self.directory / "gateway.log", "ab") as log:
            self.gateway = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(), preexec_fn=die_with_parent
            )

    def wait_for_end(self, seconds):
        """True when the gateway has ended; it is reaped then."""
        handle = os.pidfd_open(self.gateway.pid)
        try:
            is_over = bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)
        if is_over:
            self.gateway.wait()
        return is_over

    def is_listening(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                return client.recv(3) == b"220"
        except OSError:
            return False

    def wait_for(self, condition, what, seconds=START_LIMIT):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"{what}: not after {seconds} s; see {self.directory}")
            time.sleep(0.005)

    def note_death(self, step, fault):
        self.deaths.append(
            Death(
                messages.now(),
                "gateway",
                step,
                fault,
                ledger={row[0] for row in rows(f"{self.data}/ledger.sqlite", "SELECT id FROM entries")},
                spool={
                    # A notice is known by what it is about.
                    reason.removeprefix("notice about ") if route.startswith("to:") else name
                    for name, route, reason in rows(f"{self.data}/spool/spool.sqlite", "SELECT id, route, reason FROM messages")
                },
            )
        )

    def kill_gateway(self, step, fault):
        self.gateway.kill()
        self.gateway.wait()
        self.note_death(step, fault)

    # One kill

    def kill_at(self, kind, place, action, number, *, is_from_start=False, seconds=0.7):
        """Kills the gateway at a call. Returns the step and whether it came there; it is killed anyhow."""
        step, fault = control.step(kind, place), "no memory" if action == "fail" else f"killed {action}"
        if self.gateway is None or self.gateway.poll() is not None:
            self.control.arm(kind, place, action, number, error=12, waits=not is_from_start)
            self.start_gateway()
        else:
            self.control.arm(kind, place, action, number, error=12)
        if self.wait_for_end(seconds):
            if self.control["fired"] == 0:
                raise Failure(f"the gateway ended by itself, with {self.gateway.returncode}; see {self.directory}/gateway.log")
            self.note_death(step, fault)
            return True
        self.control.disarm()
        if self.wait_for_end(0):
            self.note_death(step, fault)
            return True
        self.kill_gateway("at any moment", "killed")
        return False

    # The end of a series

    def settle(self):
        """No more faults: everything that was begun comes to its end."""
        self.control.disarm()
        self.control["clock"] = 0
        for name in ("sender_count", "server_count"):
            self.board[name] = 0
        if self.server is not None and self.has_ended(self.server):
            self.server = None
        self.start_server()
        if self.gateway is None or self.gateway.poll() is not None:
            self.start_gateway()
        self.wait_for(self.is_listening, "the gateway does not listen")
        self.board["stop"] = 1
        self.board["pause"] = 0
        if self.sender is None or self.has_ended(self.sender):
            self.sender = self.fork(sender.run, "sender")
        self.wait_for(lambda: self.has_ended(self.sender), "not every message was answered", 120)
        self.sender = None
        # What was often cut off has long pauses by now, and so has a server that was away for long: all begins anew.
        self.kill_gateway("at any moment", "killed")
        self.start_gateway()
        self.wait_for(self.is_listening, "the gateway does not listen")
        self.command("queue", "retry", "--all").communicate(timeout=60)
        left, deadline = len(self.spooled()), time.monotonic() + DRAIN_LIMIT
        while left:
            if (now := len(self.spooled())) < left:
                left, deadline = now, time.monotonic() + DRAIN_LIMIT
            if time.monotonic() > deadline:
                raise Failure(f"{left} messages stay in the spool; see {self.directory}")
            time.sleep(0.2)

    def spooled(self):
        time.sleep(0.05)
        return rows(f"{self.data}/spool/spool.sqlite", "SELECT id FROM messages")

    def stop_gateway(self):
        self.gateway.terminate()
        if not self.wait_for_end(15):
            raise Failure("the gateway does not stop")

    def command(self, *arguments, is_faulty=False):
        return subprocess.Popen(
            [str(self.program), *arguments, "--config", str(self.directory / "outpost.yaml")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment(is_faulty),
            preexec_fn=die_with_parent,
        )

    def held(self, is_live=False):
        """Messages of the quarantine by state: {id: state}; as processes that have the database open see it, where it `is_live`."""
        database = f"{self.data}/quarantine/quarantine.sqlite"
        query = "SELECT id, state FROM messages WHERE kind = 'held'"
        if not is_live:
            return dict(rows(database, query))
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
        try:
            return dict(connection.execute(query).fetchall())
        finally:
            connection.close()
