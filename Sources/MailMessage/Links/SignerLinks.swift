/// Domains that signatures name, which count as links (`parse_dkim_uris`).
enum SignerLinks {
    /// Fields with signatures, in the order in which SpamAssassin reads them.
    static let fields = ["domainkey-signature", "dkim-signature"]
    static let type = "domainkeys"

    /// `domainkeys:example.org` for each `d=example.org;` of a field.
    static func links(in value: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var index = 0
        while let tag = value[index...].firstIndex(of: UInt8(ascii: "d")) {
            index = tag + 1
            guard tag == 0 || !value[tag - 1].isWord else { continue }
            guard let equals = value[index...].firstIndex(where: { !$0.isSpace }), value[equals] == 0x3d else { continue }
            let end = value[(equals + 1)...].firstIndex(of: 0x3b) ?? value.count
            result.append(self.scheme + value[(equals + 1)..<end].filter { !$0.isSpace })
            index = end
        }
        return result
    }

    private static let scheme = [UInt8](ascii: "domainkeys:")
}
