/// Short ways to write octets in tests.
func octets(_ text: String) -> [UInt8] { [UInt8](text.utf8) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// The text with each line feed as CRLF.
func crlf(_ text: String) -> [UInt8] {
    text.utf8.flatMap { $0 == 0x0a ? [0x0d, 0x0a] : [$0] }
}
