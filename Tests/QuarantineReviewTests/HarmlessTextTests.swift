import Testing

@testable import MailStore
@testable import QuarantineReview

@Suite("Text from strangers on a terminal")
struct HarmlessTextTests {
    @Test(
        "what a terminal would obey is shown instead",
        arguments: [
            ("plain text", "plain text"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "␛[2J␛]0;title␇"),
            ("a\u{9b}31mb", "a<U+9B>31mb"),
            ("a\u{0}b\u{7f}", "a␀b␡"),
            ("gpj.\u{202e}exe", "gpj.<U+202E>exe"),
            ("a\tb\r\nc", "a b  c"),
            ("zero\u{200b}width\u{feff}\u{ad}", "zerowidth"),
            ("tag\u{e0041}ged \u{e000}", "tagged "),
            ("Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}", "Z\u{300}\u{301}\u{302}\u{303}"),
            ("Grüße 漢字 😀", "Grüße 漢字 😀"),
            ("line\u{2028}separator", "line<U+2028>separator"),
        ]
    )
    func neutralised(text: String, expected: String) {
        #expect(Array(HarmlessText.line(text).unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test("no control and no unseen character of the first planes comes through, alone or between letters")
    func exhaustive() {
        for value in UInt32(0)...0x1_ffff {
            guard let scalar = Unicode.Scalar(value) else { continue }
            for result in HarmlessText.line("a\(scalar)b").unicodeScalars where result != " " {
                switch result.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                    Issue.record("U+\(String(value, radix: 16)) leaves U+\(String(result.value, radix: 16))")
                default: break
                }
            }
        }
    }

    @Test("lines end at line ends of every kind, and tabs go to their stops")
    func lines() {
        #expect(HarmlessText.lines("a\r\nb\nc\rd\te\u{1b}c\n") == ["a", "b", "c", "d       e␛c"])
        #expect(HarmlessText.lines("a\n\nb") == ["a", "", "b"])
    }

    @Test(
        "a cut text takes exactly its columns",
        arguments: ["", "short", "exactly ten", "漢字漢字漢字漢字", "a漢字漢字漢字", "e\u{301}e\u{301}", "😀😀😀😀😀😀"]
    )
    func fitted(text: String) {
        for width in 1...12 {
            #expect(text.fitted(to: width).columns == width)
            #expect(text.fitted(to: width, alignedRight: true).columns == width)
        }
    }

    @Test("wrapped lines are never too wide and lose nothing but the spaces at which they break")
    func wrapped() {
        let text = "The quick brown fox 漢字漢字 jumps overtheverylonglazydoghere and 😀 more"
        for width in 2...40 {
            let lines = text.wrapped(to: width)
            #expect(lines.allSatisfy { $0.columns <= width }, "\(width)")
            #expect(lines.joined().filter { $0 != " " } == text.filter { $0 != " " }, "\(width)")
        }
    }

    @Test(
        "scores are short and never wrong",
        arguments: [(8.5, "8.5"), (-0.04, "0.0"), (-1.25, "-1.3"), (1e300, "1e+300"), (.infinity, "inf")]
    )
    func scores(value: Double, expected: String) {
        #expect(MessageReport.score(value) == expected)
    }

    @Test("a table is as wide as the terminal, whatever stands in it", arguments: [60, 80, 100, 200])
    func table(width: Int) {
        let table = SummaryTable(width: width)
        let hostile = "漢字\u{1b}[31m\u{202e}" + String(repeating: "long ", count: 50)
        #expect(table.heading.columns == width)
        #expect(table.line(Sample.summary(1, subject: hostile)).columns == width)
        #expect(!table.line(Sample.summary(1, subject: hostile)).contains("\u{1b}"))
    }

    @Test("a report of a hostile message holds no control character")
    func report() {
        var record = Sample.record(1, subject: "\u{1b}]0;owned\u{7}")
        record.headerFrom = "\u{9b}2J"
        record.reason = "\u{1b}c"
        record.route = "a\u{8}b"
        var entry = QuarantineEntry(
            record: record,
            state: .waiting,
            note: "\u{1b}[0m",
            released: nil,
            releasedBy: nil,
            mayHaveBeenDelivered: true
        )
        entry.releasedBy = "\u{1b}"
        let message = Sample.message("x", "text \u{1b}[2J \u{202e}evil")
        let lines = MessageReport.facts(entry) + MessageReport.reasons(record) + MessageReport.text(message)
        for line in lines {
            #expect(!line.text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }), "\(line.text)")
        }
        #expect(lines.contains { $0.style == .warning && $0.text.contains("may have been delivered") })
        #expect(lines.contains { $0.text.contains("BIG_WIN  Promises a lot  (Rules/10.cf:12)") })
        #expect(lines.contains { $0.text.contains("body of part 1: \"you␛[2Jwon\"") })
    }
}
