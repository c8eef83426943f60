import ContentStorage
import NIOCore
import SMTPCore

/// A message on its way to a downstream server, piece by piece.
struct OutgoingContent {
    enum Step {
        case bytes(ByteBuffer, isLast: Bool)
        /// Read this off the event loop and `take` it.
        case read(MessageContent, count: Int, offset: Int)
    }

    /// Octets of a file that are read at once: few enough for memory with many slow downstreams, many enough for speed.
    static let pieceSize = 256 * 1024

    private var prefix: [UInt8]
    private let content: MessageContent
    /// Parts of the content that are left out, in order.
    private var omitted: ArraySlice<Range<Int>>
    private var offset = 0
    private var encoder = ContentEncoder()
    private var piece: [UInt8]?
    private(set) var isReading = false

    init(prefix: [UInt8], content: MessageContent, omitting omitted: [Range<Int>] = []) {
        self.prefix = prefix
        self.content = content
        self.omitted = omitted.sorted { $0.lowerBound < $1.lowerBound }[...]
    }

    mutating func take(_ bytes: [UInt8]) {
        self.piece = bytes
        self.isReading = false
    }

    mutating func next(allocator: ByteBufferAllocator) -> Step {
        switch self.content {
        case .memory(let bytes):
            return self.encode(bytes, allocator: allocator)
        case .file(_, let octets):
            if let piece = self.piece {
                self.piece = nil
                return self.encode(piece, allocator: allocator)
            }
            guard self.offset < octets else { return self.encode([], allocator: allocator) }
            self.isReading = true
            return .read(self.content, count: min(Self.pieceSize, octets - self.offset), offset: self.offset)
        }
    }

    private mutating func encode(_ bytes: [UInt8], allocator: ByteBufferAllocator) -> Step {
        // Room for some stuffed dots and the end mark, so that the buffer rarely has to grow.
        var output = allocator.buffer(capacity: self.prefix.count + bytes.count + bytes.count / 64 + 64)
        self.encoder.encode(self.prefix, into: &output)
        self.prefix = []
        if self.omitted.isEmpty {
            self.encoder.encode(bytes, into: &output)
        } else {
            self.encodeRest(of: bytes, into: &output)
        }
        self.offset += bytes.count
        let isLast = self.offset >= self.content.octets
        if isLast { self.encoder.finish(into: &output) }
        return .bytes(output, isLast: isLast)
    }

    /// A piece of the content without what is omitted of it.
    private mutating func encodeRest(of bytes: [UInt8], into output: inout ByteBuffer) {
        let end = self.offset + bytes.count
        var position = self.offset
        while let next = self.omitted.first, next.lowerBound < end {
            if next.lowerBound > position {
                self.encoder.encode(Array(bytes[(position - self.offset)..<(next.lowerBound - self.offset)]), into: &output)
            }
            position = max(position, min(next.upperBound, end))
            guard next.upperBound <= end else { break }
            self.omitted.removeFirst()
        }
        if position < end { self.encoder.encode(Array(bytes[(position - self.offset)...]), into: &output) }
    }
}
