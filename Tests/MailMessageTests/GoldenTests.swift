import Foundation
import OutpostTestKit
import Testing

@testable import MailMessage

/// The messages of `Fixtures/messages` against the descriptions that stand beside them.
@Suite("Golden messages")
struct GoldenTests {
    /// With `UPDATE_GOLDENS=1` a differing description is written beside the golden one, as `.got`, for comparing.
    @Test("A message is taken apart as described", arguments: Fixture.files("messages", suffix: ".eml"))
    func golden(_ file: URL) throws {
        let found = self.description(of: ParsedMessage(try Fixture.bytes(file)))
        let golden = file.deletingPathExtension().appendingPathExtension("txt")
        let expected = (try? String(contentsOf: golden, encoding: .utf8)) ?? ""
        if found != expected, ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] != nil {
            try found.write(to: golden.deletingPathExtension().appendingPathExtension("got"), atomically: true, encoding: .utf8)
        }
        #expect(found == expected)
    }

    @Test("Line ends make no difference but their own octets", arguments: Fixture.files("messages", suffix: ".eml"))
    func lineEnds(_ file: URL) throws {
        let plain = LineEnds.lineFeeds(try Fixture.bytes(file))
        let left = ParsedMessage(plain)
        let right = ParsedMessage(plain.flatMap { $0 == 0x0a ? [0x0d, 0x0a] : [$0] })
        #expect(left.parts.map(\.path) == right.parts.map(\.path))
        #expect(left.anomalies.map(\.kind) == right.anomalies.map(\.kind))
        #expect(MessageText(left).body == MessageText(right).body)
        #expect(MessageText(left).uris == MessageText(right).uris)
    }

    private func description(of message: ParsedMessage) -> String {
        var lines: [String] = []
        for field in message.headerFields {
            lines.append("field \(message.name(of: field)): \(text(message.decodedValue(of: field)))")
        }
        for name in ["from", "to"] {
            for mailbox in message.fields(named: name).flatMap({ message.mailboxes(in: $0) }) {
                lines.append("\(name) <\(mailbox.address)> \(mailbox.name)")
            }
        }
        for part in message.parts {
            lines.append(
                "part [\(part.path)] \(part.mediaType) \(part.encoding) \(part.fileName ?? "-") \(message.content(of: part).count)"
            )
        }
        for anomaly in message.anomalies {
            lines.append("anomaly \(anomaly.kind.rawValue) in \(anomaly.part) at \(anomaly.offset)")
        }
        let views = MessageText(message)
        for segment in views.body {
            lines.append("body \(segment.part.map(String.init) ?? "-") \(text(segment.bytes).debugDescription)")
        }
        for segment in views.invisible { lines.append("invisible \(text(segment.bytes).debugDescription)") }
        for uri in views.uris { lines.append("uri \(uri.source) \(text(uri.bytes))") }
        return lines.joined(separator: "\n") + "\n"
    }
}
