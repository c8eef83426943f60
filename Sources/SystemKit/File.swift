import COutpostSystem
import Glibc

/// An open file, closed when the last reference goes.
///
/// The descriptor is a constant; reads and writes name their offsets (`pread`, `pwrite`), so a file may be used from any
/// thread.
package final class File: Sendable {
    package let descriptor: Int32

    /// Takes the descriptor over.
    package init(owning descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(self.descriptor)
    }

    /// Opens an existing file for reading.
    package convenience init(reading path: String) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        self.init(owning: descriptor)
    }

    /// Opens whatever has this name, but no link's target, to ask about it; it waits for nobody, as a pipe's reader would.
    package convenience init(inspecting path: String) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        self.init(owning: descriptor)
    }

    /// Makes a new file; it must not exist.
    package convenience init(creating path: String, mode: mode_t = 0o600) throws(SystemError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw SystemError("create \(path)") }
        self.init(owning: descriptor)
    }

    /// A file without a name: it is gone when this process is, however that ends.
    package convenience init(unlinkedIn directory: String) throws(SystemError) {
        let descriptor = outpost_unlinked_file(directory)
        guard descriptor >= 0 else { throw SystemError("create a temporary file in \(directory)") }
        self.init(owning: descriptor)
    }

    /// Claims the file, after whoever has it; the claim ends with this object, and with the process.
    package func lock() throws(SystemError) {
        while flock(self.descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw SystemError("lock") }
        }
    }

    /// The same without waiting.
    /// - Returns: false when somebody else has it.
    package func tryLock() throws(SystemError) -> Bool {
        while flock(self.descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { throw SystemError("lock") }
            return false
        }
        return true
    }

    package func size() throws(SystemError) -> Int {
        var status = stat()
        guard fstat(self.descriptor, &status) == 0 else { throw SystemError("fstat") }
        return Int(status.st_size)
    }

    /// Writes all of it.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(self.descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError("write")
            }
            done += count
        }
    }

    package func write(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
        do {
            try bytes.withUnsafeBytes { try self.write($0, at: offset) }
        } catch let error as SystemError {
            throw error
        } catch {
            preconditionFailure("only system errors are thrown here")
        }
    }

    /// Up to `count` octets; fewer at the end of the file.
    package func read(count: Int, at offset: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let got = pread(
                    self.descriptor,
                    buffer.baseAddress! + initialized,
                    count - initialized,
                    off_t(offset + initialized)
                )
                if got < 0 {
                    if errno == EINTR { continue }
                    failure = SystemError("read")
                    return
                }
                if got == 0 { return }
                initialized += got
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Waits until data and length are on the disk.
    package func synchronize() throws(SystemError) {
        guard fsync(self.descriptor) == 0 else { throw SystemError("fsync") }
    }

    /// Waits until the directory's entries are on the disk (after creating or renaming in it).
    package static func synchronizeDirectory(_ path: String) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemError("fsync \(path)") }
    }
}
