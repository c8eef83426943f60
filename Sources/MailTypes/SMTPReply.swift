/// An enhanced status code (RFC 3463). Its class is that of the reply that carries it.
package struct EnhancedStatusCode: Hashable, Sendable, CustomStringConvertible {
    /// 2, 4 or 5.
    package let statusClass: Int
    /// 0...999 each (RFC 3463 §2).
    package let subject: Int
    package let detail: Int

    fileprivate init(statusClass: Int, subject: Int, detail: Int) {
        self.statusClass = statusClass
        self.subject = subject
        self.detail = detail
    }

    /// Reads `5.7.1`; nil when it is not one.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ (1...3).contains($0.count) && $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let first = Int(parts[0]), [2, 4, 5].contains(first), let second = Int(parts[1]), let third = Int(parts[2])
        else { return nil }
        self.init(statusClass: first, subject: second, detail: third)
    }

    package var description: String { "\(self.statusClass).\(self.subject).\(self.detail)" }
}

/// An SMTP reply (RFC 5321 §4.2). Code, enhanced code and text cannot disagree about success or failure: replies of
/// our own are made with `success`, `transient` and `permanent`, which take the class from the code's type.
package struct SMTPReply: Hashable, Sendable {
    package enum Success: Int, Sendable {
        case systemStatus = 211
        case help = 214
        case ready = 220
        case closing = 221
        case ok = 250
        case cannotVerify = 252
    }

    package enum Transient: Int, Sendable {
        case serviceUnavailable = 421
        case mailboxUnavailable = 450
        case localError = 451
        case insufficientStorage = 452
        case temporaryAuthenticationFailure = 454
        case cannotAccommodateParameters = 455
    }

    package enum Permanent: Int, Sendable {
        case syntaxError = 500
        case parameterSyntaxError = 501
        case notImplemented = 502
        case badSequence = 503
        case parameterNotImplemented = 504
        case noService = 521
        case encryptionRequired = 530
        case mailboxUnavailable = 550
        case userNotLocal = 551
        case exceededStorage = 552
        case mailboxNameNotAllowed = 553
        case transactionFailed = 554
        case parametersNotRecognized = 555
        case domainAcceptsNoMail = 556
    }

    package let code: Int
    package let enhanced: EnhancedStatusCode?
    /// At least one; printable text without line ends. The enhanced code is not part of it.
    package let lines: [String]

    private init(code: Int, enhanced: EnhancedStatusCode?, lines: [String]) {
        self.code = code
        self.enhanced = enhanced
        self.lines = lines.isEmpty ? [""] : lines.map(SMTPReply.printable)
    }

    /// - Parameter status: subject and detail of the enhanced code (RFC 3463 §3), e.g. `(1, 5)` for 2.1.5; nil where
    ///   RFC 2034 §4 wants none (greeting, HELO/EHLO).
    package static func success(_ code: Success, _ status: (Int, Int)?, _ lines: String...) -> SMTPReply {
        SMTPReply(code: code.rawValue, enhanced: status.map { .init(statusClass: 2, subject: $0.0, detail: $0.1) }, lines: lines)
    }

    package static func success(_ code: Success, _ status: (Int, Int)?, lines: [String]) -> SMTPReply {
        SMTPReply(code: code.rawValue, enhanced: status.map { .init(statusClass: 2, subject: $0.0, detail: $0.1) }, lines: lines)
    }

    /// 354 (RFC 5321 §4.2.3): carries no enhanced code.
    package static let startMailInput = SMTPReply(code: 354, enhanced: nil, lines: ["End data with <CRLF>.<CRLF>"])

    package static func transient(_ code: Transient, _ status: (Int, Int), _ lines: String...) -> SMTPReply {
        SMTPReply(code: code.rawValue, enhanced: .init(statusClass: 4, subject: status.0, detail: status.1), lines: lines)
    }

    package static func permanent(_ code: Permanent, _ status: (Int, Int), _ lines: String...) -> SMTPReply {
        SMTPReply(code: code.rawValue, enhanced: .init(statusClass: 5, subject: status.0, detail: status.1), lines: lines)
    }

    /// A reply that a downstream server gave. The enhanced code, if each line starts with the same one and it agrees with
    /// the code's class, is taken out of the text.
    /// - Returns: nil if the code is not 200...599.
    package static func received(code: Int, lines: [String]) -> SMTPReply? {
        guard (200...599).contains(code) else { return nil }
        let first = lines.first?.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        guard let enhanced = EnhancedStatusCode(first), enhanced.statusClass == code / 100 else {
            return SMTPReply(code: code, enhanced: nil, lines: lines)
        }
        let texts = lines.map { line -> String in
            guard line.hasPrefix(first), line.count == first.count || line.dropFirst(first.count).first == " " else {
                return line
            }
            return String(line.dropFirst(first.count + 1))
        }
        return SMTPReply(code: code, enhanced: enhanced, lines: texts)
    }

    package var isPositive: Bool { (200...299).contains(self.code) }
    package var isIntermediate: Bool { (300...399).contains(self.code) }
    package var isTransientFailure: Bool { (400...499).contains(self.code) }
    package var isPermanentFailure: Bool { (500...599).contains(self.code) }

    /// The same reply with words put behind its last line, e.g. the transaction's id.
    package func appending(_ suffix: String) -> SMTPReply {
        var lines = self.lines
        lines[lines.count - 1] += lines[lines.count - 1].isEmpty ? suffix : " " + suffix
        return SMTPReply(code: self.code, enhanced: self.enhanced, lines: lines)
    }

    /// The bytes for the wire, each line ended by CRLF (RFC 5321 §4.2.1, RFC 2034 §4).
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        let status = self.enhanced.map { "\($0) " } ?? ""
        for (index, line) in self.lines.enumerated() {
            bytes += "\(self.code)\(index == self.lines.count - 1 ? " " : "-")\(status)\(line)\r\n".utf8
        }
        return bytes
    }

    /// A reply never carries a control character: neither ours nor one that was made of a downstream's text.
    private static func printable(_ line: String) -> String {
        line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }
            ? String(String.UnicodeScalarView(line.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : $0 })) : line
    }
}

extension SMTPReply: CustomStringConvertible {
    /// On one line, for logs and listings.
    package var description: String {
        "\(self.code) \(self.enhanced.map { "\($0) " } ?? "")\(self.lines.joined(separator: " / "))"
    }
}
