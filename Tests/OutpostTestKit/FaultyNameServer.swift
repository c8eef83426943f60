import Foundation
import Glibc
import Synchronization

/// A DNS server on loopback, UDP and TCP, that does for each name what a test wants: mostly something that a server should not.
public final class FaultyNameServer: Sendable {
    /// What a question for a name is answered with.
    public enum Behaviour: Sendable {
        /// TXT records, each a list of strings; a record of no strings is one that the standard forbids.
        case text([[String]])
        /// Records of the type that is asked for, one unlike the other, as many as there is room for in a message of 65,535 octets,
        /// which is filled to the last octet; over TCP. For A, PTR, MX and TXT.
        case full
        /// The answer section as it stands on the wire, made for the place in the message where it begins, with the number of records
        /// that the header says it has.
        case section(count: UInt16, @Sendable (_ start: Int) -> [UInt8])
        case address(UInt32)
        /// Records of any types, their data as on the wire; those of the type that is asked for are the answer.
        case records([Record])
        case alias(String)
        case noName
        /// Nothing at all.
        case silence
        case failure(UInt8)
        /// Over UDP it says that the answer is too long (TC); over TCP comes the other, or, for nil, nothing and the connection's end.
        indirect case truncated(Behaviour?)
        case wrongID
        /// Octets that are no DNS message.
        case garbage
        /// A header that promises more than the message has.
        case cutOff
        /// The other after so many seconds.
        indirect case slow(Double, Behaviour)
        /// For some types of records (RFC 1035 §3.2.2) another than for the rest.
        indirect case byType([UInt16: Behaviour], otherwise: Behaviour)
    }

    public struct Record: Sendable {
        public var type: UInt16
        public var data: [UInt8]

        public init(type: UInt16, data: [UInt8]) {
            self.type = type
            self.data = data
        }
    }

    /// Names and how often they were asked for; the threads keep it.
    private final class Zone: Sendable {
        private let behaviours: [String: Behaviour]
        private let questions = Mutex<[String: Int]>([:])

        init(_ behaviours: [String: Behaviour]) {
            self.behaviours = behaviours
        }

        func count(_ name: String) -> Int { self.questions.withLock { $0[name] ?? 0 } }

        func behaviour(of name: String) -> Behaviour {
            self.questions.withLock { $0[name, default: 0] += 1 }
            return self.behaviours[name] ?? .noName
        }
    }

    public let port: Int
    private let udp: Int32
    private let tcp: Int32
    private let zone: Zone

    /// - Parameter zone: by name in lower case, without a dot at the end. Names that are not there do not exist.
    public init(_ zone: [String: Behaviour]) throws {
        (self.tcp, self.port) = try LoopbackSocket.listening()
        let udp = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard udp >= 0, LoopbackSocket.withAddress(port: self.port, family: .v4, { bind(udp, $0, $1) }) == 0 else {
            close(self.tcp)
            if udp >= 0 { close(udp) }
            throw LoopbackSocket.Closed()
        }
        self.udp = udp
        let zone = Zone(zone)
        self.zone = zone
        Thread { Self.serveDatagrams(udp, zone) }.start()
        Thread { [tcp] in Self.serveStreams(tcp, zone) }.start()
    }

    deinit {
        shutdown(self.tcp, Int32(SHUT_RDWR))
        shutdown(self.udp, Int32(SHUT_RDWR))
        close(self.tcp)
        close(self.udp)
    }

    /// How often a name was asked for, over UDP and TCP.
    public func questions(for name: String) -> Int { self.zone.count(name) }

    // MARK: - Transports

    private static func serveDatagrams(_ socket: Int32, _ zone: Zone) {
        while true {
            var buffer = [UInt8](repeating: 0, count: 4_096)
            var peer = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(socket, &buffer, buffer.count, 0, $0, &size)
                }
            }
            guard count > 0 else { return }
            guard let query = DNSQuery(Array(buffer[..<count])) else { continue }
            let address = peer
            self.answer(query, zone.behaviour(of: query.name), isStream: false) { octets in
                var target = address
                _ = withUnsafePointer(to: &target) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(socket, octets, octets.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
            }
        }
    }

    private static func serveStreams(_ listener: Int32, _ zone: Zone) {
        while true {
            let accepted = accept(listener, nil, nil)
            guard accepted >= 0 else { return }
            let socket = LoopbackSocket(adopting: accepted)
            Thread {
                var head = [UInt8](repeating: 0, count: 2)
                while recv(socket.descriptor, &head, 2, Int32(MSG_WAITALL)) == 2 {
                    var buffer = [UInt8](repeating: 0, count: Int(head[0]) << 8 | Int(head[1]))
                    guard recv(socket.descriptor, &buffer, buffer.count, Int32(MSG_WAITALL)) == buffer.count,
                        let query = DNSQuery(buffer)
                    else { return }
                    let what = zone.behaviour(of: query.name)
                    if case .truncated(nil) = what { return }
                    self.answer(query, what, isStream: true) { octets in
                        socket.write([UInt8(octets.count >> 8), UInt8(octets.count & 0xff)] + octets)
                    }
                }
            }.start()
        }
    }

    private static func answer(
        _ query: DNSQuery,
        _ behaviour: Behaviour,
        isStream: Bool,
        send: @escaping @Sendable ([UInt8]) -> Void
    ) {
        switch behaviour {
        case .silence: break
        case .truncated(let other):
            if isStream, let other {
                self.answer(query, other, isStream: true, send: send)
            } else {
                send(query.reply(flags: 0x8380))
            }
        case .slow(let seconds, let other):
            // Others are answered meanwhile.
            Thread {
                Thread.sleep(forTimeInterval: seconds)
                self.answer(query, other, isStream: isStream, send: send)
            }.start()
        case .byType(let behaviours, let otherwise):
            self.answer(query, behaviours[query.type] ?? otherwise, isStream: isStream, send: send)
        case .records(let records):
            let answers = records.filter { $0.type == query.type }.map { (type: $0.type, data: $0.data) }
            let reply = query.reply(records: answers)
            // What plain DNS has room for in a packet (RFC 1035 §4.2.1); more comes over TCP.
            send(isStream || reply.count <= 512 ? reply : query.reply(flags: 0x8380))
        case .full: send(isStream ? query.fullReply() : query.reply(flags: 0x8380))
        case .section(let count, let make):
            let reply = query.reply(count: count, section: make(query.answerStart))
            send(isStream || reply.count <= 512 ? reply : query.reply(flags: 0x8380))
        case .text(let records):
            let isAsked = query.type == 16
            send(
                query.reply(
                    records: isAsked
                        ? records.map { (type: UInt16(16), data: $0.flatMap { [UInt8($0.utf8.count)] + $0.utf8 }) } : []
                )
            )
        case .address(let value):
            let octets = [UInt8(value >> 24), UInt8(value >> 16 & 0xff), UInt8(value >> 8 & 0xff), UInt8(value & 0xff)]
            let records = [(type: UInt16(1), data: octets)]
            send(query.reply(records: query.type == 1 ? records : []))
        case .alias(let target): send(query.reply(records: [(type: 5, data: DNSQuery.wire(target))]))
        case .noName: send(query.reply(flags: 0x8183))
        case .failure(let code): send(query.reply(flags: 0x8180 | UInt16(code)))
        case .wrongID: send(query.reply(id: query.id &+ 1, records: [(16, [4] + Array("fake".utf8))]))
        case .garbage: send((0..<60).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) })
        case .cutOff: send(Array(query.reply(records: [(16, [200, 0x61])]).dropLast(1)))
        }
    }
}

/// As much of the DNS' messages as the server needs (RFC 1035 §4.1).
private struct DNSQuery: Sendable {
    let id: UInt16
    let name: String
    let type: UInt16
    /// Name, type and class as they came.
    private let question: [UInt8]

    init?(_ octets: [UInt8]) {
        guard octets.count >= 17, octets[2] & 0x80 == 0 else { return nil }
        self.id = UInt16(octets[0]) << 8 | UInt16(octets[1])
        var labels: [String] = []
        var index = 12
        while index < octets.count, octets[index] > 0 {
            let end = index + 1 + Int(octets[index])
            guard octets[index] < 64, end < octets.count else { return nil }
            labels.append(String(decoding: octets[(index + 1)..<end], as: UTF8.self).lowercased())
            index = end
        }
        guard index + 5 <= octets.count else { return nil }
        self.name = labels.joined(separator: ".")
        self.type = UInt16(octets[index + 1]) << 8 | UInt16(octets[index + 2])
        self.question = Array(octets[12..<(index + 5)])
    }

    /// Where the answer section begins.
    var answerStart: Int { Self.headerLength + self.question.count }

    private static let headerLength = 12
    /// RFC 1035 §4.2.2: two octets say how long a message is.
    private static let maximumMessage = 65_535

    func reply(id: UInt16? = nil, flags: UInt16 = 0x8180, records: [(type: UInt16, data: [UInt8])] = []) -> [UInt8] {
        let section = records.flatMap { Self.record($0.type, $0.data) }
        return self.reply(id: id, flags: flags, count: UInt16(records.count), section: section)
    }

    /// - Parameter additional: records behind the answer.
    func reply(
        id: UInt16? = nil,
        flags: UInt16 = 0x8180,
        count: UInt16,
        section: [UInt8],
        additional: UInt16 = 0
    ) -> [UInt8] {
        Self.two(id ?? self.id) + Self.two(flags) + Self.two(1) + Self.two(count) + Self.two(0) + Self.two(additional)
            + self.question + section
    }

    /// The name is that of the question; a minute to live.
    private static func record(_ type: UInt16, _ data: [UInt8]) -> [UInt8] {
        [0xc0, UInt8(Self.headerLength)] + self.two(type) + self.two(1) + [0, 0, 0, 60] + self.two(UInt16(data.count)) + data
    }

    private static func two(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

    func fullReply() -> [UInt8] {
        // What is behind the last record: one of a type that nobody knows (RFC 3597), with a root's name.
        let filling: [UInt8] = [0] + Self.two(65_280) + Self.two(1) + [0, 0, 0, 0]
        let room = Self.maximumMessage - self.answerStart - filling.count - 2
        var section: [UInt8] = []
        var count: UInt16 = 0
        while true {
            let number = [UInt8(count >> 8), UInt8(count & 0xff)]
            // Three letters are enough for 17,576.
            let word = [26 * 26, 26, 1].map { UInt8(ascii: "a") + UInt8(Int(count) / $0 % 26) }
            let record =
                switch self.type {
                case 1: Self.record(1, [10, 0] + number)
                case 12: Self.record(12, [3] + word + [0xc0, UInt8(Self.headerLength)])
                case 15: Self.record(15, number + [0xc0, UInt8(Self.headerLength)])
                default: Self.record(16, [3] + word)
                }
            guard section.count + record.count <= room else { break }
            section += record
            count += 1
        }
        let rest = [UInt8](repeating: 0x78, count: room - section.count)
        section += filling + Self.two(UInt16(rest.count)) + rest
        return self.reply(count: count, section: section, additional: 1)
    }

    static func wire(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 } + [0]
    }
}
