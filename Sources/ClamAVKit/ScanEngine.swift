import CClamAV
import Glibc
import Synchronization

/// libclamav with one set of signatures, loaded and compiled.
///
/// `@unchecked Sendable`: nothing is changed after `init`, and libclamav allows any number of threads to scan with one engine
/// (clamd does the same).
package final class ScanEngine: @unchecked Sendable {
    /// The library's version, `1.4.6`.
    package static var libraryVersion: String { String(cString: cl_retver()) }

    package let limits: ScanLimits
    package let signatureCount: Int
    /// Of the official daily database; 0 when there is none.
    package let databaseVersion: Int
    /// Seconds since 1970 when the official database was made; 0 when there is none.
    package let databaseTime: Int

    private let engine: OpaquePointer
    private let options: cl_scan_options

    /// Loads a database. Takes seconds and hundreds of megabytes for the official one.
    /// - Parameters:
    ///   - database: a directory of signature files, or one file.
    ///   - temporaryDirectory: where archives are unpacked.
    package init(database: String, limits: ScanLimits, temporaryDirectory: String? = nil) throws(ScanError) {
        guard initialised == CL_SUCCESS else { throw .engine(message(initialised)) }
        guard let engine = cl_engine_new() else { throw .engine("out of memory") }
        var loaded = false
        defer { if !loaded { cl_engine_free(engine) } }

        try configure(engine, limits, temporaryDirectory)
        var count: UInt32 = 0
        // CL_DB_STDOPT, which is an expression that Swift does not import.
        let databaseOptions = UInt32(CL_DB_PHISHING | CL_DB_PHISHING_URLS | CL_DB_BYTECODE)
        libraryMayWrite.store(true, ordering: .relaxed)
        defer { libraryMayWrite.store(false, ordering: .relaxed) }
        var code = cl_load(database, engine, &count, databaseOptions)
        guard code == CL_SUCCESS else { throw .database("\(message(code)) (\(database))") }
        guard count > 0 else { throw .database("no signatures in \(database)") }
        code = cl_engine_compile(engine)
        guard code == CL_SUCCESS else { throw .database("\(message(code)) (\(database))") }

        self.limits = limits
        self.signatureCount = Int(count)
        self.databaseVersion = Int(cl_engine_get_num(engine, CL_ENGINE_DB_VERSION, nil))
        self.databaseTime = Int(cl_engine_get_num(engine, CL_ENGINE_DB_TIME, nil))
        self.engine = engine
        self.options = scanOptions(limits)
        loaded = true
    }

    deinit {
        cl_engine_free(self.engine)
    }

    /// Scans octets in memory.
    package func scan(_ bytes: UnsafeRawBufferPointer) -> ScanResult {
        guard bytes.count > 0 else { return .clean }
        guard bytes.count <= self.limits.fileSize else { return .found([Self.fileTooLarge]) }
        guard let map = cl_fmap_open_memory(bytes.baseAddress, bytes.count) else { return .failed(.engine("out of memory")) }
        defer { cl_fmap_close(map) }
        return self.scan { cl_scanmap_callback(map, nil, $0, $1, self.engine, $2, $3) }
    }

    /// Scans an open file from its start, whatever its offset.
    /// - Parameter size: the file's.
    package func scan(descriptor: Int32, size: Int) -> ScanResult {
        guard size > 0 else { return .clean }
        guard size <= self.limits.fileSize else { return .found([Self.fileTooLarge]) }
        return self.scan { cl_scandesc_callback(descriptor, nil, $0, $1, self.engine, $2, $3) }
    }

    private static let fileTooLarge = "Heuristics.Limits.Exceeded.MaxFileSize"

    private typealias Scan = (
        UnsafeMutablePointer<UnsafePointer<CChar>?>, UnsafeMutablePointer<UInt>, UnsafeMutablePointer<cl_scan_options>,
        UnsafeMutableRawPointer
    ) -> cl_error_t

    private func scan(_ run: Scan) -> ScanResult {
        let record = ScanRecord(maximumFileSize: self.limits.fileSize)
        var name: UnsafePointer<CChar>?
        var scanned: UInt = 0
        // libclamav may write into the options, so each scan has its own.
        var options = self.options
        let began = processorMilliseconds()
        let code = withExtendedLifetime(record) { run(&name, &scanned, &options, Unmanaged.passUnretained(record).toOpaque()) }
        if let name { record.add(String(cString: name)) }
        return record.result(code, hadItsTime: processorMilliseconds() - began >= self.limits.scanTime / 2)
    }
}

/// Of the calling thread.
private func processorMilliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

/// Once a process; libclamav counts no calls.
private let initialised: cl_error_t = {
    cl_set_clcb_msg(libraryWrote)
    return cl_init(UInt32(CL_INIT_DEFAULT))
}()

/// While signatures are loaded the library's words matter to the operator; during scans hostile content could fill the log.
private let libraryMayWrite = Atomic(false)

private func libraryWrote(
    severity: cl_msg,
    full: UnsafePointer<CChar>?,
    text: UnsafePointer<CChar>?,
    context: UnsafeMutableRawPointer?
) {
    guard libraryMayWrite.load(ordering: .relaxed), severity != CL_MSG_INFO_VERBOSE, let full else { return }
    writeToStandardError(String(cString: full))
}

func message(_ code: cl_error_t) -> String {
    String(cString: cl_strerror(code))
}

private func configure(_ engine: OpaquePointer, _ limits: ScanLimits, _ temporaryDirectory: String?) throws(ScanError) {
    // libclamav cuts a member that is longer than its limit and scans the beginning, without a word. Its limit is therefore a
    // little higher than ours: what it cuts there is longer than ours and so becomes a finding (ScanRecord).
    let fileSize = limits.fileSize + cuttingSlack
    let numbers: [(cl_engine_field, Int)] = [
        (CL_ENGINE_MAX_FILESIZE, fileSize),
        (CL_ENGINE_MAX_SCANSIZE, max(limits.scanSize, fileSize)),
        (CL_ENGINE_MAX_RECURSION, limits.recursion),
        (CL_ENGINE_MAX_FILES, limits.files),
        (CL_ENGINE_MAX_SCANTIME, limits.scanTime),
        // Own limits of single formats, which would otherwise stop earlier, and silently.
        (CL_ENGINE_MAX_EMBEDDEDPE, fileSize),
        (CL_ENGINE_PCRE_MAX_FILESIZE, fileSize),
    ]
    for (field, value) in numbers {
        let code = cl_engine_set_num(engine, field, Int64(value))
        guard code == CL_SUCCESS else { throw .engine("limit \(value): \(message(code))") }
    }
    if let temporaryDirectory {
        let code = cl_engine_set_str(engine, CL_ENGINE_TMPDIR, temporaryDirectory)
        guard code == CL_SUCCESS else { throw .engine("temporary directory: \(message(code))") }
    }
    cl_engine_set_clcb_virus_found(engine, virusFound)
    cl_engine_set_clcb_meta(engine, memberListed)
    cl_engine_set_clcb_file_inspection(engine, fileOpened)
}

/// libclamav unpacks by buffers of up to 64 KiB and stops before the one that crosses its limit.
private let cuttingSlack = 1_048_576

private func scanOptions(_ limits: ScanLimits) -> cl_scan_options {
    var options = cl_scan_options()
    // All matches: policy may treat signatures differently, so the gateway must see each. Costs nothing on clean mail.
    options.general = UInt32(CL_SCAN_GENERAL_ALLMATCHES | CL_SCAN_GENERAL_HEURISTICS)
    options.parse = ~0
    options.mail = UInt32(CL_SCAN_MAIL_PARTIAL_MESSAGE)
    // Without these, content that was not looked at counts as clean.
    var heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX | CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE | CL_SCAN_HEURISTIC_ENCRYPTED_DOC
    if limits.alertsOnMacros { heuristic |= CL_SCAN_HEURISTIC_MACROS }
    if limits.alertsOnBroken { heuristic |= CL_SCAN_HEURISTIC_BROKEN }
    options.heuristic = UInt32(heuristic)
    return options
}
