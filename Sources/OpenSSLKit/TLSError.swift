import COpenSSL
import Glibc

/// Something OpenSSL refused, with its own reasons.
package struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file at fault, where there is one.
    package var file: String?
    /// What went wrong, in words: `certificate verify failed: hostname mismatch`.
    package var reason: String

    package init(file: String? = nil, _ reason: String) {
        self.file = file
        self.reason = reason
    }

    package var description: String {
        if let file { "\(file): \(self.reason)" } else { self.reason }
    }

    /// Takes this thread's error queue over and leaves it empty. `fallback` is said when the queue holds nothing.
    init(queueFor file: String? = nil, otherwise fallback: String) {
        var reasons: [String] = []
        while case let code = ERR_get_error(), code != 0 {
            let text = Self.text(of: code)
            if !reasons.contains(text) { reasons.append(text) }
        }
        self.init(file: file, reasons.isEmpty ? fallback : reasons.joined(separator: "; "))
    }

    private static func text(of code: UInt) -> String {
        if outpost_error_is_system(code) != 0 {
            return String(cString: strerror(outpost_error_reason(code)))
        }
        if let reason = ERR_reason_error_string(code) {
            return String(cString: reason)
        }
        return "OpenSSL error \(String(code, radix: 16))"
    }
}
