import MailMessage

/// Results that a server of one's own wrote into the header (RFC 8601), as SpamAssassin's AuthRes reads them.
enum AuthenticationResultsFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("check_authres_result", plugin: "AuthRes") { arguments throws(EvalArguments.Failure) in
            let method = try arguments.required(0, "the name of a method, as 'spf'")
            let wanted = try arguments.required(1, "a result, as 'pass' or 'missing'").lowercased()
            return { context in
                let result = context.facts(AuthenticationResults.init).results[method]
                return EvalOutcome(wanted == (result ?? "missing"))
            }
        }
    ]
}

/// `authres_networks`, `authres_trusted_authserv` and `authres_ignored_authserv`.
struct AuthenticationResultsSettings: Sendable {
    /// Header fields that are asked: those that hosts of one's own wrote, unless the administrator wants more.
    private(set) var selector = "ALL-INTERNAL"
    private(set) var trusted: Set<String> = []
    private(set) var ignored: Set<String> = []

    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        for entry in settings.entries(of: ["authres_networks", "authres_trusted_authserv", "authres_ignored_authserv"]) {
            let words = entry.line.words.map { $0.lowercased() }
            switch (entry.keyword, words.first) {
            case ("authres_networks", "internal"): self.selector = "ALL-INTERNAL"
            case ("authres_networks", "trusted"): self.selector = "ALL-TRUSTED"
            case ("authres_networks", "all"): self.selector = "ALL"
            case ("authres_networks", _), (_, nil):
                problems.append(ListLine.problem(entry, "'internal', 'trusted' or 'all' for networks, else names of servers"))
            case ("authres_trusted_authserv", _): self.trusted.formUnion(words)
            default: self.ignored.formUnion(words)
            }
        }
    }
}

/// The result of each method; `pass` counts more than others, else the first one.
struct AuthenticationResults {
    private(set) var results: [String: String] = [:]

    init(_ context: EvalContext) {
        let settings = context.settings.authenticationResults
        guard let header = context.header(settings.selector) else { return }
        for line in header.split(separator: 0x0a) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = String(decoding: line[..<colon].map(\.lowercased), as: UTF8.self)
            guard name == "authentication-results" || name == "arc-authentication-results" else { continue }
            var parser = AuthenticationResultsParser(line[(colon + 1)...])
            // A field with anything wrong in it says nothing.
            guard let found = parser.parse(isSealed: name.hasPrefix("arc-"), settings) else { continue }
            for (method, result) in found where self.results[method] == nil || result == "pass" {
                self.results[method] = result
            }
        }
    }
}

/// Reads one field from left to right; nil as soon as something is not as it should be.
private struct AuthenticationResultsParser {
    private let text: [UInt8]
    private var index: Int

    init(_ value: ArraySlice<UInt8>) {
        self.text = Array(value)
        self.index = self.text.prefix { $0.isBlank }.count
    }

    typealias Result = (method: String, result: String)

    mutating func parse(isSealed: Bool, _ settings: AuthenticationResultsSettings) -> [Result]? {
        if isSealed { guard self.skipInstance() else { return nil } }
        guard let server = self.take(while: Self.isToken)?.lowercased(), !self.isAt("=") else { return nil }
        guard settings.trusted.isEmpty || settings.trusted.contains(server), !settings.ignored.contains(server) else {
            return nil
        }
        guard self.skipSpace() else { return nil }
        if self.take(while: \.isDigit) != nil { guard self.skipSpace() else { return nil } }
        guard self.take(";"), self.skipSpace() else { return nil }
        var results: [Result] = []
        while self.index < self.text.count {
            guard self.skipRepeated(server), let result = self.takeResult() else { return nil }
            results.append(result)
        }
        return results
    }

    /// `i=1;` of ARC-Authentication-Results (RFC 8617 §4.1.1).
    private mutating func skipInstance() -> Bool {
        guard self.takeWord("i"), self.skipSpace(), self.take("="), self.skipSpace() else { return false }
        guard let number = self.take(while: \.isDigit).flatMap({ Int($0) }), (1...50).contains(number) else { return false }
        return self.skipSpace() && self.take(";") && self.skipSpace()
    }

    /// Some servers name themselves before each result.
    private mutating func skipRepeated(_ server: String) -> Bool {
        let before = self.index
        guard self.text[self.index...].starts(with: server.utf8) else { return true }
        self.index += server.utf8.count
        self.index += self.text[self.index...].prefix { $0.isBlank }.count
        guard self.take(";") else {
            self.index = before
            return true
        }
        return self.skipSpace()
    }

    /// `method/version = result reason=… ptype.property=value …;`
    private mutating func takeResult() -> Result? {
        guard !self.takeWord("none"), let method = self.take(while: Self.isName)?.lowercased(),
            let known = AuthenticationMethod.all[method], self.skipSpace()
        else { return nil }
        if self.take("/") {
            guard self.skipSpace(), self.take(while: \.isDigit) != nil, self.skipSpace() else { return nil }
        }
        guard self.take("="), self.skipSpace(), let result = self.take(while: \.isWord), known.results.contains(result),
            self.skipSpace()
        else { return nil }
        for word in ["reason", "action"] where self.takeWord(word) {
            guard self.skipSpace(), self.take("="), self.skipSpace() else { return nil }
            guard self.takeQuoted() || self.take(while: Self.isToken) != nil, self.skipSpace() else { return nil }
        }
        while self.index < self.text.count {
            if self.take(";") { return self.skipSpace() ? (method, result) : nil }
            guard let type = self.take(while: Self.isName)?.lowercased(), let properties = known.properties[type],
                self.skipSpace(), self.take("."), self.skipSpace(), let property = self.take(while: Self.isName)?.lowercased(),
                properties.contains(property) || properties.contains("*"),
                self.skipSpace(), self.take("="), self.skipSpace(), self.takeQuoted() || self.takeValue(), self.skipSpace()
            else { return nil }
        }
        return (method, result)
    }

    // MARK: - Pieces

    private func isAt(_ character: Character) -> Bool {
        self.index < self.text.count && self.text[self.index] == character.asciiValue
    }

    private mutating func take(_ character: Character) -> Bool {
        guard self.isAt(character) else { return false }
        self.index += 1
        return true
    }

    /// One octet or more.
    private mutating func take(while isPart: (UInt8) -> Bool) -> String? {
        let found = self.text[self.index...].prefix(while: isPart)
        guard !found.isEmpty else { return nil }
        self.index = found.endIndex
        return String(decoding: found, as: UTF8.self)
    }

    /// A whole word, in either case.
    private mutating func takeWord(_ word: String) -> Bool {
        let end = self.index + word.utf8.count
        guard end <= self.text.count, zip(self.text[self.index..<end], word.utf8).allSatisfy({ $0.lowercased == $1 }),
            end == self.text.count || !self.text[end].isWord
        else { return false }
        self.index = end
        return true
    }

    /// White space with one comment in it (RFC 5322 §3.2.2); false when the comment has no end.
    private mutating func skipSpace() -> Bool {
        self.index += self.text[self.index...].prefix { $0.isBlank }.count
        guard self.take("(") else { return true }
        var depth = 1
        while depth > 0 {
            guard let mark = self.text[self.index...].firstIndex(where: { $0 == UInt8(ascii: "(") || $0 == UInt8(ascii: ")") })
            else {
                return false
            }
            depth += self.text[mark] == UInt8(ascii: "(") ? 1 : -1
            self.index = mark + 1
        }
        self.index += self.text[self.index...].prefix { $0.isBlank }.count
        return true
    }

    /// A string in quotes, whose last quote may be missing.
    private mutating func takeQuoted() -> Bool {
        guard self.take("\"") else { return false }
        while self.index < self.text.count, !self.isAt("\"") {
            if self.isAt("\\") {
                // A backslash at the end belongs to nothing.
                guard self.index + 1 < self.text.count else { break }
                self.index += 1
            }
            self.index += 1
        }
        _ = self.take("\"")
        return true
    }

    /// Atoms with single dots between them, or a token; white space, a semicolon or the end follows.
    private mutating func takeValue() -> Bool {
        for isPart in [Self.isDotAtom, Self.isToken] {
            let found = self.text[self.index...].prefix(while: isPart)
            let isEnded =
                found.endIndex == self.text.count || self.text[found.endIndex].isBlank
                || self.text[found.endIndex] == UInt8(ascii: ";")
            let dot = UInt8(ascii: ".")
            let hasEmptyAtom =
                isPart(UInt8(ascii: "@"))
                && found.split(separator: dot, omittingEmptySubsequences: false).contains(where: \.isEmpty)
            if !found.isEmpty, isEnded, !hasEmptyAtom {
                self.index = found.endIndex
                return true
            }
        }
        return false
    }

    private static let isName: @Sendable (UInt8) -> Bool = { $0.isWord || $0 == UInt8(ascii: "-") }
    private static let isToken: @Sendable (UInt8) -> Bool = { $0 > 0x20 && $0 < 0x80 && !"()<>@,;:/[]?=\"".utf8.contains($0) }
    private static let isDotAtom: @Sendable (UInt8) -> Bool = {
        $0.isLetter || $0.isDigit || ".@!#$%&\\'*+-/=?^_`{|}~".utf8.contains($0)
    }
}

/// A method of authentication with the results and properties that it may have (RFC 8601 §2.7, and what servers write).
private struct AuthenticationMethod: Sendable {
    var results: Set<String>
    var properties: [String: Set<String>]

    static let all: [String: AuthenticationMethod] = Dictionary(
        uniqueKeysWithValues: table.split(separator: "\n").map { line in
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            var properties: [String: Set<String>] = [:]
            for property in parts[2].split(separator: " ") {
                let names = property.split(separator: ".")
                properties[String(names[0]), default: []].insert(String(names[1]))
            }
            return (
                String(parts[0]),
                AuthenticationMethod(results: Set(parts[1].split(separator: " ").map(String.init)), properties: properties)
            )
        }
    )

    private static let table = """
        arc:fail none pass:smtp.remote-ip header.oldest-pass arc.chain
        auth:fail none pass permerror temperror:smtp.auth smtp.mailfrom
        dkim:fail neutral none pass permerror policy temperror:header.d header.i header.b header.a header.s
        dkim-adsp:discard fail none nxdomain pass permerror temperror unknown:header.from
        dkim-atps:fail none pass permerror temperror neutral:header.from
        dmarc:bestguesspass fail none pass permerror temperror:header.from policy.dmarc
        dnswl:none pass permerror temperror:dns.zone dns.sec policy.ip policy.txt
        domainkeys:fail neutral none permerror policy pass temperror:header.d header.from header.sender
        iprev:fail pass permerror temperror:policy.iprev
        rrvs:fail none pass permerror temperror unknown:smtp.rcptto
        sender-id:fail hardfail neutral none pass permerror policy softfail temperror:header.*
        smime:fail neutral none pass permerror policy temperror:body.smime-part body.smime-identifer body.smime-serial body.smime-issuer
        spf:fail hardfail neutral none pass permerror policy softfail temperror:smtp.mailfrom smtp.mfrom smtp.helo smtp.rcpttodomain
        vbr:fail none pass permerror temperror:header.md header.mv
        """
}
