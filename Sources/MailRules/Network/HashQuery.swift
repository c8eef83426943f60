import MailMessage
import MailTypes
import OpenSSLKit
import PatternKit

/// What a rule of the plugin HashBL asks a list about: texts of the message, each made a name by a hash.
struct HashQuery: Sendable {
    enum Subject: Sendable {
        /// Mail addresses in header fields, in the text (`body`), or of all senders (`ALLFROM`); with a list of domains, of those
        /// alone.
        case addresses(fields: [String], domains: String?)
        case links
        /// What the first group of a pattern matches in the text.
        case matches(Pattern, RuleKind)
        /// The values that a template of `askdns` would have.
        case tag(String)
        case attachments
    }

    static let functions: Set<String> = [
        "check_hashbl_attachments", "check_hashbl_bodyre", "check_hashbl_emails", "check_hashbl_tag", "check_hashbl_uris",
    ]

    var subject: Subject
    var zone: DNSName
    var type: DNSRecordType
    var filter: AnswerFilter
    var options: HashOptions

    init(_ function: String, _ arguments: EvalArguments) throws(EvalArguments.Failure) {
        let list = try arguments.required(0, "the list's zone")
        let isText = list.lowercased().hasSuffix("/txt")
        let zone = isText || list.lowercased().hasSuffix("/a") ? String(list.prefix { $0 != "/" }) : list
        guard let name = DNSName(zone) else {
            throw EvalArguments.Failure(argument: 0, message: "'\(zone)' is no domain", hint: "as in 'list.example.org'")
        }
        self.zone = name
        self.type = isText ? .txt : .a
        let standard = function == "check_hashbl_emails" ? "sha1/notag/noquote/max=10" : "sha1/max=10"
        self.options = try HashOptions(arguments[1].flatMap { $0.isEmpty ? nil : $0 } ?? standard)
        var filterPlace = 2
        switch function {
        case "check_hashbl_emails":
            let fields = arguments[2].flatMap { $0.isEmpty ? nil : $0 } ?? "ALLFROM/Reply-To/body"
            let names = fields.split(separator: "/").map { $0.filter { !$0.isWhitespace } }
            self.subject = .addresses(fields: names, domains: arguments[4].flatMap { $0 == "all" ? nil : $0.lowercased() })
            filterPlace = 3
        case "check_hashbl_bodyre":
            let source = try arguments.required(2, "a pattern with one group")
            let pattern = try Self.pattern(source, 2)
            guard pattern.captureCount > 0 else {
                throw EvalArguments.Failure(
                    argument: 2,
                    message: "'\(source)' has no group",
                    hint: "what is asked for stands in ( )"
                )
            }
            self.subject = .matches(pattern, arguments.kind)
            filterPlace = 3
        case "check_hashbl_tag":
            let tag = try arguments.required(2, "the name of a tag").uppercased()
            let isFramed = tag.count > 2 && tag.hasPrefix("_") && tag.hasSuffix("_")
            self.subject = .tag(isFramed ? String(tag.dropFirst().dropLast()) : tag)
            filterPlace = 3
        case "check_hashbl_uris": self.subject = .links
        default: self.subject = .attachments
        }
        let test = arguments[filterPlace].flatMap { $0.isEmpty ? nil : $0 } ?? "^127\\."
        self.filter = .pattern(try Self.pattern(test, filterPlace))
        if self.options.digest == .plain, self.needsDigest {
            throw EvalArguments.Failure(argument: 1, message: "'raw' is no option here", hint: "md5, sha1 or sha256")
        }
    }

    /// Links and files are no names.
    private var needsDigest: Bool {
        switch self.subject {
        case .links, .attachments: true
        case .addresses, .matches, .tag: false
        }
    }

    private static func pattern(_ text: String, _ place: Int) throws(EvalArguments.Failure) -> Pattern {
        do {
            return try Pattern(text, options: .dotAll)
        } catch {
            throw EvalArguments.Failure(argument: place, message: "'\(text)': \(error.message)")
        }
    }

    /// The name to ask for; nil for a text that cannot be asked for, or is not to be.
    /// - Parameter ignored: texts and hashes in lower case.
    func name(of text: [UInt8], ignored: Set<[UInt8]>) -> DNSName? {
        var label = text
        if case .attachments = self.subject {
            // Files were hashed when they were read.
        } else {
            guard !ignored.contains(text.map(\.lowercased)), let hash = self.options.hash(text) else { return nil }
            label = hash
        }
        guard !ignored.contains(label.map(\.lowercased)) else { return nil }
        return DNSName(label).flatMap { self.zone.prefixed(by: $0.labels) }
    }
}

/// `sha1/notag/max=10`: how texts are made names, and which of them.
struct HashOptions: Sendable {
    enum Digest: Hashable, Sendable {
        case plain
        case md5
        case sha1
        case sha256
    }

    /// Names that one rule asks for when it does not say how many (as in SpamAssassin), and at most.
    private static let defaultMaximum = 10
    private static let highestMaximum = 100

    private let words: Set<String>
    let digest: Digest
    let maximum: Int
    /// Octets of a file.
    let sizes: ClosedRange<Int>

    private static let known: [String] = [
        "case", "domain", "fqdn", "host", "ip", "ipv4", "ipv6", "max", "maxsize", "md5", "minsize", "nodot", "noquote", "notag",
        "nouri", "num", "raw", "revip", "sha1", "sha256", "shuffle", "tld", "trim", "user",
    ]

    init(_ text: String) throws(EvalArguments.Failure) {
        var words: Set<String> = []
        var numbers: [String: Int] = [:]
        for piece in text.lowercased().split(separator: "/") {
            let pair = piece.split(separator: "=", maxSplits: 1).map { $0.filter { !$0.isWhitespace } }
            guard let word = pair.first, Self.known.contains(word) else {
                let near = nearest(to: String(piece), among: Self.known).map { "did you mean \($0)?" }
                throw EvalArguments.Failure(argument: 1, message: "'\(piece)' is no option", hint: near)
            }
            words.insert(word)
            guard pair.count == 2 else { continue }
            guard let number = Int(pair[1]), number >= 0 else {
                throw EvalArguments.Failure(argument: 1, message: "'\(pair[1])' is no number")
            }
            numbers[word] = number
        }
        self.words = words
        let digests: [(String, Digest)] = [("sha256", .sha256), ("sha1", .sha1), ("md5", .md5)]
        self.digest = digests.first { words.contains($0.0) }?.1 ?? .plain
        self.maximum = min(numbers["max"] ?? Self.defaultMaximum, Self.highestMaximum)
        let least = numbers["minsize"] ?? 0
        self.sizes = least...max(least, numbers["maxsize"] ?? .max)
    }

    func has(_ word: String) -> Bool { self.words.contains(word) }

    /// In lower case, unless the rule wants it as it is.
    func folded(_ text: [UInt8]) -> [UInt8] { self.has("case") ? text : text.map(\.lowercased) }

    /// As lists name texts: hexadecimal, and Base32 of SHA-256; nil when the hash is not to be had.
    func hash(_ text: [UInt8]) -> [UInt8]? {
        switch self.digest {
        case .plain: text
        case .md5: MD5.hexadecimal(text).utf8.map(\.lowercased)
        case .sha1: SHA1.hash(text).map(Self.hexadecimal)
        case .sha256: Self.base32(SHA256.hash(text))
        }
    }

    private static func hexadecimal(_ octets: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return octets.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }

    /// RFC 4648 §6, in lower case and without padding.
    private static func base32(_ octets: [UInt8]) -> [UInt8] {
        let digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        var result: [UInt8] = []
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for octet in octets {
            bits = (bits << 8 | UInt32(octet)) & 0xffff
            count += 8
            while count >= 5 {
                count -= 5
                result.append(digits[Int(bits >> count & 31)])
            }
        }
        if count > 0 { result.append(digits[Int(bits << (5 - count) & 31)]) }
        return result
    }
}
