/// The text of a part as rules see it.
package struct FilterRendering: Sendable {
    package var isHTML: Bool
    /// In UTF-8.
    package var text: [UInt8]
    package var hasImages: Bool
}
