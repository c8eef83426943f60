import Foundation

/// Runs a program to its end with `input` on its standard input, within ten seconds.
func run(_ program: String, _ arguments: [String], input: String = "") throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["timeout", "10", program] + arguments
    let toProgram = Pipe()
    let fromProgram = Pipe()
    process.standardInput = toProgram
    process.standardOutput = fromProgram
    process.standardError = fromProgram
    try process.run()
    toProgram.fileHandleForWriting.write(Data(input.utf8))
    try toProgram.fileHandleForWriting.close()
    let output = fromProgram.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}
