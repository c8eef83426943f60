import Logging
import Testing

@testable import Gateway

@Suite struct LineLogHandlerTests {
    /// 2026-11-23T09:20:00.007Z
    private static let time = 1_795_425_600_007

    private func line(_ format: LineLogHandler.Format, _ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
        let handler = LineLogHandler(format: format, level: .info, output: LogOutput(descriptor: -1))
        let event = LogEvent(
            level: .info,
            message: message,
            error: nil,
            metadata: metadata,
            source: "test",
            file: "",
            function: "",
            line: 0
        )
        return String(decoding: handler.line(event, milliseconds: Self.time), as: UTF8.self)
    }

    @Test("A text line has the time, the level, the message, known fields in their order, and others behind them by name")
    func textLine() {
        let line = self.line(
            .text,
            "transaction",
            ["zebra": "z", "score": .stringConvertible(-0.25), "id": "AB", "octets": .stringConvertible(612), "apple": "a"]
        )
        #expect(line == "2026-11-23T09:20:00.007Z info transaction id=AB octets=612 score=-0.3 apple=a zebra=z\n")
    }

    @Test(
        "A value that would not stay one word is quoted",
        arguments: [
            ("plain", "plain"), ("", "\"\""), ("two words", "\"two words\""), ("a=b", "\"a=b\""), ("a\"b", #""a\"b""#),
            ("a\\b", #""a\\b""#), ("a\r\nid=forged", #""a\r\nid=forged""#), ("\u{1b}[2J", #""\u001b[2J""#),
            ("é x", "\"é x\""), ("\u{9b} x", #""\u009b x""#), ("\u{7f}", #""\u007f""#), ("\u{0}", #""\u0000""#),
        ]
    )
    func quoting(value: String, shown: String) {
        #expect(self.line(.text, "m", ["error": .string(value)]).hasSuffix(" m error=\(shown)\n"))
    }

    @Test("A JSON line keeps numbers, lists and tables as such")
    func jsonLine() {
        let line = self.line(
            .json,
            "say \"hi\"",
            [
                "hits": ["A", "B"], "octets": .stringConvertible(612), "score": .stringConvertible(12.34),
                "error": ["b": "2", "a": "1"],
            ]
        )
        #expect(
            line == #"{"time":"2026-11-23T09:20:00.007Z","level":"info","message":"say \"hi\"","octets":612,"score":12.3,"#
                + #""hits":["A","B"],"error":{"a":"1","b":"2"}}"# + "\n"
        )
    }

    @Test("The handler's own metadata is shown, and an event's goes before it")
    func ownMetadata() {
        var handler = LineLogHandler(format: .text, level: .info, output: LogOutput(descriptor: -1))
        handler[metadataKey: "id"] = "handler"
        handler[metadataKey: "user"] = "outpost"
        let event = LogEvent(
            level: .warning,
            message: "m",
            error: nil,
            metadata: ["id": "event"],
            source: "",
            file: "",
            function: "",
            line: 0
        )
        let text = String(decoding: handler.line(event, milliseconds: Self.time), as: UTF8.self)
        #expect(text.hasSuffix(" warning m id=event user=outpost\n"))
    }
}
