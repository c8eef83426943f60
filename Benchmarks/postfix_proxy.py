"""Postfix as a proxy before the queue, to compare with."""

import subprocess

import harness
from harness import Failure, Server

MASTER_CF = """\
{port} inet n - n - 250 smtpd
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
tlsmgr unix - - n - 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file = {place}/log
maillog_file_prefixes = {place}
myhostname = proxy.example
mydestination =
relay_domains = example.com
smtpd_relay_restrictions = permit_mynetworks, reject
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
default_process_limit = 250
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_proxy_filter = 127.0.0.1:{sink}
smtpd_peername_lookup = no
"""

TLS_CF = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {certificate}
"""


class Postfix(Server):
    """An instance of its own, with nothing but the SMTP server that hands each message on while the client waits."""

    def __init__(self, lab, sink, tls=None):
        place = lab.directory / "postfix"
        port = harness.free_port()
        for name in ("config", "queue", "data"):
            (place / name).mkdir(parents=True)
        self.config = place / "config"
        (self.config / "master.cf").write_text(MASTER_CF.format(port=f"127.0.0.1:{port}"))
        settings = MAIN_CF.format(place=place, sink=sink.port)
        if tls:
            settings += TLS_CF.format(certificate=tls[0], key=tls[1])
        (self.config / "main.cf").write_text(settings)
        subprocess.run(["chown", "postfix", str(place / "data")], check=True)
        self.control("start")
        pid = int((place / "queue/pid/master.pid").read_text())
        super().__init__("postfix", port, pid)
        lab.add(self)
        harness.wait_for_greeting(port)

    def control(self, word):
        result = subprocess.run(["postfix", "-c", str(self.config), word], capture_output=True, text=True)
        if result.returncode != 0:
            raise Failure(f"postfix {word}: {result.stderr}")

    def stop(self):
        self.control("stop")
