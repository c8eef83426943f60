import DeflateKit

/// Zip files made by hand (PKWARE APPNOTE 6.3), so that they can say what is not so.
enum ZipSample {
    /// - Parameter says: the size that the directory and the local headers tell of each member; nil: the true one.
    static func archive(_ members: [(name: String, content: [UInt8])], says: Int? = nil) -> [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for (name, content) in members {
            guard let gzip = Deflation.gzip(content) else { preconditionFailure("zlib has no memory") }
            // Between the header (RFC 1952 §2.3, without a name) and checksum and length.
            let packed = gzip.dropFirst(10).dropLast(8)
            let checksum = Array(gzip.suffix(8).prefix(4))
            // Version 2.0, no flags, deflated, the earliest date.
            let facts =
                [20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0] + checksum + self.number(packed.count, 4)
                + self.number(says ?? content.count, 4) + self.number(name.utf8.count, 2) + [0, 0]
            let offset = file.count
            file += [0x50, 0x4b, 3, 4] + facts + Array(name.utf8) + packed
            directory += [0x50, 0x4b, 1, 2, 20, 0] + facts + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + self.number(offset, 4)
            directory += Array(name.utf8)
        }
        let count = self.number(members.count, 2)
        return file + directory + [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + count + count
            + self.number(directory.count, 4) + self.number(file.count, 4) + [0, 0]
    }

    private static func number(_ value: Int, _ octets: Int) -> [UInt8] {
        (0..<octets).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
