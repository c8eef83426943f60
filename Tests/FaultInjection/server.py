"""The mail server behind the gateway: it writes down each message that it takes before it says so, and fails where it is told to."""

import asyncio
import os
import signal

import messages

# Where it may fail; `taken` is between its decision and its answer.
STEPS = "connect greeting ehlo mail rcpt data content dot taken answered".split()
ACTIONS = "kill hang-up put-off slow".split()
SLOW = 0.15


class HungUp(Exception):
    pass


class Server:
    def __init__(self, port, log_path, board, subject):
        self.port, self.board, self.subject = port, board, subject
        self.log = messages.Log(log_path)

    async def run(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, reuse_address=True, limit=1 << 20, backlog=200)
        self.log.note("U")
        async with server:
            await server.serve_forever()

    async def serve(self, reader, writer):
        try:
            await self.converse(reader, writer)
        except (OSError, EOFError, HungUp, ValueError):
            pass
        finally:
            writer.close()

    async def fails(self, step):
        """Carries a plan out; true when the answer is to be 4xx."""
        if not self.board.reached("server", step, STEPS):
            return False
        action = ACTIONS[self.board["server_action"]]
        self.log.note("X", step, action)
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "hang-up":
            raise HungUp
        if action == "slow":
            await asyncio.sleep(SLOW)
        return action == "put-off"

    async def converse(self, reader, writer):
        if await self.fails("connect"):
            writer.write(b"421 4.3.2 not now\r\n")
            return
        writer.write(b"220 server.example ESMTP\r\n")
        await self.fails("greeting")
        to = None
        while True:
            line = await reader.readuntil(b"\n")
            verb = line[:4].upper()
            if verb == b"EHLO":
                bad = await self.fails("ehlo")
                writer.write(b"421 4.3.2 not now\r\n" if bad else b"250-server.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 52428800\r\n")
            elif verb in (b"MAIL", b"RCPT"):
                if await self.fails(verb.decode().lower()) or (verb == b"RCPT" and to is None):
                    writer.write(b"451 4.3.0 not now\r\n")
                elif verb == b"RCPT" and line.startswith(b"RCPT TO:<eve@") and self.subject == "refuse eve":
                    writer.write(b"550 5.1.1 nobody of that name\r\n")
                else:
                    if verb == b"MAIL":
                        to = []
                    else:
                        to.append(line.split(b"<")[1].split(b">")[0].decode())
                    writer.write(b"250 2.1.0 ok\r\n")
            elif verb == b"DATA":
                if not to or await self.fails("data"):
                    writer.write(b"451 4.3.0 not now\r\n")
                    continue
                writer.write(b"354 go\r\n")
                await self.take(reader, writer, to)
                to = None
            elif verb == b"RSET":
                to = None
                writer.write(b"250 2.0.0 ok\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                return
            else:
                writer.write(b"250 2.0.0 ok\r\n")

    async def take(self, reader, writer, to):
        pieces, tail = [], b""
        while not tail.endswith(b"\r\n.\r\n"):
            piece = await reader.read(1 << 20)
            if not piece:
                raise EOFError
            pieces.append(piece)
            tail = (tail + piece)[-5:]
            if await self.fails("content"):
                raise HungUp
        message = b"".join(pieces)[:-3].replace(b"\r\n..", b"\r\n.")
        if await self.fails("dot"):
            writer.write(b"451 4.3.0 not now\r\n")
            return
        what = messages.identify(message, self.subject)
        if what is None:
            self.log.note("?", len(message), message[:60])
            writer.write(b"250 2.0.0 what is it\r\n")
            return
        number, transaction, kind, is_exact = what
        token = messages.now()
        # From here on it has the message.
        self.log.note("A", number, transaction, kind, int(is_exact), ",".join(to), token)
        if await self.fails("taken"):
            # It has taken it and says otherwise: nobody can do anything about that.
            raise HungUp
        writer.write(f"250 2.0.0 taken as {number}\r\n".encode())
        await writer.drain()
        self.log.note("P", token)
        await self.fails("answered")


def run(port, log_path, board, subject):
    asyncio.run(Server(port, log_path, board, subject).run())
