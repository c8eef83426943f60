import Foundation
import OutpostTestKit
import Testing

@testable import MailMessage

@Suite("Robustness")
struct RobustnessTests {
    /// A small generator with a fixed start, so that a failure comes again.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return self.state ^ self.state >> 33
        }
    }

    /// Pieces that parsers stumble over.
    private static let pieces = [
        "--outer", "--outer--", "--inner\r\n", "\r\n", "\n\n", "=", "=?utf-8?q?", "?=", "\"", "(", "<", "<!--", "-->", "&#",
        "&amp", ";",
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n", "Content-Transfer-Encoding: base64\n", "\0", "\u{1b}$B", "%",
        "http://", "@",
        "begin 644 a\n", "<a href=", "<style>", "name*0*=", ">", ":", "Content-Type: message/rfc822\n\n",
    ].map { octets($0) }

    private func mutate(_ bytes: [UInt8], _ generator: inout Generator) -> [UInt8] {
        var result = bytes
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let place = Int.random(in: 0...result.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: result.insert(contentsOf: Self.pieces.randomElement(using: &generator) ?? [], at: place)
            case 1: result.insert(UInt8.random(in: 0...255, using: &generator), at: place)
            case 2: result.removeSubrange(place..<min(result.count, place + Int.random(in: 0...40, using: &generator)))
            case 3: result.insert(contentsOf: result[place..<min(result.count, place + 60)], at: place)
            default: if place < result.count { result[place] = UInt8.random(in: 0...255, using: &generator) }
            }
        }
        return result
    }

    @Test("Mutated messages are parsed without harm", arguments: Fixture.files("messages", suffix: ".eml"))
    func mutations(_ file: URL) throws {
        let original = try Fixture.bytes(file)
        var generator = Generator(state: UInt64(original.count))
        for _ in 0..<200 { checkInvariants(ParsedMessage(self.mutate(original, &generator))) }
    }

    @Test("A message cut off anywhere is parsed without harm")
    func truncation() throws {
        let file = try #require(Fixture.files("messages", suffix: ".eml").first)
        let original = try Fixture.bytes(file)
        for count in stride(from: 0, to: original.count, by: 5) { checkInvariants(ParsedMessage([UInt8](original[..<count]))) }
    }

    @Test(
        "Hostile text takes time in proportion to its length",
        arguments: [
            "<", "<a ", "<!--", "<div>", "</b>", "<p>", "<td>", "&", "&#", "a@", "http://", "http://a.com?http://b.com/",
            "a.com ", "(", "x=\"",
            "=?utf-8?q?", "=?utf-8?q?a?= ", "\"<(", "\n", " ", "\u{a0}", "=\n", "= ", "begin 644 a\n",
        ]
    )
    func hostile(_ repeated: String) {
        // Anything quadratic in these lengths would take minutes in a debug build.
        let body = String(repeating: repeated, count: 20_000 / repeated.utf8.count)
        let value = body.replacing("\n", with: " ")
        let header = "From: \(value)\nSubject: \(value)\nContent-Disposition: a; \(value)\n"
        let clock = ContinuousClock()
        let duration = clock.measure {
            for type in ["text/plain; charset=gbk", "text/html"] {
                let source = octets(header + "Content-Type: \(type)\nContent-Transfer-Encoding: quoted-printable\n\n" + body)
                checkInvariants(ParsedMessage(source))
            }
        }
        #expect(duration < .seconds(20))
    }
}
