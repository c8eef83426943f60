"""Where every message is, and why some are there twice.

Lost is a message whose client was told 2xx and that is nowhere: not at the mail server, not in the quarantine, and nobody was told.

A message that the mail server has taken twice is inside a documented window (docs/guarantees.md) only if what was written down proves it:

* "only the server knew": the server took it and never got its answer off, because it was killed or hung up; or the gateway was
  killed before what it knew was on its disk; or its system failed to read the answer, and it told its client so. The ledger, the
  spool and the quarantine are read as they lay there at the kill: an entry that was on the disk and did not prevent the second
  delivery is a fault.
* "the client forgot": the client's process had the reply and was killed before it noted that. Its system closes the connection in
  order, as a client that has heard does.
* "the clock had jumped": by the wall clock a day or more lies between a message and its retry: the ledger has forgotten it.

All else is outside.
"""

from collections import defaultdict
import json
import time

import messages

# Nanoseconds in which the end of a connection may hide an answer that the server has written.
ANSWER = 300_000_000
# Nanoseconds in which a server reads the last octets of a gateway that is dead by then.
LATE = 500_000_000
# Nanoseconds that a transaction takes at most: one whose id says that it began earlier has a clock that was put wrong.
TRANSACTION = 60_000_000_000
# What a client is told when the connection to the mail server was lost behind the message.
LOST = "451 4.4.2"
# Nanoseconds: `ledger.remember`, a day.
REMEMBERED = 86_400_000_000_000
# Of ids: Crockford's base 32; the first nine are milliseconds.
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def age(acceptance):
    """Nanoseconds since its transaction began, by the wall clock of then."""
    milliseconds = 0
    for digit in acceptance.transaction[:9]:
        milliseconds = milliseconds * 32 + DIGITS.index(digit)
    return acceptance.moment - milliseconds * 1_000_000 + time.time_ns() - messages.now()


def began(acceptance):
    """When its transaction began. Its gateway may be dead when the server reads the last octets that it had sent."""
    return acceptance.moment - age(acceptance) if 0 <= age(acceptance) < TRANSACTION else acceptance.moment


class Acceptance:
    def __init__(self, moment, number, transaction, kind, is_exact, recipients):
        self.moment, self.number, self.transaction, self.kind = moment, number, transaction, kind
        self.is_exact, self.recipients, self.answered = is_exact, recipients, None


class Account:
    def __init__(self, lab):
        self.lab = lab
        self.told, self.refused, self.begun, self.heard = {}, {}, {}, defaultdict(list)
        for moment, event, number, attempt, *words in messages.lines(lab.directory / "sender.log"):
            number = int(number)
            if event == "B":
                self.begun.setdefault(number, moment)
            elif event == "H":
                self.heard[number].append(moment)
            elif event == "R" and words[0][0] == "2":
                self.told[number] = (moment, words[0])
            elif event == "R" and words[0][0] == "5":
                self.refused[number] = (moment, words[0])
        self.taken, tokens, self.strange = defaultdict(list), {}, 0
        for moment, event, *words in messages.lines(lab.directory / "server.log"):
            if event == "A":
                number, transaction, kind, is_exact, to, token = words
                acceptance = Acceptance(moment, int(number), transaction, kind, is_exact == "1", to.split(","))
                tokens[token] = acceptance
                for recipient in acceptance.recipients:
                    self.taken[acceptance.number, kind, recipient].append(acceptance)
            elif event == "P":
                tokens[words[0]].answered = moment
            elif event == "?":
                self.strange += 1
        self.said = {}
        for entry in self.log():
            if "id" in entry and str(entry.get("reply", "")):
                self.said.setdefault(entry["id"], str(entry["reply"]))

    def log(self):
        with open(self.lab.directory / "gateway.log", encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    # Lost

    def lost(self, kept=lambda number, recipient: False):
        """[(number, recipient, when its client was told)]"""
        missing = []
        for number, (moment, _) in self.told.items():
            for recipient in messages.recipients(number):
                if not self.taken.get((number, "message", recipient)) and not kept(number, recipient):
                    missing.append((number, recipient, moment))
        return missing

    def damaged(self):
        return [a for list_ in self.taken.values() for a in list_ if not a.is_exact]

    # Doubled

    def doubled(self):
        """[(first, second, window or None)]"""
        found = []
        for list_ in self.taken.values():
            for first, second in zip(list_, list_[1:]):
                found.append((first, second, self.window(first, second)))
        return found

    def deaths(self, who, since, until):
        return [death for death in self.lab.deaths if death.who == who and since <= death.moment <= until]

    def could_not_hear(self, acceptance, until):
        """Whether reading from the mail server failed since then."""
        return any(
            fault.step == "the mail server is heard" and fault.since <= until and acceptance.moment <= fault.moment
            for fault in self.lab.deaths
            if fault.since is not None
        )

    def window(self, first, second):
        # The server had it and did not get its answer off.
        if first.answered is None:
            return "only the server knew"
        lost_answer = self.deaths("server", first.moment, first.answered + ANSWER)
        if self.could_not_hear(first, second.moment) and self.said.get(first.transaction, "").startswith(LOST):
            return "only the server knew"
        name = first.transaction if first.kind == "message" else f"{first.transaction}: {first.kind}"
        killed = self.deaths("gateway", first.moment, second.moment)
        released = self.deaths("release", first.moment, second.moment)
        if first.transaction == second.transaction:
            # From the spool or the quarantine, again.
            if released and name in released[0].releasing:
                return "only the server knew"
            late = self.deaths("gateway", first.moment - LATE, first.moment)
            if any(name in death.spool for death in late[-1:] + killed[:1]):
                return "only the server knew"
            return "only the server knew" if lost_answer else None
        if lost_answer and not self.said.get(first.transaction, "").startswith("2"):
            return "only the server knew"
        # What the gateway had written down must have prevented the second one. A server may take what a gateway had passed on
        # before it was killed after that, and even after the retry.
        for passed in (first, *([second] if second.transaction < first.transaction else [])):
            if passed.transaction not in self.said:
                killed = self.deaths("gateway", began(passed), second.moment)
                if killed and not any(passed.transaction in death.ledger for death in killed):
                    return "only the server knew"
        if any(abs(age(one)) > REMEMBERED for one in (first, second)):
            return "the clock had jumped"
        has_said = self.said.get(first.transaction, "").startswith("2")
        if has_said and any(
            first.moment < moment < death.moment
            for death in self.deaths("client", first.moment, second.moment)
            for moment in self.heard[first.number]
        ):
            return "the client forgot"
        return None
