import MailMessage
import MailTypes

/// A header field as rules see it.
package struct SubjectField: Hashable, Sendable {
    /// As it is spelt in the message.
    package var name: [UInt8]
    /// Behind the colon, folding and encoded words included, lines ended by LF, without the last line end.
    package var raw: [UInt8]
    /// On one line, encoded words decoded, without white space at the ends.
    package var decoded: [UInt8]

    package init(name: [UInt8], raw: [UInt8], decoded: [UInt8]) {
        self.name = name
        self.raw = raw
        self.decoded = decoded
    }

    func isNamed(_ name: HeaderName) -> Bool { self.name.isCaseless(name.octets) }
}

extension HeaderName {
    static let received: HeaderName = "received"
}

extension [UInt8] {
    /// Whether these are the octets, letters of ASCII in either case.
    /// - Parameter lowercase: in lower case.
    func isCaseless(_ lowercase: [UInt8]) -> Bool {
        self.count == lowercase.count && zip(self, lowercase).allSatisfy { $0.lowercased == $1 }
    }
}

/// A MIME part as rules see it.
package struct SubjectPart: Hashable, Sendable {
    /// `1`, `2.1`; empty for the message itself when that is multipart.
    package var path: String
    /// `application/zip`
    package var type: String
    package var fileName: String?
    /// Other names that readers may show for it.
    package var otherNames: [String]
    /// `attachment`, `inline` or nil.
    package var disposition: String?

    package init(path: String, type: String, fileName: String?, otherNames: [String] = [], disposition: String? = nil) {
        self.otherNames = otherNames
        self.path = path
        self.type = type
        self.fileName = fileName
        self.disposition = disposition
    }

    /// All names, the ordinary one first.
    var names: [String] { [self.fileName].compactMap { $0 } + self.otherNames }

    /// What a reader would have to open: a part with a file name, one that says it is an attachment, or one that is
    /// neither text nor a container.
    var isAttachment: Bool {
        if self.type.hasPrefix("multipart/") { return false }
        if self.fileName != nil || !self.otherNames.isEmpty || self.disposition == "attachment" { return true }
        return !self.type.hasPrefix("text/") && !self.type.hasPrefix("message/")
    }
}

/// The header of a MIME part as `mimeheader` rules see it.
package struct PartHeader: Hashable, Sendable {
    /// As in `SubjectPart`, where both take the message apart in the same way.
    package var path: String
    package var fields: [FilterField]

    package init(path: String, fields: [FilterField]) {
        self.path = path
        self.fields = fields
    }
}

/// The views of a message that rules match against. The evaluator asks for each at most once a message.
package protocol RuleSubject {
    /// The message's header fields of that name, in order.
    func fields(named name: HeaderName) -> [SubjectField]
    func allFields() -> [SubjectField]
    /// Encoded words (RFC 2047) decoded to UTF-8.
    func decodingWords(_ bytes: [UInt8]) -> [UInt8]
    /// The subject, then paragraphs.
    func bodySegments() -> [TextSegment]
    func rawBodySegments() -> [TextSegment]
    func links() -> [MessageURI]
    /// The whole message with LF as line end.
    func fullText() -> [UInt8]
    /// Parts as a mail program sees them.
    func mimeParts() -> [SubjectPart]
    /// Headers of the parts as SpamAssassin sees them, each before those within it.
    func partHeaders() -> [PartHeader]
    /// What the part with that number in `mimeParts` holds; nil when that cannot be told.
    func attachmentContent(ofPart index: Int) -> AttachmentContent?
    func path(ofPart index: Int) -> String
    /// The hops of the message.
    var relays: RelayPath { get }
    /// The field that has the envelope's sender, if the administrator named one.
    var envelopeSenderField: String? { get }
    var registrars: RegistrarBoundaries { get }
    /// The languages of the text; nil where nobody told how to tell them.
    var languages: DetectedLanguages? { get }
}

extension RuleSubject {
    package var relays: RelayPath { RelayPath() }
    package var envelopeSenderField: String? { nil }
    package var registrars: RegistrarBoundaries { .standard }
    package var languages: DetectedLanguages? { nil }
}

extension RuleSubject {
    package func attachmentContent(ofPart index: Int) -> AttachmentContent? { nil }
}

/// A parsed message as rules see it.
final class MessageSubject: RuleSubject {
    let text: MessageText
    private(set) lazy var relays = self.settings.relays.path(of: self.message, self.envelope)
    private(set) lazy var languages = self.settings.languages.detect(self.text.body)
    private let envelope: Envelope
    private let settings: FunctionSettings
    /// Decoding is dear, and many rules ask for the same fields.
    private lazy var all: [SubjectField] = self.message.headerFields.map(self.field)

    init(text: MessageText, envelope: Envelope, settings: FunctionSettings) {
        self.text = text
        self.envelope = envelope
        self.settings = settings
    }

    var envelopeSenderField: String? { self.settings.relays.envelopeSenderField }
    var registrars: RegistrarBoundaries { self.settings.registrars }

    private var message: ParsedMessage { self.text.message }

    private func field(_ field: HeaderField) -> SubjectField {
        SubjectField(
            name: Array(self.message.bytes[field.name]),
            raw: LineEnds.lineFeeds(self.message.bytes[field.value]),
            decoded: self.text.decodedValue(of: field)
        )
    }

    func fields(named name: HeaderName) -> [SubjectField] {
        self.message.places(ofFieldsNamed: name).map { self.all[$0] }
    }

    func allFields() -> [SubjectField] { self.all }

    func decodingWords(_ bytes: [UInt8]) -> [UInt8] {
        FilterField.decode(bytes, named: [])
    }

    func bodySegments() -> [TextSegment] { self.text.body }
    func rawBodySegments() -> [TextSegment] { self.text.rawBody }
    func links() -> [MessageURI] { self.text.uris }
    func fullText() -> [UInt8] { self.text.full }

    func attachmentContent(ofPart index: Int) -> AttachmentContent? {
        guard self.message.parts.indices.contains(index), !self.message.parts[index].isContainer else { return nil }
        return AttachmentContent(self.message.content(of: self.message.parts[index]))
    }

    func mimeParts() -> [SubjectPart] {
        self.message.parts.map { part in
            SubjectPart(
                path: part.path,
                type: part.type + "/" + part.subtype,
                fileName: part.fileName,
                otherNames: self.message.fileNames(of: part).filter { $0 != part.fileName },
                disposition: part.disposition
            )
        }
    }

    func partHeaders() -> [PartHeader] {
        let parts = self.text.reading.parts
        var paths = Array(repeating: "", count: parts.count)
        if parts[0].isLeaf { paths[0] = "1" }
        // Parts follow the ones that they are in.
        for part in parts {
            for (number, child) in zip(1..., part.children) {
                paths[child] = paths[part.index].isEmpty ? String(number) : paths[part.index] + ".\(number)"
            }
        }
        return self.text.reading.depthFirst.map { PartHeader(path: paths[$0.index], fields: $0.fields) }
    }

    func path(ofPart index: Int) -> String {
        self.message.parts.indices.contains(index) ? self.message.parts[index].path : ""
    }
}
