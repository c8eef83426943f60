import ConfigurationFile
import Foundation
import MailMessage
import MailRules
import MailTypes
import NIOCore
import SMTPCore
import SenderAuth

/// One program for all fuzz targets: `OUTPOST_FUZZ_TARGET` names the one that it feeds (libFuzzer's entry points take no
/// arguments of ours). It is no part of an ordinary build: `scripts/fuzz` builds and runs it.
private enum FuzzTarget: String, CaseIterable {
    /// Rule files: reader, linker, lint.
    case rules
    /// Messages: MIME, transfer encodings, header fields.
    case message
    /// HTML to text, links.
    case html
    /// A message under the rules of `Rules`.
    case evaluation
    /// What attachments hold: zip, gzip, compound files.
    case attachment
    /// A client's octets: commands, DATA and BDAT, PROXY header, XCLIENT.
    case session
    /// A mail server's replies.
    case reply
    /// PROXY headers alone, both versions.
    case proxy
    /// Configuration files.
    case configuration
    /// What other readers may make of messages: names, boundaries, encodings; archives within limits.
    case readings
    /// Records and fields by themselves: DMARC, public suffixes, forged results.
    case records
    /// A message and DNS answers of an attacker's: SPF, DKIM, DMARC, ARC.
    case sender
    /// Notices to senders.
    case notice

    static let chosen: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["OUTPOST_FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            fatalError("OUTPOST_FUZZ_TARGET names no target; there are \(FuzzTarget.allCases.map(\.rawValue))")
        }
        return target
    }()

    func run(_ bytes: [UInt8]) {
        switch self {
        case .rules: _ = RuleCompiler().compile([RuleSource(file: "fuzz.cf", bytes: bytes)])
        case .message:
            let message = ParsedMessage(bytes)
            for part in message.parts { _ = message.content(of: part) }
            for field in message.headerFields { _ = message.mailboxes(in: field) }
        case .html:
            let head = Array("Content-Type: text/html; charset=utf-8\r\n\r\n".utf8)
            let text = MessageText(ParsedMessage(head + bytes))
            _ = (text.body, text.visibleBody, text.uris, text.rawBody)
        case .evaluation:
            let text = Self.shippedRules.text(of: ParsedMessage(bytes))
            let whole = Self.evaluator.value.evaluate(text, envelope: Self.envelope)
            let hits = Self.evaluator.value.evaluate(text, envelope: Self.envelope, goal: .hits)
            // A rule that blew its limits may rest by now.
            precondition(whole.hits == hits.hits || whole.suspended != hits.suspended, "subrules that wait change what hits")
        case .attachment: _ = AttachmentContent(bytes)
        case .session: SessionFuzz.run(bytes)
        case .reply: ReplyFuzz.run(bytes)
        case .proxy:
            var buffer = ByteBuffer(bytes: bytes)
            _ = try? ProxyHeader.read(from: &buffer)
        case .configuration: _ = ConfigurationReader.read(text: String(decoding: bytes, as: UTF8.self), file: "fuzz.yaml")
        case .readings:
            let message = ParsedMessage(bytes)
            for content in message.readings.contents { _ = ContentKind.detect(content[...]) }
            for part in message.parts { _ = message.fileNames(of: part) }
            var survey = ArchiveSurvey(ArchiveLimits())
            survey.add(bytes, name: [])
        case .records:
            _ = DMARCRecord(bytes)
            _ = PublicSuffixList(bytes)
            _ = AuthenticationResults.forged(in: ParsedMessage(bytes), hostname: "mx.example.com")
        case .sender: SenderFuzz.run(bytes)
        case .notice: NoticeFuzz.run(bytes)
        }
    }

    private static let envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)

    private static let shippedRules: RuleSet = {
        let directory = ProcessInfo.processInfo.environment["OUTPOST_FUZZ_RULES"] ?? "Rules"
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.hasSuffix(".cf") }.sorted()
        let sources = names.compactMap { name in
            FileManager.default.contents(atPath: directory + "/" + name).map { RuleSource(file: name, bytes: [UInt8]($0)) }
        }
        guard let rules = RuleCompiler().compile(sources).ruleSet else { fatalError("\(directory) has errors") }
        return rules
    }()

    /// libFuzzer calls from one thread.
    private struct OneThread: @unchecked Sendable {
        let value: RuleEvaluator
    }

    private static let evaluator = OneThread(value: RuleEvaluator(ruleSet: shippedRules))
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    FuzzTarget.chosen.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
