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
    private var offset = 0
    private var encoder = ContentEncoder()
    private var piece: [UInt8]?
    private(set) var isReading = false

    init(prefix: [UInt8], content: MessageContent) {
        self.prefix = prefix
        self.content = content
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
        self.encoder.encode(bytes, into: &output)
        self.offset += bytes.count
        let isLast = self.offset >= self.content.octets
        if isLast { self.encoder.finish(into: &output) }
        return .bytes(output, isLast: isLast)
    }
}
