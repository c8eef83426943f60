import ClamAVKit
import Glibc
import SystemKit

/// libclamav in a process of its own: hostile files are parsed here, without the gateway's rights and memory.
@main
struct OutpostScanner {
    /// sysexits(3).
    private static let wrongUse: Int32 = 64
    private static let unavailable: Int32 = 69
    /// Character sets are libraries that are loaded when a document first has them; the rest is asked for by the C library and
    /// OpenSSL. Nothing of it is secret.
    private static let readable = [
        "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/localtime", "/etc/ssl/openssl.cnf", "/dev/null", "/dev/urandom",
    ]

    static func main() {
        switch Options.parse(Array(CommandLine.arguments.dropFirst())) {
        case .help: write(Options.help, to: STDOUT_FILENO)
        case .version: write("outpost-scanner with libclamav \(ScanEngine.libraryVersion)\n", to: STDOUT_FILENO)
        case .wrong(let problem): fail(problem, code: self.wrongUse)
        case .run(let options):
            do {
                try self.run(options)
            } catch {
                fail("\(error)", code: self.unavailable)
            }
        }
    }

    private static func run(_ options: Options) throws {
        // Rights first: signatures and everything after them are read with the least.
        if let user = options.user, CurrentProcess.isRoot { try CurrentProcess.become(user: user) }
        try CurrentProcess.harden()
        // When the parent has ended before this line, the end of standard input tells.
        if options.endsWithInput { try CurrentProcess.dieWithParent() }

        let engine = try ScanEngine(
            database: options.database,
            limits: options.limits,
            temporaryDirectory: options.temporaryDirectory
        )
        let server = try ScanServer(engine: engine, threads: options.threads, streamSize: options.streamSize)
        let listener = try UnixListener(path: options.socket, backlog: 128)
        // Everything that is needed of the system is at hand; what comes now is hostile.
        let confinement = try CurrentProcess.confine(
            to: options.temporaryDirectory ?? CurrentProcess.environment("TMPDIR") ?? "/tmp",
            readable: self.readable
        )
        if options.endsWithInput, let error = startThread(name: "input", endWithInput) { throw error }
        write("ready \(engine.signatureCount) \(server.version) \(confinement)\n", to: STDOUT_FILENO)
        try server.run(listener)
    }
}

/// The parent holds the other end of our standard input and never writes.
private func endWithInput() {
    var octet: UInt8 = 0
    while true {
        let count = read(STDIN_FILENO, &octet, 1)
        if count == 0 || (count < 0 && errno != EINTR) { _exit(0) }
    }
}

private func write(_ text: String, to descriptor: Int32) {
    let octets = Array(text.utf8)
    _ = Glibc.write(descriptor, octets, octets.count)
}

private func fail(_ text: String, code: Int32) -> Never {
    write("outpost-scanner: \(text)\n", to: STDERR_FILENO)
    exit(code)
}
