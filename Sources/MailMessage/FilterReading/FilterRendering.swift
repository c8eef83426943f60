/// The text of a part as rules see it.
package struct FilterRendering: Sendable {
    /// It was rendered from HTML, which was not empty.
    package var isHTML: Bool
    /// In UTF-8.
    package var text: [UInt8]
    package var hasImages: Bool
}
