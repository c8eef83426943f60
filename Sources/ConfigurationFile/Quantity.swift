/// Numbers with units, as people write them in a configuration.
enum Quantity {
    /// `25MiB`, `10 MB`, `4096`: octets. Binary units end in `iB`, decimal ones in `B`.
    static func octets(_ text: String) -> Int? {
        self.value(
            text,
            units: [
                ("", 1), ("b", 1), ("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("kib", 1_024), ("mib", 1_048_576),
                ("gib", 1_073_741_824),
            ]
        )
    }

    /// `500ms`, `30s`, `5m`, `1h`, `7d`, plain seconds: milliseconds.
    static func milliseconds(_ text: String) -> Int? {
        self.value(text, units: [("", 1_000), ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)])
    }

    static func count(_ text: String) -> Int? {
        self.value(text, units: [("", 1)])
    }

    private static func value(_ text: String, units: [(String, Int)]) -> Int? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == "_") }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        guard let number = Int(digits.filter { $0 != "_" }), let factor = units.first(where: { $0.0 == unit })?.1 else {
            return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    // MARK: - Back to text

    static func octetsText(_ octets: Int) -> String {
        for (unit, size) in [("GiB", 1_073_741_824), ("MiB", 1_048_576), ("KiB", 1_024)]
        where octets >= size && octets % size == 0 {
            return "\(octets / size)\(unit)"
        }
        return "\(octets)"
    }

    static func millisecondsText(_ milliseconds: Int) -> String {
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        for (unit, size) in units where milliseconds >= size && milliseconds % size == 0 {
            return "\(milliseconds / size)\(unit)"
        }
        return "\(milliseconds)ms"
    }
}
