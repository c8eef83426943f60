import Glibc

/// A system call that failed.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let code: Int32
    /// What was tried, with the path where there is one: `open /var/lib/outpost/quarantine`.
    package let operation: String

    package init(code: Int32 = errno, _ operation: String) {
        self.code = code
        self.operation = operation
    }

    /// A deadline of ours, or of the kernel, passed.
    package var isTimeout: Bool { self.code == ETIMEDOUT }

    package var description: String { "\(self.operation): \(String(cString: strerror(self.code)))" }
}
