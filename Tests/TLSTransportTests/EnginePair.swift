import NIOCore
import OpenSSLKit
import OutpostTestKit

/// Two engines and the octets between them.
struct EnginePair {
    let client: TLSEngine
    let server: TLSEngine
    /// How many octets pass at once.
    var piece = Int.max

    /// Shakes hands; false when one end failed. Ends when neither has anything more to say.
    func shakeHands() -> (client: TLSEngine.Handshake, server: TLSEngine.Handshake) {
        var client = self.client.handshake()
        var server = TLSEngine.Handshake.incomplete
        var moved = true
        while moved {
            moved = false
            if case .incomplete = server {
                moved = self.move(from: self.client, to: self.server) { server = self.server.handshake() } || moved
            }
            if case .incomplete = client {
                moved = self.move(from: self.server, to: self.client) { client = self.client.handshake() } || moved
            }
        }
        return (client, server)
    }

    /// Moves all output of one end to the other.
    @discardableResult
    func move(from sender: TLSEngine, to receiver: TLSEngine, after step: () -> Void = {}) -> Bool {
        var output = sender.output()
        guard output.readableBytes > 0 else { return false }
        while let bytes = output.readSlice(length: min(self.piece, output.readableBytes)), bytes.readableBytes > 0 {
            receiver.receive(bytes.readableBytesSpan)
            step()
        }
        return true
    }
}

extension TLSEngine {
    func output() -> ByteBuffer {
        let count = self.pendingOutput
        var buffer = ByteBuffer()
        guard count > 0 else { return buffer }
        buffer.writeWithOutputRawSpan(minimumWritableBytes: count) { self.takeOutput(into: &$0) }
        return buffer
    }

    /// All plaintext there is, and how it ended.
    func plaintext(room: Int = 16 * 1024) -> (ByteBuffer, TLSEngine.Read) {
        var all = ByteBuffer()
        var result = TLSEngine.Read.complete(0)
        while case .complete = result {
            var piece = ByteBuffer()
            piece.reserveCapacity(room)
            piece.writeWithOutputRawSpan(minimumWritableBytes: room) { result = self.unwrap(into: &$0) }
            all.writeBuffer(&piece)
        }
        return (all, result)
    }
}

extension TestCertificates {
    func server(_ names: [String] = ["mx.example.org"], key: Key = .p256, isExpired: Bool = false) throws -> TLSServerContext {
        try TLSServerContext(certificates: [CertificateFiles(try self.make(names, key: key, isExpired: isExpired))])
    }
}

extension CertificateFiles {
    init(_ files: TestCertificates.Files) {
        self.init(certificate: files.certificate, privateKey: files.privateKey)
    }
}
