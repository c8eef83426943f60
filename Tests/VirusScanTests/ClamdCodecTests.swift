import Testing

@testable import VirusScan

@Suite("clamd's protocol as octets")
struct ClamdCodecTests {
    @Test(
        "a command is its name with z before it and a zero octet behind",
        arguments: [
            (ClamdCommand.ping, "zPING\0"), (.version, "zVERSION\0"), (.beginSession, "zIDSESSION\0"), (.endSession, "zEND\0"),
            (.scanStream, "zINSTREAM\0"), (.scanDescriptor, "zFILDES\0"),
        ]
    )
    func commands(command: ClamdCommand, text: String) {
        #expect(command.octets == Array(text.utf8))
    }

    @Test("a chunk's length is four octets, highest first", arguments: [(1, [0, 0, 0, 1]), (0x0102_0304, [1, 2, 3, 4])])
    func chunkLength(count: Int, octets: [UInt8]) {
        #expect(ClamdCodec.chunkLength(count) == octets)
    }

    @Test(
        "a reply has one meaning",
        arguments: [
            ("stream: OK", ClamdReply.clean),
            ("fd[10]: OK", .clean),
            ("stream: Eicar-Test-Signature FOUND", .found(["Eicar-Test-Signature"])),
            ("stream: A.UNOFFICIAL Heuristics.Encrypted.Zip FOUND", .found(["A.UNOFFICIAL", "Heuristics.Encrypted.Zip"])),
            ("stream: Win.Test(44d88612fea8a8f36de82e1278abb02f:68) FOUND", .found(["Win.Test"])),
            ("/tmp/a b: Worm.X FOUND", .found(["Worm.X"])),
            ("INSTREAM size limit exceeded. ERROR", .failed("INSTREAM size limit exceeded.")),
            ("stream: Time limit reached ERROR", .failed("Time limit reached")),
            ("fd[7]: Can't allocate memory ERROR", .failed("Can't allocate memory")),
            ("ERROR", .failed("unknown error")),
            (" FOUND", .failed(" FOUND")),
            ("PONG", .text("PONG")),
            ("ClamAV 1.4.6/27450/Mon Jan  1 00:00:00 2026", .text("ClamAV 1.4.6/27450/Mon Jan  1 00:00:00 2026")),
            ("UNKNOWN COMMAND", .text("UNKNOWN COMMAND")),
            ("NOT OK", .text("NOT OK")),
        ]
    )
    func replies(text: String, reply: ClamdReply) {
        #expect(ClamdCodec.reply(text) == reply)
    }

    @Test("replies are the same however the octets are cut", arguments: 1...40)
    func pieces(size: Int) throws {
        let octets = Array("1: stream: OK\u{0}2: stream: Eicar FOUND\u{0}3: PONG\u{0}".utf8)
        var decoder = ClamdReplyDecoder()
        var found: [(Int, ClamdReply)] = []
        for start in stride(from: 0, to: octets.count, by: size) {
            decoder.append(Array(octets[start..<min(start + size, octets.count)]))
            while let next = try decoder.next(isSession: true) { found.append((next.number, next.reply)) }
        }
        #expect(found.map { $0.0 } == [1, 2, 3])
        #expect(found.map { $0.1 } == [.clean, .found(["Eicar"]), .text("PONG")])
    }

    @Test("a complaint has no number; other replies need one")
    func numbers() throws {
        var decoder = ClamdReplyDecoder()
        decoder.append(Array("INSTREAM size limit exceeded. ERROR\n".utf8))
        let complaint = try decoder.next(isSession: true)
        #expect(complaint?.number == 0)
        #expect(complaint?.reply == .failed("INSTREAM size limit exceeded."))
        decoder.append(Array("stream: OK\0".utf8))
        #expect(throws: ClamdProtocolError.outOfStep("stream: OK")) { try decoder.next(isSession: true) }
    }

    @Test("endless and empty replies are refused")
    func limits() throws {
        var decoder = ClamdReplyDecoder()
        decoder.append([UInt8](repeating: 0x41, count: ClamdReplyDecoder.maximumLength + 1))
        #expect(throws: ClamdProtocolError.replyTooLong) { try decoder.next(isSession: false) }
        var empty = ClamdReplyDecoder()
        empty.append([0])
        #expect(throws: ClamdProtocolError.emptyReply) { try empty.next(isSession: false) }
    }

    @Test(
        "where an engine listens",
        arguments: [
            ("unix:/run/clamav/clamd.ctl", ClamdEndpoint.unix("/run/clamav/clamd.ctl")),
            ("127.0.0.1:3310", .network(host: "127.0.0.1", port: 3_310)),
            ("clamd.internal:3310", .network(host: "clamd.internal", port: 3_310)),
            ("[2001:db8::1]:3310", .network(host: "2001:db8::1", port: 3_310)),
        ]
    )
    func endpoints(text: String, endpoint: ClamdEndpoint) {
        #expect(ClamdEndpoint(text) == endpoint)
        #expect(endpoint.description == text)
    }

    @Test(
        "what is no place is refused",
        arguments: ["", "unix:", "unix:relative", "host", "host:", "host:0", "host:99999", "2001:db8::1:33", ":3310"]
    )
    func wrongEndpoints(text: String) {
        #expect(ClamdEndpoint(text) == nil)
    }
}
