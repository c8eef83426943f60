import MailTypes
import Testing

@testable import MailStore
@testable import QuarantineReview

@Suite("The reviewer's model")
struct ReviewModelTests {
    private static func model(_ count: Int, rows: Int = 24, columns: Int = 80) -> ReviewModel {
        var model = ReviewModel(rows: rows, columns: columns)
        _ = model.handle(.loaded((0..<count).map { Sample.summary($0, subject: "Subject \($0)") }, total: count))
        return model
    }

    private static func text(_ model: ReviewModel) -> [String] { model.screen.map { $0.map(\.text).joined() } }

    @Test("it starts by loading what waits, then previews the first message")
    func start() {
        var model = ReviewModel(rows: 24, columns: 80)
        #expect(model.firstActions == [.load(.waiting)])
        #expect(model.handle(.loaded([Sample.summary(1), Sample.summary(2)], total: 7)) == [.preview(Sample.id(1))])
        #expect(Self.text(model)[0].contains("1 of 7"))
    }

    @Test(
        "every screen has the terminal's rows, each exactly as wide",
        arguments: [(24, 80), (30, 100), (8, 40), (5, 20), (1, 1), (60, 250)]
    )
    func size(rows: Int, columns: Int) {
        var model = Self.model(50)
        _ = model.handle(
            .previewed(
                Sample.id(0),
                (0..<90).map { ReportLine(.plain, "漢字 line \($0) " + String(repeating: "x", count: $0 * 3)) }
            )
        )
        _ = model.handle(.resized(rows: rows, columns: columns))
        let keys: [Key] = [
            .down, .end, .enter, .pageDown, .escape, .character("?"), .escape, .character("f"), .character("漢"), .escape,
            .character("d"),
        ]
        for key in keys {
            #expect(model.screen.count == rows)
            #expect(model.screen.allSatisfy { $0.reduce(0) { $0 + $1.text.columns } == columns }, "before \(key)")
            _ = model.handle(.key(key))
        }
    }

    @Test(
        "keys move the selection and stay inside the list",
        arguments: [
            ([.down], 1), ([.character("j"), .character("j"), .character("k")], 1), ([.up], 0), ([.end], 49),
            ([.character("G"), .down], 49),
            ([.end, .home], 0), ([.pageDown], 7), ([.pageDown, .pageUp], 0),
        ] as [([Key], Int)]
    )
    func moving(keys: [Key], expected: Int) {
        var model = Self.model(50)
        for key in keys { _ = model.handle(.key(key)) }
        #expect(model.selected == expected)
        // The selected line is always in sight.
        #expect(Self.text(model).contains { $0.contains("Subject \(expected) ") })
    }

    @Test("a new selection asks for its text; a late answer for another message is not shown")
    func preview() {
        var model = Self.model(3)
        #expect(model.handle(.key(.down)) == [.preview(Sample.id(1))])
        _ = model.handle(.previewed(Sample.id(0), [ReportLine(.plain, "late")]))
        #expect(!Self.text(model).contains { $0.contains("late") })
        _ = model.handle(.previewed(Sample.id(1), [ReportLine(.plain, "in time")]))
        #expect(Self.text(model).contains { $0.contains("in time") })
    }

    @Test("Enter reads: the same keys scroll the text, and Enter goes back")
    func reading() {
        var model = Self.model(3)
        _ = model.handle(.previewed(Sample.id(0), (0..<100).map { ReportLine(.plain, "line \($0).") }))
        _ = model.handle(.key(.enter))
        for _ in 0..<5 { _ = model.handle(.key(.down)) }
        #expect(model.selected == 0)
        #expect(!Self.text(model).contains { $0.contains(" line 4.") } && Self.text(model).contains { $0.contains(" line 5.") })
        _ = model.handle(.key(.end))
        #expect(Self.text(model).contains { $0.contains("line 99.") })
        _ = model.handle(.key(.enter))
        _ = model.handle(.key(.down))
        #expect(model.selected == 1)
    }

    @Test("release acts at once on one message, and not twice while it runs")
    func release() {
        var model = Self.model(3)
        #expect(model.handle(.key(.character("r"))) == [.release([Sample.id(0)])])
        #expect(model.handle(.key(.character("r"))) == [])
        #expect(model.handle(.done(Sample.id(0), "delivered: 250 \u{1b}[2Jok")) == [.load(.waiting)])
        #expect(Self.text(model)[22].contains("delivered: 250 ␛[2Jok"))
        #expect(model.handle(.key(.character("r"))) == [.release([Sample.id(0)])])
    }

    @Test(
        "deleting asks first; anything but y is a no",
        arguments: [(Key.character("y"), true), (.character("n"), false), (.enter, false), (.escape, false)]
    )
    func delete(answer: Key, isDone: Bool) {
        var model = Self.model(3)
        #expect(model.handle(.key(.character("d"))) == [])
        #expect(Self.text(model)[22].contains("Delete this message for good? y/n"))
        #expect(model.handle(.key(answer)) == (isDone ? [.delete([Sample.id(0)])] : []))
        #expect(model.mode == .list)
    }

    @Test("actions apply to the marked messages, in the order of the list, after a question")
    func marks() {
        var model = Self.model(5)
        for key in [Key.end, .character("m"), .home, .down, .character("m")] { _ = model.handle(.key(key)) }
        #expect(Self.text(model)[0].contains("2 marked"))
        #expect(model.handle(.key(.character("r"))) == [])
        #expect(model.handle(.key(.character("y"))) == [.release([Sample.id(1), Sample.id(4)])])
        _ = model.handle(.done(Sample.id(1), "delivered"))
        _ = model.handle(.failed(Sample.id(4), "451 later"))
        #expect(model.marked.isEmpty && model.busy.isEmpty)
        #expect(model.statusIsFailure)
    }

    @Test("m twice unmarks, Escape unmarks all")
    func unmark() {
        var model = Self.model(5)
        for key in [Key.character("m"), .up, .character("m")] { _ = model.handle(.key(key)) }
        #expect(model.marked.isEmpty)
        for key in [Key.character("m"), .character("m"), .escape] { _ = model.handle(.key(key)) }
        #expect(model.marked.isEmpty)
    }

    @Test("after a reload the selection stays with its message, or with its place")
    func reload() {
        var model = Self.model(5)
        _ = model.handle(.key(.down))
        _ = model.handle(.loaded([0, 9, 1, 2].map { Sample.summary($0) }, total: 4))
        #expect(model.current?.id == Sample.id(1))
        #expect(model.handle(.loaded([Sample.summary(0), Sample.summary(9)], total: 2)) == [.preview(Sample.id(9))])
        #expect(model.handle(.loaded([], total: 0)) == [])
        #expect(model.handle(.key(.character("r"))) == [] && model.handle(.key(.character("d"))) == [])
    }

    @Test(
        "the filter line becomes a filter",
        arguments: [
            ("", .waiting),
            ("big invoice", QuarantineFilter(kind: .held, states: [.waiting, .releasing], text: "big invoice")),
            ("from:a@b to:c rule:X* sig:Y is:all", QuarantineFilter(from: "a@b", to: "c", rule: "X*", signature: "Y")),
            ("is:rejected re:hello", QuarantineFilter(kind: .rejectedCopy, states: [.waiting], text: "re:hello")),
        ] as [(String, QuarantineFilter)]
    )
    func filter(text: String, expected: QuarantineFilter) {
        var model = Self.model(5)
        _ = model.handle(.key(.character("/")))
        for scalar in text.unicodeScalars { _ = model.handle(.key(.character(scalar))) }
        #expect(model.handle(.key(.enter)) == [.load(expected)])
    }

    @Test("a filter that means nothing is told and can be mended")
    func wrongFilter() {
        var model = Self.model(5)
        for key in [Key.character("f")] + "is:x".unicodeScalars.map(Key.character) { _ = model.handle(.key(key)) }
        #expect(model.handle(.key(.enter)) == [])
        #expect(model.mode == .filter("is:x"))
        for key in [Key.backspace, .character("a"), .character("l"), .character("l")] { _ = model.handle(.key(key)) }
        #expect(model.handle(.key(.enter)) == [.load(QuarantineFilter())])
    }

    @Test("q in the list, Ctrl-C and a lost terminal end it; q while typing is a letter")
    func quit() {
        var model = Self.model(5)
        #expect(model.handle(.key(.character("q"))) == [.quit])
        #expect(model.handle(.closed) == [.quit])
        _ = model.handle(.key(.character("f")))
        #expect(model.handle(.key(.character("q"))) == [])
        #expect(model.handle(.key(.control("c"))) == [.quit])
    }

    @Test("a note is typed over the old one and written")
    func note() {
        var model = Self.model(1)
        for key in [Key.character("n"), .character("o"), .character("k")] { _ = model.handle(.key(key)) }
        #expect(model.handle(.key(.enter)) == [.note(Sample.id(0), "ok")])
    }
}

@Suite("Keys of a terminal")
struct KeyDecoderTests {
    private static let table: [(String, [Key])] = [
        ("j", [.character("j")]), ("\r", [.enter]), ("\u{1b}[A\u{1b}OB", [.up, .down]),
        ("\u{1b}[5~\u{1b}[6~", [.pageUp, .pageDown]),
        ("\u{3}", [.control("c")]), ("\u{7f}", [.backspace]), ("ü漢😀", [.character("ü"), .character("漢"), .character("😀")]),
        ("\u{1b}[200~x", [.character("x")]), ("\u{1b}[1;5Aj", [.character("j")]), ("\u{1b}[H\u{1b}[4~", [.home, .end]),
    ]

    @Test("sequences become keys, whole or octet by octet", arguments: Self.table)
    func decode(text: String, expected: [Key]) {
        var whole = KeyDecoder()
        #expect(whole.decode(Array(text.utf8)) == expected)
        var split = KeyDecoder()
        #expect(text.utf8.flatMap { split.decode([$0]) } == expected)
        #expect(!split.isWaiting)
    }

    @Test("an Escape alone is a key once nothing follows it")
    func escape() {
        var decoder = KeyDecoder()
        #expect(decoder.decode([0x1b]) == [])
        #expect(decoder.isWaiting)
        #expect(decoder.flush() == [.escape])
        #expect(!decoder.isWaiting)
    }

    @Test("any octets at all leave no sequence that never ends")
    func anything() {
        var state: UInt32 = 7
        var decoder = KeyDecoder()
        for _ in 0..<100_000 {
            state = state &* 1_664_525 &+ 1_013_904_223
            _ = decoder.decode([UInt8(truncatingIfNeeded: state >> 24)])
        }
        _ = decoder.flush()
        #expect(!decoder.isWaiting)
    }
}
