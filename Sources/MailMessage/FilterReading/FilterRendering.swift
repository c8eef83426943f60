/// The text of a part as rules see it.
package struct FilterRendering: Sendable {
    package var isHTML: Bool
    /// In UTF-8.
    package var text: [UInt8]
    package var hasImages: Bool
}

extension FilterPart {
    /// Plain text and HTML; nil for all else.
    package func rendered() -> FilterRendering? {
        let type = self.effectiveType
        let isHTML = type == [UInt8](ascii: "text/html")
        guard isHTML || type == [UInt8](ascii: "text/plain") else { return nil }
        let text = Charset.toUTF8(self.decoded(), named: self.charset.map { String(decoding: $0, as: UTF8.self) })
        guard isHTML else { return FilterRendering(isHTML: false, text: text, hasImages: false) }
        let html = HTMLText(text)
        return FilterRendering(isHTML: true, text: html.rendered, hasImages: !html.facts.images.isEmpty)
    }
}
