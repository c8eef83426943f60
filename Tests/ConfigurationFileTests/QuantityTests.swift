import Testing

@testable import ConfigurationFile

@Suite("Sizes, times and suggestions")
struct QuantityTests {
    @Test(
        "sizes",
        arguments: [
            ("25MiB", 26_214_400), ("10MB", 10_000_000), ("64 KiB", 65_536), ("4096", 4_096), ("1_000", 1_000),
            ("2gib", 2_147_483_648),
            ("7B", 7), ("", nil), ("MiB", nil), ("1.5MiB", nil), ("-1", nil), ("25M", nil), ("9999999999999GiB", nil), ("٣", nil),
        ] as [(String, Int?)]
    )
    func octets(text: String, value: Int?) {
        #expect(Quantity.octets(text) == value)
    }

    @Test(
        "times",
        arguments: [
            ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000), ("250ms", 250), ("45", 45_000),
            ("1 h", 3_600_000),
            ("h", nil), ("1y", nil),
        ] as [(String, Int?)]
    )
    func times(text: String, value: Int?) {
        #expect(Quantity.milliseconds(text) == value)
    }

    @Test(
        "the nearest name, if it is near",
        arguments: [
            ("hostnam", "hostname"), ("lisetners", "listeners"), ("domain", "domains"), ("zzz", nil), ("downstreem", nil),
        ] as [(String, String?)]
    )
    func suggestion(name: String, nearest: String?) {
        #expect(Suggestion.nearest(to: name, among: ["hostname", "listeners", "domains", "log"]) == nearest)
    }
}
