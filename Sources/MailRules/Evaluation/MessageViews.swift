import MailMessage
import MailTypes

/// What rules see of one message. Each view is made once, when the first rule asks for it. For one thread at a time.
final class MessageViews {
    let subject: any RuleSubject
    let envelope: Envelope

    private(set) lazy var body: [TextSegment] = self.subject.bodySegments()
    private(set) lazy var rawBody: [TextSegment] = self.subject.rawBodySegments()
    private(set) lazy var links: [MessageURI] = self.subject.links()
    private(set) lazy var full: [UInt8] = self.subject.fullText()
    private(set) lazy var parts: [SubjectPart] = self.subject.mimeParts()
    private(set) lazy var partHeaders: [PartHeader] = self.subject.partHeaders()

    func attachmentContent(ofPart index: Int) -> AttachmentContent? { self.subject.attachmentContent(ofPart: index) }

    /// The reverse path, if anything tells it.
    private(set) lazy var envelopeSender: [UInt8]? = EnvelopeSender.find(self.subject, self.envelope)

    private var headers = HeaderViews()

    init(_ subject: any RuleSubject, envelope: Envelope) {
        self.subject = subject
        self.envelope = envelope
    }

    func header(_ selector: HeaderSelector) -> HeaderView {
        if let known = self.headers[selector] { return known }
        let view = selector.view(of: self)
        self.headers[selector] = view
        return view
    }

    /// Where in the message a match is, told for people.
    func location(of place: MatchPlace) -> MatchLocation {
        switch place {
        case .told(let location):
            return location
        case .header(let selector, let range):
            let view = self.header(selector)
            let offset = view.offsetInField(range.lowerBound)
            return MatchLocation(view: "header", part: "", offset: offset, text: printable(view.bytes[range]))
        case .body(let number, let range):
            return self.location("body", self.body[number], range)
        case .rawBody(let number, let range):
            return self.location("rawbody", self.rawBody[number], range)
        case .link(let number):
            let link = self.links[number]
            let part = self.subject.path(ofPart: link.part)
            return MatchLocation(view: "uri", part: part, offset: link.offset, text: printable(link.bytes[...]))
        case .full(let range):
            return MatchLocation(view: "full", part: "", offset: range.lowerBound, text: printable(self.full[range]))
        }
    }

    private func location(_ view: String, _ segment: TextSegment, _ range: Range<Int>) -> MatchLocation {
        let part = segment.part.map { self.subject.path(ofPart: $0) } ?? ""
        let offset = segment.offset + range.lowerBound
        return MatchLocation(view: view, part: part, offset: offset, text: printable(segment.bytes[range]))
    }
}

/// Those that were made so far.
private struct HeaderViews {
    /// By the selector's number.
    private var views: [HeaderView?] = []

    subscript(selector: HeaderSelector) -> HeaderView? {
        get { selector.number < self.views.count ? self.views[selector.number] : nil }
        set {
            while self.views.count <= selector.number { self.views.append(nil) }
            self.views[selector.number] = newValue
        }
    }
}

/// Where a rule matched, in terms of the views: most matches are of rules that are never shown.
enum MatchPlace: Hashable {
    case header(HeaderSelector, Range<Int>)
    /// The segment's number, and the range in it.
    case body(Int, Range<Int>)
    case rawBody(Int, Range<Int>)
    case link(Int)
    case full(Range<Int>)
    /// In a text that is not kept, or as a function tells it.
    case told(MatchLocation)
}
