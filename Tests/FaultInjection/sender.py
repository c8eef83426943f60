"""Clients that send as a mail server does: each message again and again until a reply says 2xx or 5xx, also after they were killed."""

import asyncio
import os
import signal

import messages

STEPS = "connect greeting ehlo mail rcpt data content dot reply".split()
SESSIONS = 4
# A connection carries so many messages.
KEPT = 4
# Seconds: before the next try, and for any reply.
RETRY = 0.02
PATIENCE = 30


class HearingReader(asyncio.StreamReader):
    """Tells when octets have come from the system: a client that is killed later had them."""

    heard = None

    def feed_data(self, data):
        if self.heard is not None:
            self.heard()
            self.heard = None
        super().feed_data(data)


class Sender:
    def __init__(self, port, log_path, board, subject):
        self.port, self.board, self.subject = port, board, subject
        begun, done = {}, set()
        for _, event, number, *words in messages.lines(log_path):
            if event == "B":
                begun[int(number)] = int(words[0])
            elif event == "R" and words[1][0] in "25":
                done.add(int(number))
        self.attempts = begun
        self.waiting = sorted(set(begun) - done)
        self.next = max(begun, default=0) + 1
        self.log = messages.Log(log_path)

    def step(self, name):
        if self.board.reached("sender", name, STEPS):
            os.kill(os.getpid(), signal.SIGKILL)

    async def run(self):
        await asyncio.gather(*(self.session() for _ in range(SESSIONS)))

    def take(self):
        if self.waiting:
            return self.waiting.pop(0)
        if self.board["stop"]:
            return None
        self.next += 1
        return self.next - 1

    async def session(self):
        while (number := self.take()) is not None:
            connection, used = None, 0
            while number is not None:
                if connection is None:
                    connection, used = await self.connected(), 0
                if connection is None:
                    await asyncio.sleep(0.005)
                    continue
                if await self.send(number, connection):
                    used += 1
                    if pause := self.board["pause"]:
                        await asyncio.sleep(pause / 1e6)
                    number = self.take() if used < KEPT else None
                else:
                    connection[1].close()
                    connection = None
                    await asyncio.sleep(RETRY)
            if connection is not None:
                await self.quit(connection)

    async def connected(self):
        writer = None
        try:
            loop = asyncio.get_running_loop()
            reader = HearingReader(loop=loop)
            protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
            transport, _ = await loop.create_connection(lambda: protocol, "127.0.0.1", self.port)
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            self.step("connect")
            if (await self.reply(reader))[0] == "2":
                self.step("greeting")
                writer.write(b"EHLO mail.sender.example\r\n")
                if (await self.reply(reader))[0] == "2":
                    self.step("ehlo")
                    return reader, writer
        except (OSError, EOFError, asyncio.TimeoutError, ValueError):
            pass
        if writer is not None:
            writer.close()
        return None

    async def quit(self, connection):
        try:
            connection[1].write(b"QUIT\r\n")
            await self.reply(connection[0])
        except (OSError, EOFError, asyncio.TimeoutError, ValueError):
            pass
        connection[1].close()

    async def reply(self, reader):
        while True:
            line = await asyncio.wait_for(reader.readuntil(b"\n"), PATIENCE)
            if line[3:4] != b"-":
                if not line.endswith(b"\r\n") or not line[:3].isdigit():
                    raise ValueError(line)
                return line.decode("utf-8", "replace").strip()

    async def send(self, number, connection):
        """True when the message needs no more."""
        reader, writer = connection
        attempt = self.attempts[number] = self.attempts.get(number, 0) + 1
        self.log.note("B", number, attempt)
        where = "mail"
        try:
            writer.write(b"MAIL FROM:<ann@sender.example>\r\n")
            self.step("mail")
            answer = await self.reply(reader)
            for recipient in messages.recipients(number):
                if answer[0] == "2":
                    where = "rcpt"
                    writer.write(f"RCPT TO:<{recipient}>\r\n".encode())
                    self.step("rcpt")
                    answer = await self.reply(reader)
            if answer[0] == "2":
                where = "data"
                writer.write(b"DATA\r\n")
                self.step("data")
                answer = await self.reply(reader)
            if answer[0] != "3":
                self.log.note("R", number, attempt, answer)
                if answer[0] == "5":
                    return True
                return False
            where = "content"
            content = messages.stuffed(messages.octets(number, self.subject))
            writer.write(content[: len(content) // 2])
            await writer.drain()
            self.step("content")
            reader.heard = lambda: self.log.note("H", number, attempt)
            writer.write(content[len(content) // 2 :])
            await writer.drain()
            where = "dot"
            self.log.note("D", number, attempt)
            self.step("dot")
            answer = await self.reply(reader)
            self.step("reply")
            self.log.note("R", number, attempt, answer)
            self.board["answered"] += 1
            return answer[0] in "25"
        except (OSError, EOFError, ValueError) as error:
            self.log.note("L", number, attempt, where, type(error).__name__)
            return False
        except asyncio.TimeoutError:
            self.log.note("L", number, attempt, where, "no reply in time")
            return False


def run(port, log_path, board, subject):
    asyncio.run(Sender(port, log_path, board, subject).run())
