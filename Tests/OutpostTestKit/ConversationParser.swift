import Foundation

/// Reads one conversation file.
struct ConversationParser {
    private var script: ConversationScript
    private var number = 0
    /// Body lines that belong together.
    private var body: (downstream: Int, line: Int, bytes: [UInt8])?

    init(file: URL, name: String) {
        self.script = ConversationScript(file: file, name: name)
    }

    mutating func parse(_ text: String) throws(ConversationScript.Malformed) -> ConversationScript {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            self.number += 1
            if line.hasPrefix("#") {
                if self.script.about.isEmpty { self.script.about = line.drop { $0 == "#" || $0 == " " }.description }
            } else if !line.isEmpty {
                try self.read(line)
            }
        }
        self.endBody()
        guard !self.script.about.isEmpty else { throw self.malformed("the file does not say what it shows") }
        guard !self.script.steps.isEmpty else { throw self.malformed("nobody says anything") }
        return self.script
    }

    private func malformed(_ reason: String) -> ConversationScript.Malformed {
        ConversationScript.Malformed(file: self.script.name, line: self.number, reason: reason)
    }

    private mutating func read(_ line: Substring) throws(ConversationScript.Malformed) {
        let (word, rest) = Self.firstWord(line)
        switch word {
        case "client": try self.client(0, rest)
        case "client2": try self.client(1, rest)
        case "client3": try self.client(2, rest)
        case "downstream": try self.downstream(0, rest)
        case "downstream2": try self.downstream(1, rest)
        case "configuration:": self.script.configuration = String(rest)
        case "listener:": self.script.listener = String(rest)
        case "offers:":
            self.script.offers = rest == "nothing" ? [] : rest.split(separator: ",").map { $0.trimmingPrefix(" ").description }
        case "program:": self.script.programOnly = String(rest)
        default: throw self.malformed("unknown: \(word)")
        }
    }

    private static func firstWord(_ line: Substring) -> (Substring, Substring) {
        let word = line.prefix { $0 != " " }
        return (word, line.dropFirst(word.count).drop { $0 == " " })
    }

    private mutating func add(_ actor: ConversationScript.Actor, _ action: ConversationScript.Action) {
        self.script.steps.append(ConversationScript.Step(line: self.number, actor: actor, action: action))
    }

    private func bytes(_ text: some StringProtocol) throws(ConversationScript.Malformed) -> [UInt8] {
        do { return try ConversationEscapes.bytes(text) } catch { throw self.malformed("unknown escape in: \(text)") }
    }

    private func pattern(_ text: some StringProtocol) throws(ConversationScript.Malformed) -> ConversationPattern {
        do { return try ConversationPattern(String(text)) } catch { throw self.malformed("unknown escape in: \(text)") }
    }

    // MARK: - What both say

    /// - Returns: false when it is something else.
    private mutating func dialogue(
        _ actor: ConversationScript.Actor,
        _ word: Substring,
        _ text: Substring
    ) throws(ConversationScript.Malformed) -> Bool {
        switch word {
        case "C>": self.add(actor, .send(try self.bytes(text) + [0x0d, 0x0a]))
        case "raw": self.add(actor, .send(try self.bytes(text)))
        case "repeat":
            let (count, unit) = Self.firstWord(text)
            guard let times = Int(count), !unit.isEmpty else { throw self.malformed("repeat needs a number and a text") }
            let piece = try self.bytes(unit)
            self.add(actor, .send([UInt8]((0..<times).lazy.map { _ in piece }.joined())))
        case "flush": self.add(actor, .flush)
        case "S<": self.add(actor, .expect(.line(try self.pattern(text))))
        case "S~": self.add(actor, .expect(.prefix(try self.pattern(text))))
        case "S*": self.add(actor, .expect(.reply(try self.pattern(text))))
        case "close" where text.isEmpty: self.add(actor, .close)
        case "expect" where text == "close": self.add(actor, .expect(.close))
        default: return false
        }
        return true
    }

    // MARK: - A client

    private mutating func client(_ index: Int, _ line: Substring) throws(ConversationScript.Malformed) {
        let actor = ConversationScript.Actor.client(index)
        let (word, text) = Self.firstWord(line)
        if try self.dialogue(actor, word, text) { return }
        switch word {
        case "hello": try self.lines(index, Self.hello)
        case "envelope": try self.lines(index, Self.hello + Self.envelope)
        case "message":
            let subject = text.isEmpty ? "hello" : String(text)
            try self.lines(index, ["C> DATA", "S~ 354"] + Self.message(subject: subject).map { "C> \($0)" } + ["C> ."])
        case "quit": try self.lines(index, ["C> QUIT", "S< 221 2.0.0 Goodbye", "expect close"])
        case "half-close": self.add(actor, .closeOutput)
        case "starttls" where index == 0: self.add(actor, .startTLS)
        default: throw self.malformed("the client does not know how to: \(line)")
        }
    }

    private mutating func lines(_ index: Int, _ lines: [String]) throws(ConversationScript.Malformed) {
        for line in lines { try self.client(index, line[...]) }
    }

    private static let hello = ["S< 220 mx.example.com ESMTP Outpost", "C> EHLO client.example.org", "S* 250"]
    private static let envelope = [
        "C> MAIL FROM:<alice@example.org>", "S< 250 2.1.0 Sender ok", "C> RCPT TO:<bob@example.com>", "S~ 250 2.1.5",
    ]

    private static func message(subject: String) -> [String] {
        [
            "From: Alice <alice@example.org>", "To: Bob <bob@example.com>", "Subject: \(subject)",
            "Date: Mon, 23 Nov 2026 10:00:00 +0000", "Message-ID: <1@example.org>", "", "Good morning.",
        ]
    }

    // MARK: - A downstream server

    private mutating func downstream(_ index: Int, _ line: Substring) throws(ConversationScript.Malformed) {
        let actor = ConversationScript.Actor.downstream(index)
        let (word, text) = Self.firstWord(line)
        if word == "body>" || word == "body|" {
            let bytes = try self.bytes(text) + (word == "body>" ? [0x0d, 0x0a] : [])
            if self.body?.downstream != index { self.endBody() }
            self.body = (index, self.body?.line ?? self.number, (self.body?.bytes ?? []) + bytes)
            return
        }
        self.endBody()
        if try self.dialogue(actor, word, text) { return }
        switch (word, text) {
        case ("accepts", ""): self.add(actor, .accept(isGreeted: true))
        case ("accepts", "silently"): self.add(actor, .accept(isGreeted: false))
        case ("reads", "message"): self.add(actor, .readMessage)
        case ("takes", "envelope"):
            for line in [
                "S< MAIL FROM:<alice@example.org>", "C> 250 2.1.0 Ok", "S< RCPT TO:<bob@example.com>", "C> 250 2.1.5 Ok",
            ] {
                try self.downstream(index, line[...])
            }
        case ("received", _): try self.received(index, text)
        default: throw self.malformed("the downstream server does not know how to: \(line)")
        }
    }

    private mutating func received(_ index: Int, _ line: Substring) throws(ConversationScript.Malformed) {
        let (word, text) = Self.firstWord(line)
        let claim: ConversationScript.Claim
        switch (word, text) {
        case ("nothing", ""): claim = .messages(0)
        case ("field", _): claim = .field(try self.pattern(text))
        case ("command", _): claim = .command(try self.pattern(text))
        case ("no", _) where text.hasPrefix("command "): claim = .noCommand(try self.pattern(text.dropFirst(8)))
        case (_, "messages"), (_, "message"):
            guard let count = Int(word) else { throw self.malformed("not a number: \(word)") }
            claim = .messages(count)
        case (_, "connections"), (_, "connection"):
            guard let count = Int(word) else { throw self.malformed("not a number: \(word)") }
            claim = .connections(count)
        default: throw self.malformed("unknown claim: \(line)")
        }
        self.script.assertions.append(.init(line: self.number, downstream: index, claim: claim))
    }

    private mutating func endBody() {
        guard let body = self.body else { return }
        self.script.assertions.append(.init(line: body.line, downstream: body.downstream, claim: .body(body.bytes)))
        self.body = nil
    }
}
