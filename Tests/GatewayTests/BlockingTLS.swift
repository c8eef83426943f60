import Dispatch
import NIOCore
import OpenSSLKit
import OutpostTestKit
import Synchronization

/// A client's side of TLS over a blocking connection.
final class BlockingTLS: ConversationChannel {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let plain: any ConversationChannel
    private let engine: Mutex<TLSEngine>

    private init(_ engine: sending TLSEngine, over plain: any ConversationChannel) {
        self.plain = plain
        self.engine = Mutex(engine)
    }

    /// Shakes hands; whoever the server says it is.
    static func start(over plain: any ConversationChannel) throws -> any ConversationChannel {
        let engine = try TLSClientContext(authorities: nil, verifies: false).makeEngine(serverName: "mx.example.com")
        while true {
            let step = engine.handshake()
            plain.send(Self.output(of: engine))
            switch step {
            case .complete: return BlockingTLS(engine, over: plain)
            case .failed(let error): throw Failure(description: "\(error)")
            case .incomplete:
                let bytes = try plain.receive(until: .now() + .seconds(10))
                guard !bytes.isEmpty else { throw Failure(description: "closed in the handshake") }
                engine.receive(bytes.span.bytes)
            }
        }
    }

    private static func output(of engine: TLSEngine) -> [UInt8] {
        var buffer = ByteBuffer()
        let count = engine.pendingOutput
        guard count > 0 else { return [] }
        buffer.writeWithOutputRawSpan(minimumWritableBytes: count) { engine.takeOutput(into: &$0) }
        return Array(buffer: buffer)
    }

    func send(_ bytes: [UInt8]) {
        let output = self.engine.withLock { engine -> [UInt8] in
            _ = engine.wrap(bytes.span.bytes)
            return Self.output(of: engine)
        }
        self.plain.send(output)
    }

    func receive(until deadline: DispatchTime) throws -> [UInt8] {
        while true {
            let (text, read) = self.engine.withLock { engine -> ([UInt8], TLSEngine.Read) in
                var buffer = ByteBuffer()
                var read = TLSEngine.Read.incomplete
                buffer.writeWithOutputRawSpan(minimumWritableBytes: TLSEngine.maximumRecord) { read = engine.unwrap(into: &$0) }
                return (Array(buffer: buffer), read)
            }
            switch read {
            case .complete: return text
            case .closed, .failed: return []
            case .incomplete:
                let bytes = try self.plain.receive(until: deadline)
                guard !bytes.isEmpty else { return [] }
                self.engine.withLock { $0.receive(bytes.span.bytes) }
            }
        }
    }

    func closeOutput() { self.plain.closeOutput() }

    func close() { self.plain.close() }
}
