/// Gathers the links of text and HTML, each once, with their forms.
struct LinkCollector {
    private let reading: LinkReading
    private let limit: Int
    private(set) var links: [MessageLink] = []
    /// There were more.
    private(set) var hasCut = false
    // With room for the links of an ordinary message, so that they need not be put elsewhere as more come.
    private var indices = [OctetKey: Int](minimumCapacity: 12)
    private var seen = Set<OctetKey>(minimumCapacity: 12)
    private var forms = 0

    init(_ reading: LinkReading, limit: Int) {
        self.reading = reading
        self.limit = limit
    }

    mutating func add(text segment: TextSegment) {
        guard self.forms < self.limit else {
            self.hasCut = true
            return
        }
        let extractor = URIExtractor(segment.bytes, maximum: self.limit, boundaries: self.reading.boundaries)
        for found in extractor.found where self.seen.insert(OctetKey(found.raw)).inserted {
            guard let (uri, types) = found.link(self.reading.boundaries) else { continue }
            // In text only what leads somewhere is a link.
            self.add(uri, types, part: segment.part ?? 0, offset: segment.offset + found.offset, needsHost: true)
        }
    }

    mutating func add(_ link: FilterHTML.Link, part: Int) {
        let types = link.types.isEmpty ? ["parsed"] : link.types
        guard let index = self.add(link.uri, types, part: part, offset: 0, needsHost: false) else { return }
        var texts = self.links[index].anchorTexts
        var seen: Set<OctetKey> = []
        texts.append(contentsOf: link.anchorTexts.filter { seen.insert(OctetKey($0)).inserted })
        self.links[index].anchorTexts = texts
    }

    /// Adds the domain of a signature. It is no text of the message, so it has no forms that `uri` rules see.
    mutating func add(signer uri: [UInt8]) {
        let key = OctetKey(uri)
        guard self.indices[key] == nil, let (domain, name) = self.reading.boundaries.domain(ofURI: uri) else { return }
        guard self.forms < self.limit else {
            self.hasCut = true
            return
        }
        self.forms += 1
        self.indices[key] = self.links.count
        let host = MessageLink.Host(name: name, domain: domain)
        self.links.append(MessageLink(raw: uri, types: [SignerLinks.type], cleaned: [], hosts: [host], part: 0, offset: 0))
    }

    /// - Parameter needsHost: it counts only when some form has a host that could be looked up.
    @discardableResult
    private mutating func add(_ uri: [UInt8], _ types: Set<String>, part: Int, offset: Int, needsHost: Bool) -> Int? {
        let key = OctetKey(uri)
        if let index = self.indices[key] {
            if !needsHost || !self.links[index].hosts.isEmpty { self.links[index].types.formUnion(types) }
            return index
        }
        guard self.forms < self.limit else {
            self.hasCut = true
            return nil
        }
        let cleaned = URICanonical.forms(of: uri, isOctets: needsHost, self.reading)
        var hosts: [MessageLink.Host] = []
        for form in cleaned {
            guard let (domain, name) = self.reading.boundaries.domain(ofURI: form) else { continue }
            let host = MessageLink.Host(name: name, domain: domain)
            if !hosts.contains(host) { hosts.append(host) }
        }
        guard !cleaned.isEmpty, !needsHost || !hosts.isEmpty else { return nil }
        self.forms += cleaned.count
        self.indices[key] = self.links.count
        self.links.append(MessageLink(raw: uri, types: types, cleaned: cleaned, hosts: hosts, part: part, offset: offset))
        return self.links.count - 1
    }
}
