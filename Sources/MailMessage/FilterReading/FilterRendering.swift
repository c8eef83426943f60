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
        let content = self.decoded()
        let text = FilterCharset.decode(content, charset: self.charset)
        guard isHTML, !content.isEmpty else { return FilterRendering(isHTML: isHTML, text: text.bytes, hasImages: false) }
        let html = FilterHTML(text, octets: content.count)
        return FilterRendering(isHTML: true, text: html.rendered, hasImages: html.openTags("img") != nil)
    }
}
