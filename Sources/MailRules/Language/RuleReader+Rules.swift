import MailTypes
import PatternKit

/// The lines that define rules.
extension RuleReader {
    mutating func readRule(_ keyword: String, at column: Int, _ line: inout RuleLine) {
        guard let name = self.ruleName(&line, keyword: keyword, at: column) else { return }
        let text = line.isAtEnd ? "" : String(decoding: line.bytes[line.index...].trimmedEnd, as: UTF8.self)
        guard !line.isAtEnd else {
            return self.report(
                .error,
                name.column,
                "rule \(name.text) says nothing",
                hint: "a pattern or an expression is missing"
            )
        }
        var nameColumns: [Int] = []
        self.literal = nil
        let test: RuleTest?
        switch keyword {
        case "meta": test = self.readMeta(line, &nameColumns)
        case "header": test = self.readHeader(line, name)
        case "mimeheader": test = self.readMIMEHeader(line)
        case "uri_detail": test = self.readURIDetail(line)
        case "envelope": test = self.readEnvelope(line)
        case "attachment": test = self.readAttachment(line)
        default: test = self.readPlain(keyword, line, name)
        }
        guard let test else {
            self.broken.insert(name.text)
            return
        }
        // What others ask for by name must be known before they run.
        if self.literal?.capturesTags ?? false { self.priorities[name.text] = RuleReader.capturePriority }
        self.define(
            RuleDefinition(
                name: name.text,
                test: test,
                text: text,
                place: self.place(name.column),
                nameColumns: nameColumns,
                literal: self.literal
            )
        )
    }

    /// Of rules whose pattern has a named group, as in SpamAssassin.
    private static let capturePriority = -10_000

    /// `body`, `rawbody`, `full`, `uri`: a pattern and nothing else.
    private mutating func readPlain(_ keyword: String, _ line: RuleLine, _ name: RuleWord) -> RuleTest? {
        let kind = RuleKind(rawValue: keyword) ?? .body
        if let unavailable = self.readEval(line, kind, name) { return unavailable }
        guard let pattern = self.readPattern(line) else { return nil }
        switch kind {
        case .rawBody: return .rawBody(pattern)
        case .full: return .full(pattern)
        case .uri: return .uri(pattern)
        case .body, .header, .mimeHeader, .meta, .envelope, .attachment: return .body(pattern)
        }
    }

    /// `eval:name(arguments)`. A rule whose function is not available is kept by name, so that metas can name it, and never
    /// hits.
    private mutating func readEval(_ line: RuleLine, _ kind: RuleKind, _ name: RuleWord) -> RuleTest? {
        let rest = line.bytes[line.index...]
        guard rest.starts(with: "eval:".utf8) || rest.starts(with: "rbleval:".utf8) else { return nil }
        do {
            let call = try EvalCallLiteral(rest.trimmedEnd)
            guard let function = EvalCatalogue.functions[call.name] else {
                self.reportMissing(call.name, name, at: line.column)
                return .unavailable(kind)
            }
            guard self.environment.isLoaded(pluginNamed: function.plugin) else {
                self.reportUnloaded(call.name, function.plugin, name, at: line.column)
                return .unavailable(kind)
            }
            var arguments = call.arguments
            arguments.kind = kind
            let test = try function.prepare(arguments)
            if call.name == "check_hashbl_tag" { self.checkTag(arguments, name, at: line.column) }
            return .function(kind, EvalCall(function: call.name, arguments: arguments, test: test))
        } catch let failure as EvalArguments.Failure {
            self.report(.error, line.column, failure.message, hint: failure.hint)
        } catch let failure as EvalCallLiteral.Failure {
            self.report(.error, line.column(at: line.index + failure.offset), failure.message, hint: failure.hint)
        } catch {
            self.report(.error, line.column, "\(error)")
        }
        return .unavailable(kind)
    }

    private mutating func reportMissing(_ function: String, _ rule: RuleWord, at column: Int) {
        guard let known = KnownFunctions.entries[function] else {
            let names = EvalCatalogue.functions.keys.sorted() + KnownFunctions.entries.keys.sorted()
            let hint = Spelling(names).nearest(to: function).map { "did you mean \($0)?" }
            return self.report(.warning, column, "unknown function \(function); \(rule.text) never hits", hint: hint)
        }
        let message = "\(function) of plugin \(known.plugin) is not available; \(rule.text) never hits"
        self.report(.note, column, message, hint: known.obstacle?.rawValue)
    }

    private mutating func reportUnloaded(_ function: String, _ plugin: String, _ rule: RuleWord, at column: Int) {
        self.report(
            .warning,
            column,
            "\(function) is of a plugin that is not loaded; \(rule.text) never hits",
            hint: "add 'loadplugin Mail::SpamAssassin::Plugin::\(plugin)'"
        )
    }

    /// Rules are asked about before they run, so that nothing has been captured for a tag yet.
    private mutating func checkTag(_ arguments: EvalArguments, _ rule: RuleWord, at column: Int) {
        guard let query = try? HashQuery("check_hashbl_tag", arguments), case .tag(let tag) = query.subject,
            !QueryTemplate.hasValue(tag), !self.isNetworkNumber(tag)
        else { return }
        let near = nearest(to: tag, among: QueryTemplate.knownTags.sorted()).map { "did you mean \($0)?" }
        self.report(.warning, column, "\(tag) has no value here; \(rule.text) never hits", hint: near)
    }

    private mutating func readMeta(_ line: RuleLine, _ nameColumns: inout [Int]) -> RuleTest? {
        var line = line
        let start = line.index
        let expression = line.rest()
        do {
            let meta = try MetaExpression(expression.bytes, isLocalOnly: self.environment.isLocalOnly)
            nameColumns = meta.nameOffsets.map { line.column(at: start + $0) }
            return .meta(meta)
        } catch {
            self.report(.error, line.column(at: start + error.offset), error.message, hint: error.hint)
            return nil
        }
    }

    private mutating func readHeader(_ line: RuleLine, _ name: RuleWord) -> RuleTest? {
        if let unavailable = self.readEval(line, .header, name) { return unavailable }
        var line = line
        if line.bytes[line.index...].starts(with: "exists:".utf8) {
            let start = line.index + "exists:".utf8.count
            line.move(to: start)
            let word = line.rest()
            return self.selector(word.text, at: word.column).map { $0.map { .headerExists($0) } ?? .unavailable(.header) } ?? nil
        }
        guard let (subject, isNegated) = self.readOperator(&line, what: "a header's name") else { return nil }
        guard let selector = self.selector(subject.text, at: subject.column) else { return nil }
        guard let match = self.readMatch(line, isNegated: isNegated) else { return nil }
        return selector.map { .header($0, match) } ?? .unavailable(.header)
    }

    private mutating func readMIMEHeader(_ line: RuleLine) -> RuleTest? {
        var line = line
        guard let (subject, isNegated) = self.readOperator(&line, what: "a header's name") else { return nil }
        guard let selector = self.selector(subject.text, at: subject.column) else { return nil }
        guard let match = self.readMatch(line, isNegated: isNegated) else { return nil }
        return selector.map { .mimeHeader($0, match) } ?? .unavailable(.mimeHeader)
    }

    private mutating func readEnvelope(_ line: RuleLine) -> RuleTest? {
        var line = line
        guard let (subject, isNegated) = self.readOperator(&line, what: "a fact of the envelope") else { return nil }
        guard let field = EnvelopeField(rawValue: subject.text.lowercased()) else {
            let known = EnvelopeField.allCases.map(\.rawValue).joined(separator: ", ")
            self.report(.error, subject.column, "unknown fact of the envelope '\(subject.text)'", hint: "known are \(known)")
            return nil
        }
        return self.readMatch(line, isNegated: isNegated).map { .envelope(field, $0) }
    }

    private mutating func readAttachment(_ line: RuleLine) -> RuleTest? {
        var line = line
        guard let (subject, isNegated) = self.readOperator(&line, what: "a fact of an attachment") else { return nil }
        guard let field = AttachmentField(rawValue: subject.text.lowercased()) else {
            let known = AttachmentField.allCases.map(\.rawValue).joined(separator: ", ")
            self.report(.error, subject.column, "unknown fact of an attachment '\(subject.text)'", hint: "known are \(known)")
            return nil
        }
        return self.readMatch(line, isNegated: isNegated).map { .attachment(field, $0) }
    }

    /// `uri_detail NAME key =~ /…/ key !~ /…/ …` (Mail::SpamAssassin::Plugin::URIDetail): a link that meets all conditions.
    private mutating func readURIDetail(_ line: RuleLine) -> RuleTest? {
        var line = line
        var conditions: [URIDetailCondition] = []
        while !line.isAtEnd {
            guard let (subject, isNegated) = self.readOperator(&line, what: "a fact of a link") else { return nil }
            guard let key = URIDetailCondition.Key(rawValue: subject.text) else {
                let known = URIDetailCondition.Key.allCases.map(\.rawValue).joined(separator: ", ")
                self.report(.error, subject.column, "unknown fact of a link '\(subject.text)'", hint: "known are \(known)")
                return nil
            }
            let rest = Array(line.bytes[line.index...].trimmedEnd)
            let length = PatternLiteral.length(of: rest)
            guard let pattern = self.compile(rest[0..<length], line) else { return nil }
            // A fact that is named twice counts as it was named last.
            conditions.removeAll { $0.key == key }
            conditions.append(URIDetailCondition(key: key, pattern: pattern, isNegated: isNegated))
            line.move(to: line.index + length)
        }
        let call = EvalCall(function: "check_uri_detail", arguments: EvalArguments()) { [conditions] in
            $0.hasLink(meeting: conditions)
        }
        return .function(.body, call)
    }

    // MARK: - Pieces of a rule

    /// nil: impossible, and reported. `.some(nil)`: known to SpamAssassin and not available.
    private mutating func selector(_ text: String, at column: Int) -> HeaderSelector?? {
        do {
            return .some(.some(try HeaderSelector(text)))
        } catch {
            switch error {
            case .invalidName:
                self.report(.error, column, "'\(text)' is no header's name")
            case .unknownModifier(let modifier):
                self.report(
                    .error,
                    column,
                    "unknown modifier ':\(modifier)'",
                    hint: "known are :raw, :addr, :name, :host, :domain, :ip, :revip, :first and :last"
                )
            case .unavailable(let what):
                self.report(.warning, column, "'\(what)' is not available; the rule never hits")
                return .some(nil)
            }
            return nil
        }
    }

    /// `Subject =~`; what follows is left in the line.
    private mutating func readOperator(_ line: inout RuleLine, what: String) -> (RuleWord, isNegated: Bool)? {
        let start = line.index
        var end = start
        let bytes = line.bytes
        while end < bytes.count, !bytes[end].isBlank, bytes[end] != UInt8(ascii: "="), bytes[end] != UInt8(ascii: "!") {
            end += 1
        }
        let subject = RuleWord(bytes: bytes[start..<end], column: line.column)
        guard !subject.isEmpty else {
            self.report(.error, line.column, "\(what) is expected here")
            return nil
        }
        line.move(to: end)
        let rest = bytes[line.index...]
        let isNegated = rest.starts(with: "!~".utf8)
        guard isNegated || rest.starts(with: "=~".utf8) else {
            self.report(.error, line.column, "'=~' or '!~' is expected here", hint: Self.operatorHint(subject.text))
            return nil
        }
        line.move(to: line.index + 2)
        return (subject, isNegated)
    }

    /// For `exist:Field` and the like.
    private static func operatorHint(_ subject: String) -> String? {
        guard let colon = subject.firstIndex(of: ":"), nearest(to: String(subject[..<colon]), among: ["exists"]) != nil else {
            return nil
        }
        return "did you mean exists\(subject[colon...])?"
    }

    /// The pattern and `[if-unset: …]` behind it.
    private mutating func readMatch(_ line: RuleLine, isNegated: Bool) -> HeaderMatch? {
        let rest = Array(line.bytes[line.index...].trimmedEnd)
        let marker = Array("[if-unset:".utf8)
        var end = rest.count
        var ifUnset: [UInt8] = []
        if rest.last == UInt8(ascii: "]"), let start = rest.lastRange(of: marker), start > 0, rest[start - 1].isBlank {
            ifUnset = Array(rest[(start + marker.count)..<(rest.count - 1)]).trimmingBlanks
            end = start
        }
        guard let pattern = self.compile(rest[0..<end].trimmedEnd, line) else { return nil }
        return HeaderMatch(pattern: pattern, isNegated: isNegated, ifUnset: ifUnset)
    }

    private mutating func readPattern(_ line: RuleLine) -> Pattern? {
        self.compile(line.bytes[line.index...].trimmedEnd, line)
    }

    private mutating func compile(_ literal: ArraySlice<UInt8>, _ line: RuleLine) -> Pattern? {
        do {
            let parsed = try PatternLiteral(literal)
            let compiled = try parsed.compile()
            self.literal = parsed
            if let (offset, scalar) = compiled.impossible.first {
                self.report(
                    .warning,
                    line.column(at: line.index + offset),
                    "U+\(scalar.uppercased()) never matches: text is matched as octets",
                    hint: "write the octets of UTF-8, as in \\xe2\\x82\\xac for the euro sign"
                )
            }
            return compiled.pattern
        } catch {
            self.report(.error, line.column(at: line.index + error.offset), error.message, hint: error.hint)
            return nil
        }
    }
}

extension ArraySlice<UInt8> {
    var trimmedEnd: ArraySlice<UInt8> {
        guard let last = self.lastIndex(where: { !$0.isBlank }) else { return self[self.startIndex..<self.startIndex] }
        return self[self.startIndex...last]
    }
}

extension [UInt8] {
    /// Where the last occurrence of `needle` starts.
    fileprivate func lastRange(of needle: [UInt8]) -> Int? {
        guard self.count >= needle.count else { return nil }
        return (0...(self.count - needle.count)).reversed().first { self[$0..<($0 + needle.count)].elementsEqual(needle) }
    }
}
