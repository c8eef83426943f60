import SystemKit

/// Takes a message's octets as they arrive: into memory up to a threshold, beyond it into an unlinked file.
///
/// `append` beyond the threshold writes to the file and may block for the time of a copy into the page cache.
package struct ContentWriter {
    /// 256 KiB: most mail is smaller and never touches the disk; a thousand sessions stay below 256 MiB.
    package static let defaultThreshold = 256 * 1024

    /// Octets collected before they are written: large enough that a write costs little beside its copy.
    private static let writeSize = 64 * 1024

    private let directory: String
    private let threshold: Int
    private var buffer: [UInt8] = []
    private var file: File?
    private var written = 0

    /// - Parameter directory: where the file is made when there is need of one; nothing in it is ever visible.
    package init(directory: String, threshold: Int = ContentWriter.defaultThreshold) {
        self.directory = directory
        self.threshold = threshold
    }

    package var octets: Int { self.written + self.buffer.count }

    package mutating func append(_ bytes: some Sequence<UInt8>) throws(SystemError) {
        self.buffer.append(contentsOf: bytes)
        if self.file != nil ? self.buffer.count >= Self.writeSize : self.buffer.count > self.threshold {
            try self.flush()
        }
    }

    package mutating func finish() throws(SystemError) -> MessageContent {
        guard self.file != nil else { return .memory(self.buffer) }
        try self.flush()
        return .file(self.file!, octets: self.written)
    }

    private mutating func flush() throws(SystemError) {
        if self.file == nil {
            self.file = try File(unlinkedIn: self.directory)
        }
        try self.file!.write(self.buffer, at: self.written)
        self.written += self.buffer.count
        self.buffer.removeAll(keepingCapacity: self.buffer.capacity <= 2 * Self.writeSize)
    }
}
