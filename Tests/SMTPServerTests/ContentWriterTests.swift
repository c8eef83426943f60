import ContentStorage
import OutpostTestKit
import Testing

@Suite("Content storage")
struct ContentWriterTests {
    @Test(
        "what is written comes back, from memory or from a file",
        arguments: [(0, 100), (100, 100), (101, 100), (70_000, 100), (300_000, 100_000), (300_000, 1_000_000)],
        [1_000, 65_536, 1_000_000]
    )
    func roundTrip(_ sizes: (octets: Int, threshold: Int), piece: Int) throws {
        let directory = try TemporaryDirectory()
        var writer = ContentWriter(directory: directory.path, threshold: sizes.threshold)
        let bytes = (0..<sizes.octets).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        for start in stride(from: 0, to: bytes.count, by: piece) {
            try writer.append(bytes[start..<min(start + piece, bytes.count)])
            #expect(writer.octets == min(start + piece, bytes.count))
        }
        let content = try writer.finish()
        #expect(content.octets == bytes.count)
        #expect(try content.bytes() == bytes)
        #expect(try content.read(count: 10, at: max(0, bytes.count - 5)) == Array(bytes.suffix(5)))
        #expect(try content.read(count: 10, at: bytes.count + 1).isEmpty)
        if case .file = content { #expect(sizes.octets > sizes.threshold) } else { #expect(sizes.octets <= sizes.threshold) }
    }

    @Test("a directory that is not there is an error, not a crash")
    func failure() {
        var writer = ContentWriter(directory: "/nonexistent/outpost", threshold: 1)
        #expect(throws: (any Error).self) { try writer.append([1, 2, 3]) }
    }
}
