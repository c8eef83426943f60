import MailChecks
import MailMessage
import MailTypes

/// How long the checks of a message will keep one core busy, guessed before they run from what costs little to find out.
///
/// It decides who waits for whom, never what is checked. A guess that is too low is made up for by the lanes themselves: what
/// takes long in the quick lane loses its claim to a place there and to the processor.
struct ExpectedCost: Hashable, Sendable {
    var milliseconds: Int

    /// Milliseconds up to which a message is examined in the quick lane: an ordinary one takes three, one of 3 MB a hundred.
    private static let quickLimit = 100
    /// Octets that parser, rules and virus engine get through in a millisecond: 30 ms for a mebibyte, measured.
    private static let octetsPerMillisecond = 35_000
    /// Parts that the engine gets through in a millisecond: 50,000 take it two seconds. It has no limit of its own there, so that
    /// what counts is what any reader may take for the beginning of a part.
    private static let partsPerMillisecond = 25
    /// Octets of archives, unpacked, that archive check and engine get through in a millisecond together.
    private static let unpackedPerMillisecond = 100_000
    /// For archives that are larger than is measured here.
    private static let unmeasured = 2_000
    /// What the kinds of archives that are not opened here may hold at most for one octet. More than the true ratio of some; the
    /// engine's own limits hold for those.
    private static let assumedRatio = 1_000
    private static let closedArchives: Set<String> = [
        "application/vnd.rar", "application/x-7z-compressed", "application/x-bzip2", "application/x-xz", "application/zstd",
        "application/vnd.ms-cab-compressed", "application/x-ace-compressed", "application/x-arj", "application/x-lzh-compressed",
    ]

    var isQuick: Bool { self.milliseconds <= Self.quickLimit }

    /// Of a message of which only its length is known: not less than this.
    init(octets: Int) {
        self.milliseconds = max(1, octets / Self.octetsPerMillisecond)
    }

    /// Measures archives, and stops as soon as the message is not quick.
    init(_ message: ParsedMessage) {
        self.init(octets: message.bytes.count)
        self.milliseconds += message.possibleParts / Self.partsPerMillisecond
        guard self.isQuick else { return }
        var limits = ArchiveLimits()
        limits.maxSize = (Self.quickLimit - self.milliseconds) * Self.unpackedPerMillisecond
        var survey = ArchiveSurvey(limits)
        var assumed = 0
        func add(_ content: [UInt8]) {
            let kind = ContentKind.detect(content[...])
            if ArchiveSurvey.isArchive(kind) {
                survey.add(content, name: [])
            } else if kind.map(Self.closedArchives.contains) == true {
                assumed += content.count * Self.assumedRatio
            }
        }
        for part in message.parts where !part.isContainer && !part.body.isEmpty {
            // Most parts are none, and need not be decoded to see that.
            guard let kind = ContentKind.detect(message.contentHead(of: part)[...]),
                ArchiveSurvey.isArchive(kind) || Self.closedArchives.contains(kind)
            else { continue }
            add(message.content(of: part))
        }
        for content in message.readings.contents { add(content) }
        // Whatever the survey stopped at, there is more than it has counted.
        let stopped: Set<ArchiveSurvey.Remark.Kind> = [.tooLarge, .tooManyMembers, .tooDeep]
        if survey.remarks.contains(where: { stopped.contains($0.kind) }) {
            self.milliseconds = Self.unmeasured
        } else {
            let unpacked = (survey.unpackedOctets + assumed) / Self.unpackedPerMillisecond
            self.milliseconds = min(self.milliseconds + unpacked, Self.unmeasured)
        }
    }
}
