import COutpostSystem
import Glibc
import Synchronization

/// A program started by us and watched until it ends.
///
/// A thread of its own starts the child, reads its standard output and reaps it: the kernel's parent-death signal follows the
/// *thread* that started a process (prctl(2)), so that thread must live as long as the child does. The child's standard input
/// is a pipe that ends when this object goes; its standard error is ours.
package final class ChildProcess: Sendable {
    package enum End: Hashable, Sendable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)
        case notStarted(SystemError)

        package var description: String {
            switch self {
            case .exited(let code): "exited with \(code)"
            case .killed(let signal): "ended by signal \(signal)"
            case .notStarted(let error): "not started: \(error)"
            }
        }
    }

    package enum Event: Hashable, Sendable {
        /// A line on its standard output, without the line end.
        case line(String)
        /// Always the last event, and always sent. The process is reaped.
        case ended(End)
    }

    private enum State {
        case starting(pending: Int32?)
        case running(pid_t)
        case ended
    }

    private let state = Mutex(State.starting(pending: nil))

    /// - Parameters:
    ///   - environment: all of it, `NAME=value`; nothing is inherited.
    ///   - report: called on the child's own thread.
    package init(path: String, arguments: [String], environment: [String], report: @escaping @Sendable (Event) -> Void) {
        let started = startThread(name: "child") { [self] in
            self.keep(path: path, arguments: arguments, environment: environment, report: report)
        }
        if let error = started {
            self.state.withLock { $0 = .ended }
            report(.ended(.notStarted(error)))
        }
    }

    /// Nil before it runs and after its end.
    package var processID: Int32? {
        self.state.withLock { if case .running(let pid) = $0 { pid } else { nil } }
    }

    /// Sends a signal; one that comes too early waits for the start, one that comes too late hits nobody.
    package func signal(_ number: Int32) {
        self.state.withLock { state in
            switch state {
            case .starting(.some(SIGKILL)): break
            case .starting: state = .starting(pending: number)
            case .running(let pid): kill(pid, number)
            case .ended: break
            }
        }
    }

    private func keep(path: String, arguments: [String], environment: [String], report: (Event) -> Void) {
        var input: (read: Int32, write: Int32) = (-1, -1)
        var output: (read: Int32, write: Int32) = (-1, -1)
        do throws(SystemError) {
            input = try makePipe()
            output = try makePipe()
            let pid = try spawn(
                path: path,
                arguments: arguments,
                environment: environment,
                input: input.read,
                output: output.write
            )
            self.state.withLock { state in
                if case .starting(.some(let number)) = state { kill(pid, number) }
                state = .running(pid)
            }
            close(input.read)
            close(output.write)
            readLines(output.read) { report(.line($0)) }
            close(output.read)
            let end = self.reap(pid)
            close(input.write)
            report(.ended(end))
        } catch {
            for descriptor in [input.read, input.write, output.read, output.write] where descriptor >= 0 { close(descriptor) }
            self.state.withLock { $0 = .ended }
            report(.ended(.notStarted(error)))
        }
    }

    private func reap(_ pid: pid_t) -> End {
        // Waited for without reaping first: until the lock is held the number still belongs to the child, so that `signal`
        // can never hit a process that got the same number.
        var seen = siginfo_t()
        while waitid(P_PID, id_t(pid), &seen, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        return self.state.withLock { state in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            state = .ended
            var bySignal: Int32 = 0
            let code = outpost_exit_status(status, &bySignal)
            return bySignal != 0 ? .killed(signal: code) : .exited(code)
        }
    }
}

/// Starts a detached thread; nil, or the error that stood in the way.
package func startThread(name: String, _ body: @escaping @Sendable () -> Void) -> SystemError? {
    final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    let start = Unmanaged.passRetained(Start(name, body))
    var thread = pthread_t()
    let code = pthread_create(
        &thread,
        nil,
        { argument in
            let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
            outpost_name_thread(start.name)
            start.body()
            return nil
        },
        start.toOpaque()
    )
    guard code == 0 else {
        start.release()
        return SystemError(code: code, "start a thread")
    }
    pthread_detach(thread)
    return nil
}

private func makePipe() throws(SystemError) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    guard outpost_pipe(&ends) == 0 else { throw SystemError("pipe") }
    return (ends[0], ends[1])
}

private func spawn(
    path: String,
    arguments: [String],
    environment: [String],
    input: Int32,
    output: Int32
) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)

    // Signals that we block or ignore would stay so in the child.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var words = ([path] + arguments).map { strdup($0) } + [nil]
    var settings = environment.map { strdup($0) } + [nil]
    defer { for word in words + settings { free(word) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, path, &actions, &attributes, &words, &settings)
    guard code == 0 else { throw SystemError(code: code, "start \(path)") }
    return pid
}

/// Lines up to the end of the pipe; longer ones are cut.
private func readLines(_ descriptor: Int32, _ line: (String) -> Void) {
    /// A worker's line has a few words.
    let maximumLength = 4_096
    var pending: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1_024)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return }
        for octet in buffer[..<count] {
            if octet == 0x0A {
                line(String(decoding: pending, as: UTF8.self))
                pending.removeAll(keepingCapacity: true)
            } else if pending.count < maximumLength {
                pending.append(octet)
            }
        }
    }
}
