"""The series: each is a gateway with one data directory, under one kind of trouble, and the account at its end."""

import errno
import os
import signal
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import control
import messages
import power
import sender
import server
from account import Account
from lab import Death, Failure, Lab

HOLD = "header   TEST_HOLD Subject =~ /hold this/\ndescribe TEST_HOLD A test wants it held\nscore    TEST_HOLD 9\n"
# Calls of these kinds that are not steps of a message.
NO_STEPS = {"none", "close", "mkdir", "malloc"}
DAY = 86_400_000_000_000


@dataclass
class Run:
    program: str
    library: Path
    place: Path
    name: str
    kills: int
    chance: object
    table: "Table"
    is_long: bool = False

    def lab(self, part="", **settings):
        return Lab(self.program, self.library, self.place / f"{self.name}-{part or 'all'}", **settings)


class Table:
    """Rows by series, step and fault."""

    COLUMNS = "kills messages lost doubled outside".split()

    def __init__(self):
        self.rows = defaultdict(lambda: dict.fromkeys(self.COLUMNS, 0))
        self.faults, self.notes, self.promises = 0, [], 0

    def add(self, series, who, step, fault, **numbers):
        row = self.rows[series, who, step, fault]
        for name, number in numbers.items():
            row[name] += number
        self.faults += numbers.get("lost", 0) + numbers.get("outside", 0)

    def wrong(self, note):
        self.faults += 1
        self.notes.append(note)

    def total(self, column):
        return sum(row[column] for row in self.rows.values())

    def text(self):
        """A row for each step; what was done there stands in it, with how often."""
        steps = defaultdict(lambda: ([], dict.fromkeys(self.COLUMNS, 0)))
        for (series, who, step, fault), row in sorted(self.rows.items()):
            faults, sums = steps[series, who, step]
            if row["kills"]:
                faults.append(f"{fault} {row['kills']}" if fault else str(row["kills"]))
            for column in self.COLUMNS:
                sums[column] += row[column]
        head = ("path", "who", "step", "fault and how often", "messages", "lost", "doubled in the window", "doubled outside")
        lines = [head] + [
            (*key, ", ".join(faults), *(str(sums[column]) for column in self.COLUMNS[1:]))
            for key, (faults, sums) in steps.items()
        ]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
        rule = "|".join("-" * (width + 1) + (":" if column > 3 else "-") for column, width in enumerate(widths))
        text.insert(1, f"|{rule}|")
        return "\n".join(text)

    def summary(self):
        kinds = {"killed": 0, "cut": 0, "": 0}
        for (_, _, _, fault), row in self.rows.items():
            kind = "killed" if fault.startswith(("killed", "no memory")) else "cut" if fault == "cut" else ""
            kinds[kind] += row["kills"]
        return (
            f"kills {kinds['killed']}, other faults {kinds['']}, cuts of power {kinds['cut']}, messages {self.total('messages')}: "
            f"lost {self.total('lost')}, doubled in the window {self.total('doubled')}, doubled outside {self.total('outside')}"
        )


def settle_account(run, lab, *, kept=lambda number, recipient: False, may_refuse=False):
    """Counts, and gives each loss and each double to the kill it belongs to."""
    account = Account(lab)
    deaths = sorted(lab.deaths, key=lambda death: death.moment)
    begun = sorted(account.begun.values())
    before = 0
    for death in deaths:
        number = sum(before <= moment < death.moment for moment in begun) if len(begun) < 2_000 else _between(begun, before, death.moment)
        before = death.moment
        run.table.add(run.name, death.who, death.step, death.fault, kills=1, messages=number)
    after = _between(begun, before, 1 << 63)
    run.table.add(run.name, "", "no fault", "", messages=after)

    def at(since, until):
        death = next((death for death in deaths if since <= death.moment <= until), None)
        return (death.who, death.step, death.fault) if death else ("", "no fault", "")

    for number, recipient, moment in account.lost(kept):
        run.table.add(run.name, *at(moment - 1_000_000_000, 1 << 63), lost=1)
        run.table.notes.append(f"{run.name}: lost: message {number} to {recipient}, told {account.told[number][1]!r}")
    for first, second, window in account.doubled():
        run.table.add(run.name, *at(first.moment, second.moment), **{"doubled" if window else "outside": 1})
        if not window:
            run.table.notes.append(
                f"{run.name}: doubled: {first.kind} {first.number} by {first.transaction} at {first.moment} (answered {first.answered}) "
                f"and by {second.transaction} at {second.moment}, {lab.directory}"
            )
    for one in account.damaged():
        run.table.wrong(f"{run.name}: message {one.number} arrived changed")
    if account.strange:
        run.table.wrong(f"{run.name}: {account.strange} messages arrived that nobody had sent")
    if account.refused and not may_refuse:
        number, (_, reply) = next(iter(account.refused.items()))
        run.table.wrong(f"{run.name}: {len(account.refused)} messages were refused for good, {number} with {reply!r}")
    if not account.told:
        run.table.wrong(f"{run.name}: no message was accepted: too few to tell")
    return account


def _between(moments, since, until):
    from bisect import bisect_left

    return bisect_left(moments, until) - bisect_left(moments, since)


# Kills of the gateway


def observe(lab, seconds=0.5):
    """The calls that are made at each place: ({(kind, place): how often} at the start, the same while mail flows)."""
    steps = lambda: {
        step: number
        for step, number in lab.control.counts().items()
        if step[0] not in NO_STEPS and step[1] not in ("other", "relaxed", "scanner")
    }
    lab.control.disarm()
    lab.control["waits"] = 0
    lab.control.clear()
    lab.start_gateway()
    lab.wait_for(lab.is_listening, "the gateway does not listen")
    start = steps()
    lab.control.clear()
    time.sleep(seconds)
    flow = steps()
    lab.kill_gateway("at any moment", "killed")
    return start, flow


def points(start, flow, chance):
    """Endless: every step with every fault, in a new order each time. First the calls that a message or two make, then any."""
    faults = lambda kind: ("before", "after", "halfway") if kind in ("write", "send") else ("before", "after")
    every = [(kind, place, action, True) for kind, place in start for action in faults(kind)]
    every += [(kind, place, action, False) for kind, place in flow for action in faults(kind)] * 2
    every += [("malloc", "other", "fail", False)]
    for depth in range(1, 1 << 30):
        chance.shuffle(every)
        for kind, place, action, is_from_start in every:
            # Half of what was seen: it comes within half a second.
            most = 20_000 if kind == "malloc" else (start if is_from_start else flow)[kind, place]
            number = depth if depth <= min(3, most) and kind != "malloc" else chance.randint(1, max(1, most // 2))
            yield kind, place, action, number, is_from_start


def kill_gateway(run, lab, before_each=lambda: None):
    """Kills it at every step."""
    lab.start_server()
    lab.start_sender()
    time.sleep(0.1)
    for kind, place, action, number, is_from_start in points(*observe(lab), run.chance):
        if sum(death.who == "gateway" for death in lab.deaths) >= run.kills:
            break
        before_each()
        if run.chance.random() < 0.1:
            # Whenever it comes, also while it starts.
            lab.control.disarm()
            lab.start_gateway()
            time.sleep(run.chance.random() * 0.3)
            lab.kill_gateway("at any moment", "killed")
        else:
            lab.kill_at(kind, place, action, number, is_from_start=is_from_start)


def forward(run):
    with run.lab() as lab:
        kill_gateway(run, lab)
        lab.settle()
        settle_account(run, lab)


def toggled(run, lab):
    """The mail server comes and goes between the kills."""

    # What waits grows while the server is away.
    lab.board["pause"] = 15_000

    def before_each():
        if lab.server is None:
            if run.chance.random() < 0.4:
                lab.start_server()
        elif run.chance.random() < 0.4:
            lab.kill_server()

    return before_each


def spool(run):
    with run.lab(away="spool") as lab:
        kill_gateway(run, lab, toggled(run, lab))
        lab.settle()
        settle_account(run, lab)


def notices(run):
    """Every fourth message has a recipient that is refused when the mail server is back: its sender must be told, once."""
    with run.lab(away="spool", subject="refuse eve") as lab:
        with open(lab.directory / "outpost.yaml", "a") as file:
            file.write(f'spool: {{relay: ["127.0.0.1:{lab.server_port}"], delay_warning_after: 0s}}\n')
        kill_gateway(run, lab, toggled(run, lab))
        lab.settle()
        account = Account(lab)
        settle_account(
            run,
            lab,
            kept=lambda number, recipient: recipient.startswith("eve")
            and bool(account.taken.get((number, "failed", "ann@sender.example"))),
            may_refuse=True,
        )
        if not any(kind == "failed" for _, kind, _ in account.taken):
            run.table.wrong(f"{run.name}: nobody was told anything: too few to tell")


def hold(run):
    """Held mail; then every message is released, by commands that are killed as well."""
    with run.lab(subject="hold this", rules=HOLD) as lab:
        kill_gateway(run, lab)
        lab.settle()
        account = Account(lab)
        held = lab.held()
        release(run, lab, max(3, run.kills // 5))
        settle_account(run, lab)
        told = {reply.rsplit("(", 1)[-1].rstrip(")") for _, reply in account.told.values() if "kept for review" in reply}
        if missing := told - set(held):
            run.table.wrong(f"{run.name}: {len(missing)} held messages are not in the quarantine: {sorted(missing)[:3]}")


def release(run, lab, kills):
    waiting = sorted(lab.held())
    steps = [
        (kind, place, action)
        for kind, place in (
            ("write", "wal"), ("sync", "wal"), ("read", "message"), ("connect", "downstream"), ("send", "downstream"), ("receive", "downstream")
        )
        for action in ("before", "after")
    ]
    for number in range(kills):
        kind, place, action = steps[number % len(steps)]
        some = [name for name, state in lab.held().items() if state in ("waiting", "releasing")][:3]
        if not some:
            break
        lab.control["waits"] = 0
        lab.control.arm(kind, place, action, run.chance.randint(1, 12))
        process = lab.command("quarantine", "release", *some, is_faulty=True)
        process.communicate(timeout=60)
        if process.returncode == -signal.SIGKILL:
            # A commit that was cut off lies in the log, and is none for the gateway, which has the database open.
            states = lab.held(is_live=True)
            lab.deaths.append(
                Death(
                    messages.now(), "release", control.step(kind, place), f"killed {action}",
                    releasing={name for name in some if states.get(name) == "releasing"},
                )
            )
        lab.control.disarm()
    left = [name for name, state in lab.held().items() if state != "released"]
    while left:
        process = lab.command("quarantine", "release", *left[:200])
        output, _ = process.communicate(timeout=120)
        after = [name for name, state in lab.held().items() if state != "released"]
        if len(after) == len(left):
            raise Failure(f"messages cannot be released: {output[-500:]}")
        left = after


# Kills of the others


def downstream(run):
    """The mail server dies, hangs up, puts off or takes its time at every step, with and without a spool."""
    for away in ("defer", "spool"):
        with run.lab(away, away=away) as lab:
            lab.start_server()
            lab.start_gateway()
            lab.wait_for(lab.is_listening, "the gateway does not listen")
            lab.start_sender()
            time.sleep(0.2)
            plans = [(step, action) for step in range(len(server.STEPS)) for action in range(len(server.ACTIONS))]
            done = 0
            while done < run.kills // 2:
                run.chance.shuffle(plans)
                for step, action in plans:
                    if done >= run.kills // 2:
                        break
                    name = server.STEPS[step]
                    is_early = name in ("connect", "greeting", "ehlo")
                    if is_early or away == "spool":
                        # Connections are kept, and a server that was away is not asked again at once: all begins anew.
                        lab.kill_gateway("at any moment", "killed")
                        lab.start_gateway()
                    lab.start_server()
                    lab.board["server_step"], lab.board["server_action"] = step, action
                    lab.board["server_count"] = run.chance.randint(1, 2 if is_early else 6)
                    deadline = time.monotonic() + 1
                    while lab.board["server_count"] > 0 and time.monotonic() < deadline:
                        time.sleep(0.003)
                    if lab.board["server_count"] > 0:
                        lab.board["server_count"] = 0
                        lab.kill_server()
                    elif server.ACTIONS[action] == "kill":
                        lab.wait_for(lambda: lab.has_ended(lab.server), "the mail server does not die")
                        lab.server = None
                        lab.deaths.append(Death(messages.now(), "server", name, "killed"))
                        time.sleep(run.chance.random() * 0.03)
                    else:
                        lab.deaths.append(Death(messages.now(), "server", name, server.ACTIONS[action]))
                    done += 1
            lab.settle()
            settle_account(run, lab)


def client(run):
    """Clients are killed at every step; what they had not been told is sent again."""
    with run.lab() as lab:
        lab.start_server()
        lab.start_gateway()
        lab.wait_for(lab.is_listening, "the gateway does not listen")
        for number in range(run.kills):
            step = number % len(sender.STEPS)
            lab.board["sender_step"], lab.board["sender_count"] = step, run.chance.randint(1, 12)
            lab.start_sender()
            lab.wait_for(lambda: lab.has_ended(lab.sender), f"no client comes to {sender.STEPS[step]}")
            lab.sender = None
            lab.deaths.append(Death(messages.now(), "client", sender.STEPS[step], "killed"))
        lab.settle()
        settle_account(run, lab)


def scanner(run):
    """The virus scanner is killed in the middle of scans."""
    with run.lab(scanner=True) as lab:
        lab.board["pause"] = 0
        lab.start_server()
        lab.start_gateway()
        lab.wait_for(lab.is_listening, "the gateway does not listen")
        lab.start_sender()
        kills = 0
        deadline = time.monotonic() + 60 + run.kills
        while kills < run.kills and time.monotonic() < deadline:
            answered = lab.board["answered"]
            lab.wait_for(lambda: scanners(lab.gateway.pid), "no scanner")
            lab.wait_for(lambda: lab.board["answered"] > answered + 3, "no message gets through after a scanner's end")
            time.sleep(run.chance.random() * 0.05)
            for process in scanners(lab.gateway.pid):
                os.kill(process, signal.SIGKILL)
                kills += 1
                lab.deaths.append(Death(messages.now(), "scanner", "while it scans", "killed"))
        lab.settle()
        settle_account(run, lab)


def scanners(parent):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            if "(outpost-scanner" in text and text.rsplit(")", 1)[1].split()[1] == str(parent):
                found.append(int(entry))
    return found


# Faults of the system

ERRORS = {
    errno.ENOSPC: {("open", "message"), ("write", "message"), ("sync", "message"), ("rename", "message"), ("write", "wal"),
                   ("sync", "wal"), ("write", "database"), ("truncate", "database"), ("open", "content"), ("write", "content")},
    errno.EIO: {("open", "message"), ("write", "message"), ("sync", "message"), ("read", "message"), ("rename", "message"),
                ("unlink", "message"), ("sync", "directory"), ("write", "wal"), ("sync", "wal"), ("read", "wal"), ("read", "database"),
                ("write", "database"), ("sync", "database"), ("open", "content"), ("write", "content"), ("read", "content"),
                ("send", "client"), ("receive", "client"), ("send", "downstream"), ("receive", "downstream")},
    errno.EMFILE: {("open", "message"), ("open", "directory"), ("open", "content"), ("open", "database"), ("accept", "client")},
    errno.ENOMEM: {("open", "message"), ("write", "message"), ("accept", "client"), ("connect", "downstream"), ("map", "index"),
                   ("send", "client"), ("receive", "client"), ("open", "content")},
}


def errors(run):
    """Calls fail, once and for a while. The gateway says 4xx or hangs up, and serves on when they work again."""
    for part, settings in (("spool", {"away": "spool"}), ("hold", {"subject": "hold this", "rules": HOLD}), ("forward", {})):
        with run.lab(part, **settings) as lab:
            # What waits grows while the server is away.
            lab.board["pause"] = 20_000
            if part != "spool":
                lab.start_server()
            lab.start_gateway()
            lab.wait_for(lab.is_listening, "the gateway does not listen")
            lab.start_sender()
            time.sleep(0.3)
            plans = [(code, kind, place) for code, steps in ERRORS.items() for kind, place in sorted(steps)]
            run.chance.shuffle(plans)
            count = run.kills // 3
            for number in range(count):
                code, kind, place = plans[number % len(plans)]
                lasting = number // len(plans) % 2 == 1 or run.chance.random() < 0.5
                if part == "spool" and run.chance.random() < 0.3:
                    lab.kill_server() if lab.server else lab.start_server()
                fault = f"{errno.errorcode[code]}{' for a while' if lasting else ''}"
                armed = messages.now()
                lab.control.arm(kind, place, "fail", run.chance.randint(1, 4), error=code, repeat=-1 if lasting else 0)
                deadline = time.monotonic() + 0.25
                while time.monotonic() < deadline and (lasting or not lab.control["fired"]):
                    time.sleep(0.005)
                has_fired = lab.control["fired"] > 0
                lab.control.disarm()
                if lab.wait_for_end(0):
                    run.table.notes.append(f"{run.name}: the gateway ended at {control.step(kind, place)}, {fault}: {lab.gateway.returncode}")
                    fault += ", ended"
                    lab.note_death(control.step(kind, place), fault)
                    lab.start_gateway()
                elif has_fired:
                    lab.deaths.append(Death(messages.now(), "system", control.step(kind, place), fault, since=armed))
                answered = lab.board["answered"]
                lab.wait_for(lambda: lab.board["answered"] > answered, f"no answer to any message after {fault} when {control.step(kind, place)}")
            lab.settle()
            if part == "hold":
                release(run, lab, 0)
            settle_account(run, lab)


def full(run):
    """No room: 452 at RCPT, before the message is sent."""
    with run.lab(away="spool", settings="spool: {max_messages: 20}\n") as lab:
        lab.start_gateway()
        lab.wait_for(lab.is_listening, "the gateway does not listen")
        lab.start_sender()
        refusals = lambda: [words for _, event, *words in messages.lines(lab.directory / "sender.log") if event == "R" and words[2][0] == "4"]
        lab.wait_for(lambda: len(refusals()) > 30, "the spool is never full")
        wrong = [words for words in refusals() if not words[2].startswith("452 4.3.1")]
        if wrong:
            run.table.wrong(f"{run.name}: a full spool says {wrong[0][2]!r}")
        lab.deaths.append(Death(messages.now(), "system", "the spool is full", "no room"))
        # A gateway that starts asks a server at once that was away.
        lab.kill_gateway("at any moment", "killed")
        lab.settle()
        settle_account(run, lab)


def clock(run):
    """The wall clock jumps by ten days while mail waits and sessions are open."""
    with run.lab(away="spool") as lab:
        with open(lab.directory / "outpost.yaml", "a") as file:
            file.write(f'spool: {{relay: ["127.0.0.1:{lab.server_port}"]}}\n')
        lab.start_gateway()
        lab.wait_for(lab.is_listening, "the gateway does not listen")
        lab.board["pause"] = 20_000
        lab.start_sender()
        time.sleep(0.5)
        for days in (10, 0, -10, 0, 10, -10, 0):
            lab.control["clock"] = days * DAY
            answered = lab.board["answered"]
            lab.wait_for(lambda: lab.board["answered"] > answered + 20, f"no answers after a jump to {days:+} days")
            lab.deaths.append(Death(messages.now(), "clock", f"jumps to {days:+} days", ""))
            time.sleep(1.2)
            if days == -10:
                lab.kill_gateway("at any moment", "killed")
                lab.start_gateway()
                lab.wait_for(lab.is_listening, "the gateway does not listen")
        lab.settle()
        account = Account(lab)
        # What seemed to be ten days old while the server was away may have been given up: its sender was told.
        told = lambda number, recipient: bool(account.taken.get((number, "failed", "ann@sender.example")))
        settle_account(run, lab, kept=told)
        kinds = [key[1] for key in account.taken if key[1] != "message"]
        run.table.notes.append(f"{run.name}: told of delays {kinds.count('delayed')}, of failures {kinds.count('failed')}")


# Power


def failing_power(run):
    """Every promise against a disk that keeps what was synchronized, and no more."""
    for part, settings in (("spool", {"away": "spool"}), ("hold", {"subject": "hold this", "rules": HOLD}), ("forward", {})):
        with run.lab(part, trace=True, **settings) as lab:
            if part != "spool":
                lab.start_server()
            # The second time, with what the first has left; without a kill a checkpoint lies between them.
            for _ in range(2):
                lab.start_gateway()
                lab.wait_for(lab.is_listening, "the gateway does not listen")
                if lab.sender is None:
                    lab.board["stop"] = 0
                    lab.start_sender()
                time.sleep(0.7 if run.is_long else 0.2)
                lab.board["stop"] = 1
                lab.wait_for(lambda: lab.has_ended(lab.sender), "not every message was answered")
                lab.sender = None
                lab.stop_gateway()
            records = list(control.records(lab.directory / "trace"))
            account = Account(lab)
            passed = {number: list_[0].transaction for (number, kind, _), list_ in account.taken.items() if kind == "message"}
            check = power.Check(lab, passed).run(records)
            promises = sum(map(len, check.promises.values()))
            run.table.add(run.name, "power", f"at the reply ({part})", "cut", kills=check.cuts, messages=promises, lost=len(check.broken))
            run.table.notes += [f"{run.name}: {problem}" for problem in check.broken[:3]]
            if promises < 20:
                run.table.wrong(f"{run.name}: {promises} promises: too few to tell")
            # A check that cannot fail says nothing: without these synchronizations it must.
            for step in [("sync", "wal")] + ([("sync", "message"), ("sync", "directory")] if part != "forward" else []):
                if not power.Check(lab, passed, left_out=lambda kind, place: (kind, place) == step).run(records[: len(records) // 2]).broken:
                    run.table.wrong(f"{run.name}: that {control.step(*step)} was left out is not noticed ({part})")


# With the share of the kills that each gets.
ALL = {
    "forward": (forward, 20),
    "spool": (spool, 25),
    "hold": (hold, 15),
    "notices": (notices, 10),
    "downstream": (downstream, 12),
    "client": (client, 12),
    "scanner": (scanner, 3),
    "errors": (errors, 15),
    "full": (full, 0),
    "clock": (clock, 0),
    "power": (failing_power, 0),
}
