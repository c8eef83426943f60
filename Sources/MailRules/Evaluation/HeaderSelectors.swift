/// The selectors that functions and rules name, each read once. For one thread at a time.
final class HeaderSelectors {
    private var known: [String: HeaderSelector?] = [:]

    /// nil for a text that is no selector.
    subscript(text: String) -> HeaderSelector? {
        if let known = self.known[text] { return known }
        let selector = try? HeaderSelector(text)
        self.known[text] = .some(selector)
        return selector
    }
}
