import Glibc
import MailMessage
import MailTypes
import SenderAuth

/// What finding out who sends costs the cores: parse, SPF, DKIM, ARC and DMARC of one message, over and over, every answer of the DNS
/// known already. It is no part of an ordinary build: `Benchmarks/sender` builds and runs it.
///
///     outpost-sender-benchmark MESSAGE ZONE PUBLIC-SUFFIXES CLIENT SENDER ITERATIONS
///
/// `ZONE` has a TXT record a line, `name text`. Prints the results, then microseconds of CPU a message for each part.
@main
struct SenderBenchmark {
    private struct Zone: DNSResolver {
        var records: [DNSName: DNSResponse] = [:]

        func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse {
            self.records[name] ?? DNSResponse(.noName)
        }
    }

    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count == 6, let client = IPAddress(arguments[3]), let iterations = Int(arguments[5]), iterations > 0 else {
            print("outpost-sender-benchmark MESSAGE ZONE PUBLIC-SUFFIXES CLIENT SENDER ITERATIONS")
            exit(64)
        }
        let bytes = self.read(arguments[0])
        var zone = Zone()
        for line in self.read(arguments[1]).split(separator: 0x0a) {
            let parts = line.split(separator: 0x20, maxSplits: 1)
            guard parts.count == 2, let name = DNSName(parts[0]) else { continue }
            zone.records[name] = DNSResponse(.found([.text([Array(parts[1])])]), timeToLive: 60)
        }
        let authenticator = SenderAuthenticator(
            resolver: zone,
            hostname: "mx.example",
            discovery: .publicSuffixes(PublicSuffixList(self.read(arguments[2])))
        )
        let time = Int(Glibc.time(nil))
        var spent = [0.0, 0.0, 0.0, 0.0]
        var summary = ""
        // The first rounds warm caches of the processor and of OpenSSL.
        for round in 0..<(iterations + iterations / 10) {
            if round == iterations / 10 { spent = [0, 0, 0, 0] }
            var mark = self.cpu()
            func lap(_ part: Int) {
                let now = self.cpu()
                spent[part] += now - mark
                mark = now
            }
            let message = ParsedMessage(bytes)
            lap(0)
            let signed = SignedMessage(message)
            lap(1)
            let envelope = await authenticator.examineEnvelope(
                client: client,
                helo: "mail.bench.example",
                sender: arguments[4],
                time: time
            )
            lap(2)
            let findings = await authenticator.examine(signed, envelope: envelope, time: time)
            lap(3)
            summary = findings.summary
        }
        print(summary)
        for (name, seconds) in zip(["parse", "body_hash", "spf", "dkim_arc_dmarc"], spent) {
            print("\(name) \(seconds / Double(iterations) * 1e6)")
        }
    }

    /// Seconds of CPU of the whole process.
    private static func cpu() -> Double {
        var value = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &value)
        return Double(value.tv_sec) + Double(value.tv_nsec) / 1e9
    }

    private static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "rb") else {
            perror(path)
            exit(66)
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }
}
