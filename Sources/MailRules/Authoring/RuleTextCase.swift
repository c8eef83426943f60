/// A text that a rule must hit, or must not: a `test NAME ok|fail TEXT` line of a rule file.
package struct RuleTextCase: Hashable, Sendable {
    package var rule: String
    package var mustHit: Bool
    package var text: [UInt8]
    package var file: String
    package var line: Int

    package init(rule: String, mustHit: Bool, text: [UInt8], file: String = "", line: Int = 0) {
        self.rule = rule
        self.mustHit = mustHit
        self.text = text
        self.file = file
        self.line = line
    }
}
