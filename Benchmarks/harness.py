"""What the benchmarks share: servers that are started and stopped by process id, and what they used meanwhile."""

import atexit
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
# Seconds until a server that was started must answer, and until one that was asked to stop must be gone.
START_LIMIT = 30
STOP_LIMIT = 15


class Failure(Exception):
    """Something that ends the benchmark with a sentence instead of a traceback."""


def need_tools(*names):
    """Postfix's own programs live in /usr/sbin, which is not in everybody's path."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise Failure(f"not installed: {', '.join(missing)} (Debian: apt-get install postfix)")
    if os.geteuid() != 0:
        raise Failure("run as root: Postfix and smtp-sink start as root and become the user postfix")


def build(skip=False):
    """Release builds of the gateway and its scanner. Returns the directory they are in."""
    if not skip:
        for product in ("outpost", "outpost-scanner"):
            subprocess.run(["swift", "build", "-c", "release", "--product", product], cwd=ROOT, check=True, stdout=sys.stderr)
    directory = ROOT / ".build" / "release"
    if not (directory / "outpost").exists():
        raise Failure(f"{directory}/outpost is not there; leave out --no-build")
    return directory


def work_directory():
    """A new directory that everybody may enter (Postfix's processes are not root) and that is removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="outpost-bench-"))
    path.chmod(0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_greeting(port, process=None):
    """Returns when the server says 220."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise Failure(f"{process.args[0]} ended at its start with status {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                if client.recv(3) == b"220":
                    client.sendall(b"QUIT\r\n")
                    client.recv(1024)
                    return
        except OSError:
            pass
        time.sleep(0.005)
    raise Failure(f"no greeting at port {port} after {START_LIMIT} s")


def processes_below(pid):
    """The process and all that it has started, as far as they live."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found, open_ends = [], [pid]
    while open_ends:
        current = open_ends.pop()
        found.append(current)
        open_ends += parents.get(current, [])
    return found


class Server:
    """A process (with those below it) that takes mail at a port."""

    def __init__(self, name, port, pid):
        self.name = name
        self.port = port
        self.pid = pid

    def cpu_seconds(self):
        """User and system time of all its processes, also of those that have ended and were waited for."""
        total = 0
        for pid in processes_below(self.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            total += sum(int(value) for value in fields[11:15])
        return total / TICKS

    def reset_peak_memory(self):
        for pid in processes_below(self.pid):
            try:
                Path(f"/proc/{pid}/clear_refs").write_text("5")
            except OSError:
                pass

    def memory(self, key):
        """MiB over all processes: VmHWM (the peak since the last reset) or VmRSS. Pages they share count for each."""
        total = 0
        for pid in processes_below(self.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            value = re.search(rf"^{key}:\s+(\d+) kB", status, re.M)
            total += int(value.group(1)) if value else 0
        return total / 1024

    def stop(self):
        stop_process(self.pid)


def stop_process(pid):
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + STOP_LIMIT
        while time.monotonic() < deadline:
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    return
            except ChildProcessError:
                if not Path(f"/proc/{pid}").exists():
                    return
            time.sleep(0.02)


class Lab:
    """All that one benchmark runs. Everything is stopped, last started first, when the `with` block is left."""

    def __init__(self, binaries, directory):
        self.binaries = binaries
        self.directory = directory
        self.servers = []

    def __enter__(self):
        # A benchmark that is told to end takes its servers with it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()

    def add(self, server):
        self.servers.append(server)
        return server

    def sink(self, connections=1000, port=None):
        """Postfix's test server, which takes every message and throws it away."""
        port = port or free_port()
        # Without XCLIENT and XFORWARD: neither relay shall do more work than the other.
        command = ["smtp-sink", "-C", "-F", "-u", "postfix", "-m", str(connections), f"127.0.0.1:{port}", "1024"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        server = self.add(Server("sink", port, process.pid))
        wait_for_greeting(port, process)
        return server

    def outpost(self, name, downstream, settings="", tls=None):
        """A gateway with settings of its own (YAML) and everything else as it comes; tls: paths of certificate and key."""
        port = free_port()
        place = self.directory / name
        place.mkdir()
        secured = f", tls: {{certificate: {tls[0]}, private_key: {tls[1]}}}" if tls else ""
        (place / "outpost.yaml").write_text(
            f"hostname: gateway.example\n"
            f"data_directory: {place}/data\n"
            f'listeners: [{{address: "127.0.0.1:{port}"{secured}}}]\n'
            f"domains:\n"
            f"  - names: [example.com]\n"
            f'    downstream: ["127.0.0.1:{downstream.port}"]\n'
            f"    downstream_tls: none\n"
            f"{settings}"
        )
        return self.serve(name, port)

    def restart(self, gateway):
        """A gateway that was stopped, with the same directory and at the same port."""
        return self.serve(gateway.name, gateway.port)

    def serve(self, name, port):
        place = self.directory / name
        command = [str(self.binaries / "outpost"), "serve", "--config", str(place / "outpost.yaml")]
        with open(place / "log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
        server = self.add(Server(name, port, process.pid))
        server.log = place / "log"
        try:
            wait_for_greeting(port, process)
        except Failure as failure:
            raise Failure(f"{failure}\n{server.log.read_text()}") from None
        return server


def smtp_source(port, messages, sessions, size, kept=False, limit=120):
    """Sends messages with Postfix's load generator and returns the seconds it took. Every message must be accepted."""
    command = ["smtp-source", "-s", str(sessions), "-l", str(size), "-m", str(messages)]
    command += ["-f", "sender@sender.example", "-t", "user@example.com", "-M", "client.sender.example"]
    command += ["-d"] if kept else []
    started = time.monotonic()
    try:
        result = subprocess.run(command + [f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failure(f"{messages} messages to port {port} were not sent in {limit} s") from None
    elapsed = time.monotonic() - started
    if result.returncode != 0 or result.stderr.strip():
        raise Failure(f"smtp-source to port {port}: {result.stderr.strip()[:300]}")
    return elapsed


def certificate(directory):
    """Paths of a certificate that nobody has signed, and of its key."""
    paths = directory / "certificate.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=gateway.example", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True)
    return paths


def machine():
    """What the figures were measured on."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))
    return {
        "cores": os.cpu_count(),
        "cpu": model.group(1) if model else "unknown",
        "memory_gib": round(memory / 1024 / 1024, 1),
        "kernel": os.uname().release,
        "load_average": os.getloadavg()[0],
    }


def main(body):
    try:
        body()
    except Failure as failure:
        sys.exit(f"{Path(sys.argv[0]).name}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
