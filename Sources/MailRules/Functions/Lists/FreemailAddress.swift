import MailMessage

/// Kinds of addresses that FreeMail treats alike.
enum FreemailAddress {
    private static let roles = Set(
        [
            "abuse", "support", "sales", "info", "helpdesk", "contact", "kontakt", "postmaster", "hostmaster", "domainmaster",
            "bounce-", "bounced-",
        ]
        .map { Array($0.utf8) }
    )
    private static let undisclosed = Array("undisclosed".utf8)
    private static let request = Array("request-".utf8)
    /// Digits of the groups of a machine's id, with what joins them.
    private static let ids: [(lengths: [Int], separator: UInt8)] = [
        ([8, 8], UInt8(ascii: ".")), ([8, 4, 4, 4, 12], UInt8(ascii: "-")),
    ]

    /// Addresses of offices and machines, which no person writes from.
    /// - Parameters:
    ///   - address: in lower case.
    ///   - at: its last `@`.
    static func isRole(_ address: [UInt8], at: Int) -> Bool {
        if address.starts(with: self.undisclosed), at >= self.undisclosed.count { return true }
        if self.hasTwoEqualSigns(address[..<at]) { return true }
        let local = address.prefix { $0 != 0x40 }
        if self.roles.contains(Array(local)) { return true }
        if local.starts(with: self.request) {
            let rest = local.dropFirst(self.request.count)
            return rest.count == 16 && rest.allSatisfy(self.isHex)
        }
        return self.ids.contains { self.isID(local, $0.lengths, $0.separator) }
    }

    /// `a=b=c`, as forwarders write a sender.
    private static func hasTwoEqualSigns(_ local: ArraySlice<UInt8>) -> Bool {
        let inner = local.dropFirst().dropLast()
        guard let first = inner.firstIndex(of: UInt8(ascii: "=")), let last = inner.lastIndex(of: UInt8(ascii: "=")) else {
            return false
        }
        return last - first >= 2
    }

    private static func isID(_ local: ArraySlice<UInt8>, _ lengths: [Int], _ separator: UInt8) -> Bool {
        guard local.count == lengths.reduce(lengths.count - 1, +) else { return false }
        let groups = local.split(separator: separator, omittingEmptySubsequences: false)
        return groups.map(\.count) == lengths && groups.allSatisfy { $0.allSatisfy(self.isHex) }
    }

    private static func isHex(_ octet: UInt8) -> Bool { octet.isDigit || (0x61...0x66).contains(octet) }

    // MARK: - Bulk senders

    private static let masters = ["postmaster", "hostmaster", "domainmaster", "double-bounce"].map { Array($0.utf8) }
    private static let listPrefixes = ["sentto-", "owner-", "return-", "bounce-", "bounced-", "grbounce-", "grbounced-"]
        .map { Array($0.utf8) }
    private static let listSuffixes = ["-request", "-bounce", "-bounces", "-admin", "-owner"].map { Array($0.utf8) }

    /// Whether a reverse path is that of a list or of a machine that wants no answer.
    static func isBulkSender(_ path: [UInt8]) -> Bool {
        let path = path.map(\.lowercased)
        for at in path.indices where path[at] == 0x40 {
            let before = path[..<at]
            if self.masters.contains(where: { before.elementsEqual($0) }) { return true }
            if self.listPrefixes.contains(where: { before.count > $0.count && before.starts(with: $0) }) { return true }
            if self.listSuffixes.contains(where: { self.hasSuffix(before, $0) }) { return true }
            if before.count > 2, before.dropFirst().dropLast().contains(UInt8(ascii: "=")) { return true }
            if self.isNoReply(before) { return true }
        }
        return false
    }

    private static func hasSuffix(_ text: ArraySlice<UInt8>, _ suffix: [UInt8]) -> Bool {
        text.count >= suffix.count && text.suffix(suffix.count).elementsEqual(suffix)
    }

    private static let replies = ["reply", "replies"].map { Array($0.utf8) }

    /// `noreply`, `donotreply`, `do_not_reply`…, as a word of its own.
    private static func isNoReply(_ text: ArraySlice<UInt8>) -> Bool {
        self.replies.contains { reply in
            guard self.hasSuffix(text, reply) else { return false }
            let before = text.dropLast(reply.count)
            return [before, self.withoutJoint(before)].compactMap { $0 }.contains(where: self.endsInNo)
        }
    }

    private static let no = Array("no".utf8)
    private static let doWord = Array("do".utf8)

    private static func endsInNo(_ text: ArraySlice<UInt8>) -> Bool {
        guard self.hasSuffix(text, self.no) else { return false }
        let before = text.dropLast(self.no.count)
        if before.last?.isWord != true { return true }
        return [before, self.withoutJoint(before)].compactMap { $0 }.contains {
            self.hasSuffix($0, self.doWord) && $0.dropLast(self.doWord.count).last?.isWord != true
        }
    }

    /// SpamAssassin lets a dot, an underscore or a letter up to `t` join these words, and no hyphen.
    private static func withoutJoint(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let last = text.last, last == UInt8(ascii: ".") || (0x5f...0x74).contains(last) else { return nil }
        return text.dropLast()
    }
}

/// Finds mail addresses in text, as FreeMail takes them.
struct AddressScanner {
    private static let maximumLocalPart = 64
    private static let maximumLabel = 61
    /// Labels before the top-level domain.
    private static let maximumLabels = 4

    let text: [UInt8]
    let registrars: RegistrarBoundaries

    struct Found {
        var range: Range<Int>
        /// Where else it could have begun: behind dots of its local part.
        var starts: [Int]
    }

    /// The first address that begins at or behind `position`.
    func next(from position: Int) -> Found? {
        var index = position
        while let at = self.text[min(index, self.text.count)...].firstIndex(of: 0x40) {
            index = at + 1
            guard let end = self.domainEnd(at + 1) else { continue }
            let starts = self.localStarts(before: at, from: position)
            if let start = starts.first { return Found(range: start..<end, starts: starts) }
        }
        return nil
    }

    /// The end of a whole address that begins exactly at `start`.
    func end(at start: Int) -> Int? {
        guard start < self.text.count, let found = self.next(from: start), found.range.lowerBound == start else { return nil }
        return found.range.upperBound
    }

    static func isAtomOctet(_ octet: UInt8) -> Bool {
        octet.isLetter || octet.isDigit || self.atomMarks.contains(octet)
    }

    private static let atomMarks = Array("!#$%&'*+/=?^_`{|}~-".utf8)

    private func localStarts(before at: Int, from position: Int) -> [Int] {
        let lowest = max(position, at - Self.maximumLocalPart)
        var starts: [Int] = []
        var index = at
        // Atoms with single dots between them, from the `@` back.
        while index > lowest {
            let octet = self.text[index - 1]
            if octet == UInt8(ascii: ".") {
                guard index < at, Self.isAtomOctet(self.text[index]) else { break }
                starts.append(index)
            } else if !Self.isAtomOctet(octet) {
                break
            }
            index -= 1
        }
        if index < at, Self.isAtomOctet(self.text[index]), index == 0 || !Self.isAtomOctet(self.text[index - 1]),
            starts.last != index
        {
            starts.append(index)
        }
        return starts.reversed()
    }

    private func domainEnd(_ start: Int) -> Int? {
        var index = start
        for label in 0...Self.maximumLabels {
            let from = index
            while index < self.text.count, self.isHostOctet(self.text[index]) { index += 1 }
            guard index > from else { return nil }
            let isLast =
                index + 1 >= self.text.count || self.text[index] != UInt8(ascii: ".")
                || !(self.text[index + 1].isLetter || self.text[index + 1].isDigit)
            if isLast { return label > 0 && self.registrars.isTopLevel(self.text[from..<index]) ? index : nil }
            guard label < Self.maximumLabels, index - from <= Self.maximumLabel, self.text[from] != 0x2d,
                self.text[index - 1] != 0x2d
            else { return nil }
            index += 1
        }
        return nil
    }

    private func isHostOctet(_ octet: UInt8) -> Bool { octet.isLetter || octet.isDigit || octet == 0x2d }
}
