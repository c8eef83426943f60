import Glibc

/// A counting semaphore for threads.
final class Semaphore: @unchecked Sendable {
    // `@unchecked Sendable`: a semaphore at a fixed address is made for use by several threads.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init(_ count: Int) {
        sem_init(self.semaphore, 0, UInt32(count))
    }

    deinit {
        sem_destroy(self.semaphore)
        self.semaphore.deallocate()
    }

    func wait() {
        while sem_wait(self.semaphore) != 0 && errno == EINTR {}
    }

    func signal() {
        sem_post(self.semaphore)
    }
}
