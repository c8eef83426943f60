import Foundation
import Glibc

/// A Postfix of a test's own, on loopback or on a host of `TwoHosts`, beside whatever runs on the machine: own configuration, queue and mailboxes in a
/// temporary directory. It delivers mail for example.com into Maildirs: `bob`, `eve` and `u0` to `u99`.
public final class PostfixInstance: Sendable {
    /// Postfix starts as root only.
    public static let isAvailable = geteuid() == 0 && ChildProgram.installed("postfix") != nil

    @TaskLocal public static var current: PostfixInstance?

    /// A delivered message with Unix line ends, as Postfix stores it.
    public struct Delivered: Sendable {
        public let mailbox: String
        public let octets: [UInt8]

        public var text: String { String(decoding: self.octets, as: UTF8.self) }

        /// What follows the header.
        public var body: [UInt8] {
            guard let range = self.octets.firstRange(of: [0x0a, 0x0a]) else { return [] }
            return Array(self.octets[range.upperBound...])
        }

        public var messageID: String? {
            self.text.split(separator: "\n").first { $0.lowercased().hasPrefix("message-id:") }
                .map { $0.dropFirst(11).trimmingCharacters(in: .whitespaces) }
        }

        /// Postfix's own name of the message, new for every message that it has taken over SMTP.
        public var queueID: String? {
            self.text.firstMatch(of: /\(Postfix[^)]*\) with \w+ id (\w+)/).map { String($0.1) }
        }
    }

    public let port: Int
    /// nil: this one.
    private let host: TwoHosts.Host?
    private let directory: TemporaryDirectory
    private var configuration: String { self.directory.path + "/etc" }
    private var maillog: String { self.directory.path + "/log/maillog" }

    /// - Parameter settings: lines of `main.cf` that are added.
    public init(settings: [String] = [], on host: TwoHosts.Host? = nil) throws {
        self.host = host
        self.directory = try TemporaryDirectory()
        self.port = try LoopbackSocket.freePort()
        try self.prepare(settings)
        try self.start()
    }

    deinit {
        try? self.stop()
    }

    private func prepare(_ settings: [String]) throws {
        let base = self.directory.path
        for name in ["etc", "queue", "data", "mail", "log"] {
            try FileManager.default.createDirectory(atPath: "\(base)/\(name)", withIntermediateDirectories: true)
        }
        let daemons = try ChildProgram.run(ChildProgram.installed("postconf") ?? "postconf", ["-dh", "daemon_directory"]).output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let mailboxes = ["bob", "eve"] + (0..<100).map { "u\($0)" }
        try self.directory.write(mailboxes.map { "\($0)@example.com \($0)/\n" }.joined(), to: "etc/mailboxes")
        try self.directory.write(
            ([
                "compatibility_level = 3.6", "queue_directory = \(base)/queue", "data_directory = \(base)/data",
                "daemon_directory = \(daemons)", "maillog_file = \(self.maillog)", "maillog_file_prefixes = \(base)",
                "myhostname = mail.example.com", "mydestination =", "mynetworks = 127.0.0.0/8", "inet_protocols = ipv4",
                "inet_interfaces = \(self.address)", "alias_maps =", "alias_database =", "local_recipient_maps =",
                "virtual_mailbox_domains = example.com", "virtual_mailbox_maps = texthash:\(base)/etc/mailboxes",
                "virtual_mailbox_base = \(base)/mail", "virtual_uid_maps = static:\(Self.mailOwner)",
                "virtual_gid_maps = static:\(Self.mailOwner)", "virtual_minimum_uid = 100", "virtual_mailbox_limit = 0",
                "message_size_limit = 52428800", "default_transport = error:elsewhere", "relay_transport = error:elsewhere",
                "in_flow_delay = 0s", "biff = no", "smtpd_peername_lookup = no",
                "smtpd_relay_restrictions = reject_unauth_destination",
            ] + settings).joined(separator: "\n") + "\n",
            to: "etc/main.cf"
        )
        try self.directory.write(Self.services("\(self.address):\(self.port)"), to: "etc/master.cf")
        chown("\(base)/mail", uid_t(Self.mailOwner), gid_t(Self.mailOwner))
        if let owner = getpwnam("postfix") { chown("\(base)/data", owner.pointee.pw_uid, owner.pointee.pw_gid) }
    }

    /// `nobody` owns the mailboxes.
    private static let mailOwner = 65_534

    private var address: String { self.host?.address ?? "127.0.0.1" }

    private static func services(_ listener: String) -> String {
        var lines = ["\(listener) inet n - n - - smtpd"]
        lines += ["pickup unix n - n 60 1 pickup", "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr"]
        lines += [
            "postlog unix-dgram n - n - 1 postlogd", "cleanup unix n - n - 0 cleanup", "rewrite unix - - n - - trivial-rewrite",
        ]
        for name in ["bounce", "defer", "trace"] { lines.append("\(name) unix - - n - 0 bounce") }
        lines += [
            "virtual unix - n n - - virtual", "retry unix - - n - - error", "anvil unix - - n - 1 anvil",
            "flush unix n - n 1000? 0 flush",
        ]
        for name in ["error", "discard", "verify", "proxymap", "showq", "smtp"] {
            lines.append("\(name) unix - - n - - \(name)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func postfix(_ command: String) throws {
        let program = ChildProgram.installed("postfix") ?? "postfix"
        let arguments = ["-c", self.configuration, command]
        let result = try ChildProgram.run(
            self.host == nil ? program : TwoHosts.ip,
            self.host?.command(program, arguments) ?? arguments,
            // The scripts of Postfix want their directories first.
            environment: ["MAIL_CONFIG": self.configuration]
        )
        guard result.status == 0 else {
            throw ChildProgram.Failure("postfix \(command): \(result.output)\(result.errors)\(self.log)")
        }
    }

    public func start() throws {
        // Postfix looks through its queue as its own user, and does not start when it cannot log what it finds there: a file that
        // was being written when it was aborted, say.
        chmod(self.maillog, 0o666)
        try self.postfix("start")
        try Wait.until("Postfix on port \(self.port)") {
            self.host?.hasListener(at: self.address, port: self.port) ?? ((try? LoopbackSocket(port: self.port)) != nil)
        }
    }

    /// Ends it in the middle of what it does.
    public func abort() throws { try self.postfix("abort") }

    public func stop() throws { try self.postfix("stop") }

    public var log: String { String(decoding: FileManager.default.contents(atPath: self.maillog) ?? Data(), as: UTF8.self) }

    /// Everything that was delivered.
    public func delivered(to mailbox: String? = nil) -> [Delivered] {
        let base = self.directory.path + "/mail"
        let files = FileManager.default
        let mailboxes = mailbox.map { [$0] } ?? ((try? files.contentsOfDirectory(atPath: base)) ?? [])
        return mailboxes.flatMap { name in
            ((try? files.contentsOfDirectory(atPath: "\(base)/\(name)/new")) ?? []).compactMap { file in
                files.contents(atPath: "\(base)/\(name)/new/\(file)").map { Delivered(mailbox: name, octets: [UInt8]($0)) }
            }
        }
    }

    /// The messages with this Message-ID, when there is at least one.
    public func waitForMessage(_ id: String, in mailbox: String = "bob") throws -> [Delivered] {
        var found: [Delivered] = []
        try Wait.until("delivery of \(id)") {
            found = self.delivered(to: mailbox).filter { $0.messageID == "<\(id)>" }
            return !found.isEmpty
        }
        return found
    }

    /// Waits until nothing is in the queue.
    public func waitForEmptyQueue() throws {
        try Wait.until("an empty queue", within: .seconds(40)) {
            ["incoming", "active", "deferred", "maildrop"].allSatisfy { name in
                let path = "\(self.directory.path)/queue/\(name)"
                let entries = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
                var isDirectory: ObjCBool = false
                return entries.allSatisfy {
                    FileManager.default.fileExists(atPath: "\(path)/\($0)", isDirectory: &isDirectory) && isDirectory.boolValue
                }
            }
        }
    }
}
