import MailMessage
import MailTypes

/// Looks into archives and at the names and kinds of files, as the recipients' policy wants them. libclamav leaves out what is
/// too long, too many or too deep for it, and not always says so: these limits stand before it.
package struct ArchiveCheck: Sendable {
    package init() {}

    package func run(_ message: ParsedMessage, limits: ArchiveLimits) -> CheckFindings {
        var survey = ArchiveSurvey(limits)
        var kinds: [String] = []
        for part in message.parts where !part.isContainer && !part.body.isEmpty {
            guard let kind = ContentKind.detect(message.contentHead(of: part)[...]) else { continue }
            kinds.append(kind)
            guard ArchiveSurvey.isArchive(kind) else { continue }
            survey.add(message.content(of: part), name: Array((part.fileName ?? part.mediaType).utf8))
        }
        for content in message.readings.contents {
            guard let kind = ContentKind.detect(content[...]) else { continue }
            kinds.append(kind)
            if ArchiveSurvey.isArchive(kind) { survey.add(content, name: Array("another reading".utf8)) }
        }
        var hits = survey.remarks.map { $0.kind.symbol.hit($0.detail, $0.kind.action(limits), $0.kind.reply) }
        hits += self.forbidden(message, survey, kinds, limits)
        return CheckFindings(check: "archives", hits: hits)
    }

    private static let forbiddenReply = "550 5.7.1 Message refused: it has a file that is not accepted here"

    private func forbidden(
        _ message: ParsedMessage,
        _ survey: ArchiveSurvey,
        _ kinds: [String],
        _ limits: ArchiveLimits
    ) -> [Hit] {
        var hits: [Hit] = []
        if !limits.forbiddenNames.isEmpty {
            let patterns = limits.forbiddenNames.map { NamePattern($0) }
            let names = message.parts.flatMap { message.fileNames(of: $0) } + message.readings.names
            let paths = survey.members.map { String(decoding: $0.path, as: UTF8.self) }
            if let found = (names + paths).first(where: { name in patterns.contains { $0.matches(name) } }) {
                hits.append(CheckSymbol.forbiddenName.hit(found, limits.onForbidden, Self.forbiddenReply))
            }
        }
        if !limits.forbiddenTypes.isEmpty {
            let found = (kinds + survey.members.compactMap(\.kind)).first { limits.forbiddenTypes.contains($0) }
            if let found { hits.append(CheckSymbol.forbiddenType.hit(found, limits.onForbidden, Self.forbiddenReply)) }
        }
        return hits
    }
}

/// A name with `*` for any characters; letters match in either case. White space and dots at a name's end do not count: systems
/// drop them.
struct NamePattern {
    private let pattern: [UInt8]

    init(_ text: String) {
        self.pattern = Array(text.lowercased().utf8)
    }

    /// Whether the name fits, or what stands behind its last `/` or `\`.
    func matches(_ name: String) -> Bool {
        var octets = Array(name.lowercased().utf8)
        while let last = octets.last, last == 0x2e || last <= 0x20 { octets.removeLast() }
        if self.fits(octets[...]) { return true }
        guard let slash = octets.lastIndex(where: { $0 == 0x2f || $0 == 0x5c }) else { return false }
        return self.fits(octets[(slash + 1)...])
    }

    /// Each star is tried once and moved on: the work is the product of the lengths at most.
    private func fits(_ name: ArraySlice<UInt8>) -> Bool {
        var place = 0
        var index = name.startIndex
        var star: (place: Int, index: Int)?
        while index < name.endIndex {
            if place < self.pattern.count, self.pattern[place] == 0x2a {
                star = (place, index)
                place += 1
            } else if place < self.pattern.count, self.pattern[place] == name[index] {
                place += 1
                index += 1
            } else if let last = star {
                star = (last.place, last.index + 1)
                place = last.place + 1
                index = last.index + 1
            } else {
                return false
            }
        }
        return self.pattern[place...].allSatisfy { $0 == 0x2a }
    }
}

extension CheckSymbol {
    fileprivate func hit(_ detail: String, _ action: ArchiveLimits.Action, _ reply: String) -> Hit {
        var hit = self.hit(detail: detail)
        switch action {
        case .accept: hit.action = nil
        case .hold: hit.action = .hold
        case .reject: hit.action = .reject(text: reply)
        }
        return hit
    }
}

extension ArchiveSurvey.Remark.Kind {
    fileprivate var symbol: CheckSymbol {
        switch self {
        case .tooManyMembers: .archiveMembers
        case .ratio: .archiveRatio
        case .tooLarge: .archiveSize
        case .tooDeep: .archiveDepth
        case .encrypted: .archiveEncrypted
        case .inconsistent: .archiveInconsistent
        }
    }

    fileprivate func action(_ limits: ArchiveLimits) -> ArchiveLimits.Action {
        switch self {
        case .tooManyMembers, .ratio, .tooLarge, .tooDeep: limits.onLimit
        case .encrypted: limits.encrypted
        case .inconsistent: limits.inconsistent
        }
    }

    fileprivate var reply: String {
        switch self {
        case .tooManyMembers, .ratio, .tooLarge, .tooDeep:
            "552 5.3.4 Message refused: an archive in it is larger unpacked than is accepted here"
        case .encrypted: "550 5.7.1 Message refused: an archive in it takes a password, so that it cannot be looked at"
        case .inconsistent: "550 5.7.1 Message refused: an archive in it is broken in a way that hides files"
        }
    }
}
