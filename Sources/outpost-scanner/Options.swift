import ClamAVKit

/// The command line of `outpost-scanner`.
struct Options {
    var socket = ""
    var database = ""
    var user: String?
    var temporaryDirectory: String?
    /// Scans at once.
    var threads = 2
    /// Octets of one INSTREAM; beyond it the connection ends.
    var streamSize = 100 * 1_048_576
    var limits = ScanLimits()
    /// End when the program that started us ends: its end of our standard input is closed.
    var endsWithInput = false

    enum Request {
        case run(Options)
        case help
        case version
        case wrong(String)
    }

    static let help = """
        Usage: outpost-scanner --socket PATH --database DIRECTORY [options]

        Scans for viruses with libclamav. Speaks clamd's protocol on a Unix socket: PING, VERSION, STATS, INSTREAM, FILDES,
        IDSESSION, END. Listens once the signatures are loaded and then writes "ready SIGNATURES VERSION CONFINEMENT" to its output. From then on it
        opens files in its temporary directory alone, no socket, and starts nothing, as far as the kernel can keep it from that.

          --socket PATH                 the socket, at most 107 octets long; one that is left over is replaced
          --database DIRECTORY          signatures, in any format that libclamav reads
          --threads N                   scans at once (2)
          --max-file-size OCTETS        of one file, the scanned one or one inside it (104857600)
          --max-scan-size OCTETS        of everything unpacked in one scan (419430400)
          --max-recursion N             archives inside archives (17)
          --max-files N                 files in one scan (10000)
          --max-scan-time MILLISECONDS  of one scan; then it is a finding, or on a busy machine
                                        has no result (25000)
          --max-stream-size OCTETS      of one INSTREAM (104857600)
          --alert-macros                documents with macros are findings
          --alert-broken                damaged executables are findings
          --temporary-directory PATH    where archives are unpacked
          --user NAME                   the user to become when started as root
          --end-with-input              end when standard input ends
          --version, --help

        """

    static func parse(_ arguments: [String]) -> Request {
        var options = Options()
        var words = arguments[...]
        while let word = words.popFirst() {
            switch word {
            case "--help", "-h": return .help
            case "--version": return .version
            case "--alert-macros": options.limits.alertsOnMacros = true
            case "--alert-broken": options.limits.alertsOnBroken = true
            case "--end-with-input": options.endsWithInput = true
            default:
                guard let value = words.popFirst() else { return .wrong("unknown option or missing value: \(word)") }
                if let problem = options.set(word, value) { return .wrong(problem) }
            }
        }
        if options.socket.isEmpty { return .wrong("--socket is missing") }
        if options.database.isEmpty { return .wrong("--database is missing") }
        return .run(options)
    }

    /// Nil, or what is wrong.
    private mutating func set(_ option: String, _ value: String) -> String? {
        switch option {
        case "--socket": self.socket = value
        case "--database": self.database = value
        case "--user": self.user = value
        case "--temporary-directory": self.temporaryDirectory = value
        default: return self.setNumber(option, value)
        }
        return nil
    }

    private mutating func setNumber(_ option: String, _ value: String) -> String? {
        let field: WritableKeyPath<Options, Int>
        switch option {
        case "--threads": field = \.threads
        case "--max-file-size": field = \.limits.fileSize
        case "--max-scan-size": field = \.limits.scanSize
        case "--max-recursion": field = \.limits.recursion
        case "--max-files": field = \.limits.files
        case "--max-scan-time": field = \.limits.scanTime
        case "--max-stream-size": field = \.streamSize
        default: return "unknown option: \(option)"
        }
        // libclamav holds some limits in 32 bits, and takes 0 for "none".
        guard let number = Int(value), number > 0, number <= Int(Int32.max) - 2 * 1_048_576 else {
            return "\(option) must be a number from 1 to 2145386495"
        }
        self[keyPath: field] = number
        return nil
    }
}
