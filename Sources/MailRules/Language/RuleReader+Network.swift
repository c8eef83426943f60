import MailTypes

/// Lines that say what is asked of the DNS.
extension RuleReader {
    /// `urirhssub NAME zone. A 127.0.1.2` and its relatives (Mail::SpamAssassin::Plugin::URIDNSBL).
    mutating func readLinkList(_ kind: LinkListDeclaration.Kind, at column: Int, _ line: inout RuleLine) {
        guard let name = self.ruleName(&line, keyword: kind.rawValue, at: column) else { return }
        let usage = "as in \(kind.rawValue) \(name.text) list.example.org. A" + (kind.isTested ? " 127.0.0.2" : "")
        guard let zoneWord = line.word(), let typeWord = line.word() else {
            return self.report(.error, name.column, "'\(kind.rawValue)' needs a zone and a type", hint: usage)
        }
        guard let zone = DNSName(zoneWord.bytes) else {
            return self.report(.error, zoneWord.column, "'\(zoneWord.text)' is no domain", hint: usage)
        }
        let types: [String: DNSRecordType] = ["A": .a, "TXT": .txt]
        guard let type = types[typeWord.text.uppercased()] else {
            return self.report(.error, typeWord.column, "'\(typeWord.text)' is no type of such a list", hint: "A or TXT")
        }
        var filter = AnswerFilter.any
        if kind.isTested {
            let word = line.rest()
            guard let test = AddressTest(word.text) else {
                let hint = "127.0.0.2, 127.0.0.4-127.0.0.7, 127.0.1.0/255.255.255.0, or a mask of bits like 0x10"
                let message = word.isEmpty ? "what the answer must be is missing" : "'\(word.text)' is no test of an address"
                return self.report(.error, word.isEmpty ? name.column : word.column, message, hint: hint)
            }
            filter = .address(test)
        } else if let word = line.word() {
            return self.report(.error, word.column, "nothing may follow the type", hint: usage)
        }
        self.linkLists[name.text] = LinkListDeclaration(kind: kind, zone: zone, type: type, filter: filter)
    }

    /// `askdns NAME template [types [filter]]` (Mail::SpamAssassin::Plugin::AskDNS)
    mutating func readAskDNS(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "askdns", at: column) else { return }
        let text = line.isAtEnd ? "" : String(decoding: line.bytes[line.index...].trimmedEnd, as: UTF8.self)
        guard let word = line.word() else {
            return self.report(
                .error,
                name.column,
                "'askdns' needs a name to ask for",
                hint: "as in _SENDERDOMAIN_.list.example.org"
            )
        }
        var test = RuleTest.unavailable(.header)
        if let declaration = self.askDNS(word, &line) {
            self.askDNSRules[name.text] = declaration
            let call = EvalCall(
                function: NetworkFunctions.askDNS,
                arguments: EvalArguments(),
                test: NetworkFunctions.test(of: name.text)
            )
            test = .function(.header, call)
        }
        self.define(RuleDefinition(name: name.text, test: test, text: text, place: self.place(name.column)))
    }

    /// nil: it cannot be asked, which is reported.
    private mutating func askDNS(_ word: RuleWord, _ line: inout RuleLine) -> AskDNSDeclaration? {
        guard self.environment.isLoaded(pluginNamed: "AskDNS") else {
            self.report(
                .warning,
                word.column,
                "'askdns' is of a plugin that is not loaded; the rule never hits",
                hint: "add 'loadplugin Mail::SpamAssassin::Plugin::AskDNS'"
            )
            return nil
        }
        let template = QueryTemplate(Array(word.bytes))
        for tag in template.tags where !QueryTemplate.hasValue(tag) && !self.isNetworkNumber(tag) {
            let near = nearest(to: tag, among: QueryTemplate.knownTags.sorted()).map { "did you mean _\($0)_?" }
            self.report(.warning, word.column, "_\(tag)_ has no value here; the rule never hits", hint: near)
        }
        var types: [DNSRecordType] = [.a]
        if let typeWord = line.word() {
            guard let known = self.types(typeWord) else { return nil }
            types = known
        }
        var filter = AnswerFilter.any
        if !line.isAtEnd {
            guard let known = self.answerFilter(line.rest()) else { return nil }
            filter = known
        }
        return AskDNSDeclaration(template: template, types: types, filter: filter)
    }

    /// `asn_lookup` keeps its answer under this tag.
    func isNetworkNumber(_ tag: String) -> Bool {
        self.settings.entries(of: ["asn_lookup", "asn_lookup_ipv6"]).contains { $0.line.words.contains("_\(tag)_") }
    }

    private mutating func types(_ word: RuleWord) -> [DNSRecordType]? {
        let known: [String: [DNSRecordType]] = [
            "A": [.a], "AAAA": [.aaaa], "MX": [.mx], "NS": [.ns], "PTR": [.ptr], "TXT": [.txt], "CNAME": [.cname],
            // Servers need not answer the question for all (RFC 8482): these are what lists have.
            "ANY": [.a, .txt],
        ]
        var types: [DNSRecordType] = []
        for name in word.text.uppercased().split(separator: ",") {
            guard let found = known[String(name)] else {
                self.report(.warning, word.column, "records of type \(name) are not asked for; the rule never hits")
                return nil
            }
            types += found.filter { !types.contains($0) }
        }
        return types
    }

    private static let responseCodes = [
        "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6, "YXRRSET": 7,
        "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10,
    ]

    private mutating func answerFilter(_ word: RuleWord) -> AnswerFilter? {
        let text = word.text
        if let quote = text.first, quote == "\"" || quote == "'", text.count > 1, text.last == quote {
            return .text(Array(text.dropFirst().dropLast().utf8))
        }
        if text.hasPrefix("["), text.hasSuffix("]") {
            let names = text.dropFirst().dropLast().split(separator: ",").map { $0.filter { !$0.isWhitespace }.uppercased() }
            let codes = names.compactMap { Self.responseCodes[$0] ?? Int($0) }
            if codes.count == names.count { return .responseCodes(Set(codes)) }
        } else if let test = AddressTest(text) {
            return .address(test)
        } else {
            do {
                return .pattern(try PatternLiteral(word.bytes).compile().pattern)
            } catch {
                self.report(.error, word.column + error.offset, error.message, hint: error.hint)
                return nil
            }
        }
        self.report(.error, word.column, "'\(text)' is no test of an answer", hint: "an address, a pattern, or [NXDOMAIN]")
        return nil
    }
}
