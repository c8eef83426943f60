import CClamAV
import Glibc

/// What libclamav's callbacks say during one scan. They come on the scanning thread alone.
final class ScanRecord {
    /// More names say no more.
    private static let maximumNames = 32
    /// What libclamav calls a verdict of our callbacks.
    private static let ownVerdict = "Detected.By.Callback"
    private static let memberTooLarge = "Heuristics.Limits.Exceeded.MemberSize"
    private static let timeUsedUp = "Heuristics.Limits.Exceeded.MaxScanTime"

    private let maximumFileSize: Int
    private var names: [String] = []
    private var isTimeUsedUp = false

    init(maximumFileSize: Int) {
        self.maximumFileSize = maximumFileSize
    }

    func add(_ name: String) {
        if name == Self.timeUsedUp {
            self.isTimeUsedUp = true
            return
        }
        let name = name.hasPrefix(Self.ownVerdict) ? Self.memberTooLarge : name
        guard self.names.count < Self.maximumNames, !self.names.contains(name) else { return }
        self.names.append(name)
    }

    /// A file inside the scanned one, as its archive declares it or as it was unpacked. `CL_VIRUS` also keeps libclamav from
    /// remembering the archive as clean.
    func judgeMember(size: Int) -> cl_error_t {
        guard size > self.maximumFileSize else { return CL_CLEAN }
        self.add(Self.memberTooLarge)
        return CL_VIRUS
    }

    /// - Parameter hadItsTime: when the time limit was reached, it was the content that took it. A busy machine says nothing
    ///   about content: then there is no result, and the sender's next try may have one.
    func result(_ code: cl_error_t, hadItsTime: Bool) -> ScanResult {
        if !self.names.isEmpty { return .found(self.names) }
        if self.isTimeUsedUp || code == CL_ETIMEOUT { return hadItsTime ? .found([Self.timeUsedUp]) : .failed(.timeLimit) }
        switch code {
        // CL_VERIFIED: signed by a publisher whom the signatures trust.
        case CL_CLEAN, CL_VERIFIED: return .clean
        case CL_VIRUS: return .found(["Unnamed"])
        default: return .failed(.engine(message(code)))
        }
    }
}

// C callbacks: free functions, bound to no actor, because they run on whichever thread scans.

func virusFound(descriptor: Int32, name: UnsafePointer<CChar>?, context: UnsafeMutableRawPointer?) {
    guard let name, let context else { return }
    record(context).add(String(cString: name))
}

// The types and meanings are those of `clcb_meta`.
func memberListed(
    container: UnsafePointer<CChar>?,
    packedSize: UInt,
    name: UnsafePointer<CChar>?,
    size: UInt,
    isEncrypted: Int32,
    position: UInt32,
    context: UnsafeMutableRawPointer?
) -> cl_error_t {
    guard let context else { return CL_CLEAN }
    return record(context).judgeMember(size: Int(clamping: size))
}

// `clcb_file_inspection`: each file before it is scanned, the outermost at level 0.
func fileOpened(
    descriptor: Int32,
    type: UnsafePointer<CChar>?,
    ancestors: UnsafeMutablePointer<UnsafePointer<CChar>?>?,
    parentSize: Int,
    name: UnsafePointer<CChar>?,
    size: Int,
    content: UnsafePointer<CChar>?,
    level: UInt32,
    attributes: UInt32,
    context: UnsafeMutableRawPointer?
) -> cl_error_t {
    guard let context else { return CL_CLEAN }
    return record(context).judgeMember(size: size)
}

private func record(_ context: UnsafeMutableRawPointer) -> ScanRecord {
    Unmanaged<ScanRecord>.fromOpaque(context).takeUnretainedValue()
}

func writeToStandardError(_ text: String) {
    let octets = Array(text.utf8)
    _ = write(STDERR_FILENO, octets, octets.count)
}
