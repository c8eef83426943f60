import Dispatch
import MailMessage
import MailTypes
import SenderAuth
import Synchronization

/// Everything that says who sends, on a message and DNS answers of an attacker's: SPF, DKIM, DMARC, ARC, and the field about it.
enum SenderFuzz {
    /// Whoever controls the names controls all answers: each question gets the input's next line, and from the last one on that.
    private final class Answers: DNSResolver {
        private let lines: [[UInt8]]
        private let asked = Atomic(0)

        init(_ lines: [[UInt8]]) {
            self.lines = lines
        }

        var count: Int { self.asked.load(ordering: .relaxed) }

        func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse {
            let number = self.asked.wrappingAdd(1, ordering: .relaxed).oldValue
            guard let line = self.lines.isEmpty ? nil : self.lines[min(number, self.lines.count - 1)], !line.isEmpty else {
                return DNSResponse(.noName)
            }
            switch type {
            case .txt: return DNSResponse(.found([.text([line])]))
            case .a: return DNSResponse(.found([.address(.loopback4)]))
            case .aaaa: return DNSResponse(.noData)
            case .mx:
                guard let name = DNSName(line) else { return DNSResponse(.failure(.timeout)) }
                return DNSResponse(.found([.mailExchange(preference: 10, exchange: name)]))
            case .ns, .cname, .ptr:
                guard let name = DNSName(line) else { return DNSResponse(.noData) }
                return DNSResponse(.found([.name(name)]))
            }
        }
    }

    /// Questions about one message: far above what the limits of the checks add up to (SPF twice 10 terms of 10 names, 10
    /// signatures, 50 seals twice, 5 domains of From up the tree), and a bound all the same.
    private static let mostQuestions = 1_000

    /// Answers first, one a line, to an empty line; then the message.
    static func run(_ input: [UInt8]) {
        var lines: [[UInt8]] = []
        var rest = input[...]
        while let end = rest.firstIndex(of: 0x0a) {
            let line = Array(rest[..<end])
            rest = rest[(end + 1)...]
            if line.isEmpty { break }
            lines.append(line)
        }
        let answers = Answers(lines)
        let message = SignedMessage(ParsedMessage(Array(rest)))
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            await self.examine(message, answers)
            done.signal()
        }
        done.wait()
        precondition(answers.count <= self.mostQuestions, "\(answers.count) questions")
    }

    private static func examine(_ message: SignedMessage, _ answers: Answers) async {
        let authenticator = SenderAuthenticator(resolver: answers, hostname: "mx.example.com", discovery: .treeWalk)
        let envelope = await authenticator.examineEnvelope(
            client: .loopback4,
            helo: "mail.sender.example",
            sender: "a%b@sender.example",
            time: 1_700_000_000
        )
        let findings = await authenticator.examine(message, envelope: envelope, time: 1_700_000_000)
        let client = ClientIdentity(address: .loopback4, helo: "mail.sender.example")
        let field = AuthenticationResults.value(
            findings,
            hostname: "mx.example.com",
            envelope: Envelope(client: client, reversePath: .null)
        )
        checkField(Array("Authentication-Results: \(field)\r\n".utf8))
    }
}

/// A field may be folded, and that is all: nothing of a sender's makes another field or line of it.
func checkField(_ bytes: [UInt8]) {
    for (index, octet) in bytes.enumerated() where octet < 0x20 && octet != 0x09 {
        if octet == 0x0d {
            precondition(index + 1 < bytes.count && bytes[index + 1] == 0x0a, "a bare CR")
        } else {
            precondition(octet == 0x0a && index > 0 && bytes[index - 1] == 0x0d, "a control character in a field")
            let isEnd = index + 1 == bytes.count
            precondition(isEnd || bytes[index + 1] == 0x20 || bytes[index + 1] == 0x09, "a line of its own")
        }
    }
}
