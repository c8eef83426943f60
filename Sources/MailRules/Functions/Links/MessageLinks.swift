import MailMessage

/// A link of a message with all that is known of it.
struct MessageLink: Sendable {
    struct Host: Hashable, Sendable {
        var name: [UInt8]
        var domain: [UInt8]
    }

    var raw: [UInt8]
    var types: Set<String>
    var cleaned: [[UInt8]]
    var anchorTexts: [[UInt8]] = []
    var hosts: [Host] = []
}

private struct MessageLinks {
    var all: [MessageLink] = []

    init(_ context: EvalContext) {
        var texts: [[UInt8]: [[UInt8]]] = [:]
        for (_, facts) in context.text.html { for anchor in facts.anchors { texts[anchor.reference, default: []].append(anchor.text) } }
        for uri in context.text.uris {
            if uri.isCanonical, let last = self.all.indices.last {
                self.all[last].cleaned.append(uri.bytes)
            } else {
                let type: String = uri.source == .html(.anchor) ? "a" : uri.source == .text || uri.source == .schemeless ? "parsed" : "img"
                self.all.append(MessageLink(raw: uri.bytes, types: [type], cleaned: [uri.bytes], anchorTexts: texts[uri.bytes] ?? []))
            }
        }
        for index in self.all.indices {
            for form in self.all[index].cleaned {
                if let found = context.settings.registrars.domain(ofURI: form) {
                    self.all[index].hosts.append(MessageLink.Host(name: found.host, domain: found.domain))
                }
            }
        }
    }
}

extension EvalContext {
    var links: [MessageLink] { self.facts(MessageLinks.init).all }
}
