import SystemKit

/// One gateway a data directory: two would both deliver what waits in the spool. Commands need no lock, only a repair that
/// replaces a database does.
package final class DataDirectoryLock: Sendable {
    /// Another process has it.
    package struct Taken: Error, CustomStringConvertible {
        package let description: String
    }

    private let file: LockFile

    /// - Parameters:
    ///   - directory: `data_directory`; it must be there.
    ///   - owner: whose the file becomes when root makes it.
    /// - Throws: `Taken`, `SystemError`.
    package init(_ directory: String, owner: String? = nil) throws {
        switch try LockFile.take(directory + "/gateway.lock", owner: owner) {
        case .taken(let file): self.file = file
        case .held(let process):
            let holder = process.map { "process \($0)" } ?? "another process"
            throw Taken(description: "\(directory) is in use by a gateway (\(holder)); each needs a data_directory of its own")
        }
    }
}
