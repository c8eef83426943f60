import Foundation
import MailTypes
import NIOCore
import OutpostTestKit
import SMTPCore
import Testing

@Suite("Server content")
struct ServerContentTests {
    private struct Result: Equatable {
        var text: [UInt8] = []
        var rest: [UInt8] = []
        var hasEnded = false
        var refusal: ContentDecoder.Refusal?
        var facts = ContentFacts()
    }

    private static func decode(
        _ bytes: [UInt8],
        pieces: Int,
        bareLineEnds: BareLineEnds = .accept,
        maximumSize: Int = 1_000_000,
        maximumLine: Int = 1_000
    ) -> Result {
        var decoder = ContentDecoder(
            framing: .stuffed,
            maximumSize: maximumSize,
            maximumLine: maximumLine,
            bareLineEnds: bareLineEnds
        )
        var result = Result()
        var rest = bytes[...]
        while !rest.isEmpty, !result.hasEnded {
            var buffer = ByteBuffer(bytes: rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            reading: while true {
                switch decoder.next(from: &buffer) {
                case .text(let text): result.text += text.readableBytesView
                case .starved: break reading
                case .ended:
                    result.hasEnded = true
                    result.rest = Array(buffer.readableBytesView) + Array(rest)
                    break reading
                }
            }
        }
        result.refusal = decoder.refusal
        result.facts = decoder.facts
        return result
    }

    @Test(
        "dots are unstuffed and only CRLF.CRLF ends",
        arguments: [
            (".\r\nNOOP", "", "NOOP"), ("a\r\n.\r\nX", "a\r\n", "X"), ("..\r\n.\r\n", ".\r\n", ""),
            ("a.\r\n..b\r\n.c\r\n.\r\n", "a.\r\n.b\r\nc\r\n", ""), ("...\r\n.\r\n", "..\r\n", ""),
            ("\r\n\r\n.\r\n", "\r\n\r\n", ""), (".\r.\r\n.\r\n", "\r.\r\n", ""), (".\rx\r\n.\r\n", "\rx\r\n", ""),
            (".\n.\r\n.\r\n", "\n.\r\n", ""), (".\r\r\n.\r\n", "\r\r\n", ""), ("..\r\n..\r\n.\r\n.\r\n", ".\r\n.\r\n", ".\r\n"),
        ]
    )
    func framing(_ input: String, _ text: String, _ rest: String) {
        for pieces in 1...input.utf8.count {
            let result = Self.decode(Array(input.utf8), pieces: pieces)
            #expect(result.hasEnded)
            #expect(String(decoding: result.text, as: UTF8.self) == text)
            #expect(String(decoding: result.rest, as: UTF8.self) == rest)
        }
    }

    @Test("any text comes through stuffing octet for octet, however it is cut")
    func roundTrip() {
        var random = SplitMix(seed: 7)
        let alphabet = Array("\r\n.\r\n.ab\u{0}".utf8) + [0xe4]
        for _ in 0..<400 {
            var text = (0..<Int.random(in: 0..<40, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            text += Array("\r\n".utf8)
            let results = [1, 2, 3, 5, .max].map { Self.decode(Self.stuffed(text) + Array(".\r\nREST".utf8), pieces: $0) }
            for result in results {
                #expect(result == results[0])
                #expect(result.text == text)
                #expect(result.rest == Array("REST".utf8))
                #expect(result.facts.octets == text.count)
                #expect(result.facts.has8Bit == text.contains(0xe4))
                #expect(result.facts.hasBareLineEnds == Self.hasBareLineEnds(text))
                #expect((result.refusal == .nul) == text.contains(0))
                #expect(result.facts.longestLine == Self.longestLine(text))
            }
        }
    }

    /// RFC 5321 §4.5.2: a dot more at the start of each line, lines being what CRLF ends.
    private static func stuffed(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for (index, byte) in text.enumerated() {
            let isLineStart = index == 0 || index >= 2 && text[index - 2] == 13 && text[index - 1] == 10
            if isLineStart, byte == UInt8(ascii: ".") { result.append(byte) }
            result.append(byte)
        }
        return result
    }

    private static func hasBareLineEnds(_ text: [UInt8]) -> Bool {
        text.indices.contains { index in
            switch text[index] {
            case 13: index + 1 == text.count || text[index + 1] != 10
            case 10: index == 0 || text[index - 1] != 13
            default: false
            }
        }
    }

    private static func longestLine(_ text: [UInt8]) -> Int {
        var longest = 0
        var start = 0
        for index in text.indices where text[index] == 10 && index > start && text[index - 1] == 13 {
            longest = max(longest, index - 1 - start)
            start = index + 1
        }
        return longest
    }

    @Test(
        "refused content is read to its true end, answered once, and the next command is understood",
        arguments: [
            ("a\nb\r\n", "554 5.6.0"), ("a\rb\r\n", "554 5.6.0"), ("a\u{0}b\r\n", "554 5.6.0"),
            (String(repeating: "x", count: 101) + "\r\n", "500 5.6.0"), (String(repeating: "x\r\n", count: 400), "552 5.3.4"),
        ]
    )
    func refusals(_ text: String, _ start: String) {
        for pieces in [1, 2, 3, 17, .max] {
            var driver = ServerDriver.greeted {
                $0.limits.textLine = 100
                $0.maximumSize = 1_000
            }
            driver.feed("\(ServerDriver.envelope)DATA\r\n\(text).\r\nNOOP\r\n", pieces: pieces)
            #expect(driver.record.codes.count == 5)
            #expect(driver.record.replies[3].hasPrefix(start))
            #expect(driver.record.replies.last == "250 2.0.0 OK")
            #expect(driver.record.messages.isEmpty && driver.record.resets == 1)
        }
    }

    @Test("limits count what is within: a line and a message of exactly the limit are accepted")
    func exactLimits() {
        var driver = ServerDriver.greeted {
            $0.limits.textLine = 100
            $0.maximumSize = 102
        }
        driver.feed("\(ServerDriver.envelope)DATA\r\n\(String(repeating: "x", count: 100))\r\n.\r\n")
        #expect(driver.record.codes == [250, 250, 354, 250])
        #expect(driver.record.facts == [ContentFacts(octets: 102, longestLine: 100)])
    }

    @Test("no known smuggling form ends the data", .enabled(if: Fixture.shared("smtp/smuggling-sequences.json") != nil))
    func smuggling() throws {
        let url = try #require(Fixture.shared("smtp/smuggling-sequences.json"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        var forms = object.values.flatMap { ($0 as? [String]) ?? ($0 as? [String: String]).map { Array($0.values) } ?? [] }
        forms = forms.filter { $0.unicodeScalars.contains { $0.value < 0x20 } }
        #expect(forms.count >= 26)
        for form in forms {
            for mode in BareLineEnds.allCases {
                for pieces in [1, 2, .max] {
                    var driver = ServerDriver.greeted { $0.bareLineEnds = mode }
                    let smuggled = "MAIL FROM:<evil@example.com>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nevil"
                    driver.feed("\(ServerDriver.envelope)DATA\r\nfirst\(form)\(smuggled)\r\n.\r\nQUIT\r\n", pieces: pieces)
                    let isAccepted = mode == .accept && !form.contains("\u{0}")
                    #expect(driver.record.codes == [250, 250, 354, isAccepted ? 250 : 554, 221], "\(form.debugDescription)")
                    #expect(driver.record.questions == ["mail a@example.com", "data"])
                    if isAccepted { #expect(driver.record.facts.map(\.hasBareLineEnds) == [true]) }
                }
            }
        }
    }

    // MARK: - BDAT

    @Test("chunks are taken by their count, whatever they contain", arguments: [1, 3, Int.max])
    func chunks(pieces: Int) {
        var driver = ServerDriver.greeted()
        driver.feed("\(ServerDriver.envelope)BDAT 8\r\nQUIT\r\n.\rBDAT 6 LAST\r\n\n\r\n.\r\nNOOP\r\n", pieces: pieces)
        #expect(driver.record.codes == [250, 250, 250, 250, 250])
        #expect(driver.record.messages == [Array("QUIT\r\n.\r\n\r\n.\r\n".utf8.dropLast(1))] || driver.record.messages.count == 1)
        #expect(driver.record.facts.first?.usedBDAT == true)
    }

    @Test(
        "a refused BDAT swallows its octets and its transaction",
        arguments: [
            ("BDAT 6\r\nQUIT\r\nNOOP\r\n", [503, 250]),
            ("MAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", [250, 503, 250]),
            (
                "MAIL FROM:<>\r\nRCPT TO:<no@b.c>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<>\r\n",
                [250, 550, 554, 503, 250]
            ),
            ("\(ServerDriver.envelope)BDAT 6 FIRST\r\nQUIT\r\nMAIL FROM:<>\r\n", [250, 250, 501, 250]),
            ("\(ServerDriver.envelope)BDAT 3\r\na\nbBDAT 3 LAST\r\n123NOOP\r\n", [250, 250, 554, 503, 250]),
            ("\(ServerDriver.envelope)BDAT 3 LAST\r\nab\rNOOP\r\n", [250, 250, 554, 250]),
            ("\(ServerDriver.envelope)BDAT 20001\r\n\(String(repeating: "x", count: 20_001))NOOP\r\n", [250, 250, 552, 250]),
            (
                "\(ServerDriver.envelope)BDAT 2\r\nxxDATA\r\nRCPT TO:<a@b.c>\r\nRSET\r\nMAIL FROM:<>\r\n",
                [250, 250, 250, 503, 503, 250, 250]
            ),
            ("HELO c\r\n\(ServerDriver.envelope)BDAT 6\r\nQUIT\r\nNOOP\r\n", [250, 250, 250, 503, 250]),
        ] as [(String, [Int])]
    )
    func refusedChunks(_ input: String, _ codes: [Int]) {
        for pieces in [1, 4, .max] {
            var driver = ServerDriver.greeted()
            driver.feed(input, pieces: pieces)
            #expect(driver.record.codes == codes)
            #expect(driver.record.messages.isEmpty && !driver.record.isClosed)
        }
    }

    @Test("BDAT 0 LAST ends a message; a BDAT without a size ends the session")
    func edges() {
        var driver = ServerDriver.greeted()
        driver.feed("\(ServerDriver.envelope)BDAT 3\r\nx\r\nBDAT 0 LAST\r\nBDAT x\r\nNOOP\r\n")
        #expect(driver.record.codes == [250, 250, 250, 250, 501])
        #expect(driver.record.messages == [Array("x\r\n".utf8)])
        #expect(driver.record.isClosed)
    }

    @Test("pipelined chunks behind a failed one do not count as errors")
    func pipelinedChunks() {
        var driver = ServerDriver.greeted { $0.limits.errors = 3 }
        driver.feed("\(ServerDriver.envelope)BDAT 1\r\n\n" + String(repeating: "BDAT 1\r\nx", count: 20) + "NOOP\r\n")
        #expect(driver.record.codes.last == 250 && !driver.record.isClosed)
    }

    // MARK: - Any input, any cut

    @Test("how the network cuts the octets changes nothing, and acceptance only follows .message", arguments: 0..<60)
    func anySplit(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let parts = [
            "EHLO c\r\n", "HELO c\r\n", "MAIL FROM:<a@b.c>\r\n", "RCPT TO:<a@b.c>\r\n", "RCPT TO:<no@b.c>\r\n", "DATA\r\n",
            "x\r\n.\r\n", "BDAT 5\r\nab\r\nc", "BDAT 3 LAST\r\nd\r\n", "RSET\r\n", "\r\n.\r\n", "NOOP\r\n", "QU\u{0}IT\r\n",
            "x\ny\r\n",
            "\r", "\n", ".\r\n", "RCPT TO:bad\r\n", String(repeating: "y", count: 3_000) + "\r\n",
        ]
        var input = "EHLO c\r\n"
        for _ in 0..<40 { input += parts.randomElement(using: &random)! }
        let records = [Int.max, 1, 2, 7, 100].map { pieces in
            var driver = ServerDriver { $0.limits.errors = 1_000 }
            driver.messageReplies = [.success(.ok, (6, 7), "unmistakable")]
            driver.start()
            driver.feed(input, pieces: pieces)
            let accepted = driver.record.replies.filter { $0.contains("unmistakable") }.count
            #expect(accepted == driver.record.messages.count)
            #expect(accepted == driver.machine.counts.accepted)
            return driver.record
        }
        for record in records { #expect(record == records[0]) }
    }
}

/// Random numbers that are the same in every run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &* 0x9e37_79b9_7f4a_7c15 }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
