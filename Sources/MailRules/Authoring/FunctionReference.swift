/// The functions that the plugins of SpamAssassin 4.0.1 have for `eval:` rules, and what became of each here;
/// `docs/rules-functions.md` is made of this.
package enum FunctionReference {
    package struct Entry: Hashable, Sendable {
        package var function: String
        /// Without `Mail::SpamAssassin::Plugin::`.
        package var plugin: String
        package var isAvailable: Bool
        /// On what it rests, or why it is not there.
        package var remark: String
    }

    /// By plugin and name.
    package static let entries: [Entry] = KnownFunctions.entries.map { name, known in
        Entry(function: name, plugin: known.plugin, isAvailable: known.obstacle == nil, remark: remark(name, known))
    }.sorted { ($0.plugin, $0.function) < ($1.plugin, $1.function) }

    private static let remarks = [
        "check_dkim_adsp": "by `adsp_override`; what domains publish (RFC 5617) is not asked for",
        "check_dkim_signall": "`check_dkim_adsp('A')`",
        "check_dkim_signsome": "never hits, as in SpamAssassin",
        "check_dkim_verified": "`check_dkim_valid`",
        "check_language": "by the models in a file `languages` beside the rules",
        "check_shortcircuit": "never hits, as in SpamAssassin",
        "check_uri_detail": "as `uri_detail` rules",
        "short_url": "by how links look",
    ]

    private static func remark(_ name: String, _ known: KnownFunctions.Entry) -> String {
        if let obstacle = known.obstacle { return obstacle.rawValue }
        if let remark = self.remarks[name] { return remark }
        if AuthenticationEval.plugins.contains(known.plugin) { return "from the gateway's own SPF, DKIM, DMARC and ARC results" }
        if NetworkFunctions.all.contains(where: { $0.name == name }) { return "asks the DNS, with `rules_network: true`" }
        return "from the message alone"
    }

    package static var markdown: String {
        let rows = self.entries.map { "| `\($0.function)` | \($0.plugin) | \($0.isAvailable ? "yes" : "no") | \($0.remark) |" }
        let available = self.entries.count { $0.isAvailable }
        return """
            # Functions for eval rules

            All that the plugins of SpamAssassin 4.0.1 register for `eval:`: \(self.entries.count) functions, of which \(available) are
            here. A rule that calls another never hits, and `outpost rules lint` names it with the reason. The language around them is
            in [the reference](rules-reference.md). This file is made by a test; what is wrong in it is wrong in the program.

            | function | plugin | here | |
            | --- | --- | --- | --- |
            \(rows.joined(separator: "\n"))

            """
    }
}
