import Foundation

/// Runs a program to its end with `input` on its standard input; it is killed after ten seconds.
func run(_ program: String, _ arguments: [String], input: String = "") throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let toProgram = Pipe()
    let fromProgram = Pipe()
    process.standardInput = toProgram
    process.standardOutput = fromProgram
    process.standardError = fromProgram
    try process.run()
    // Not `timeout`: a child may inherit blocked signals from the thread that started it.
    let identifier = process.processIdentifier
    let watchdog = DispatchWorkItem { kill(identifier, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 10, execute: watchdog)
    defer { watchdog.cancel() }
    toProgram.fileHandleForWriting.write(Data(input.utf8))
    try toProgram.fileHandleForWriting.close()
    let output = fromProgram.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}
