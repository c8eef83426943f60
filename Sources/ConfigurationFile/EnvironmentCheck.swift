import Foundation
import Gateway

/// What the check of a configuration needs to know about files.
package protocol FileAccess: Sendable {
    /// - Throws: when the file is not there, cannot be read or has more octets than `limit`.
    func contents(_ path: String, limit: Int) throws -> [UInt8]
    func kind(_ path: String) -> FileKind
    func isReadable(_ path: String) -> Bool
    func isWritable(_ path: String) -> Bool
    func isExecutable(_ path: String) -> Bool
    /// Anybody on the host may read it.
    func isReadableByAll(_ path: String) -> Bool
}

package enum FileKind: Hashable, Sendable {
    case missing
    case file
    case directory
    /// A socket, a device.
    case other
}

/// Why a file could not be read, in words.
package struct FileProblem: Error, CustomStringConvertible {
    package let description: String
}

/// The files of this host.
package struct SystemFileAccess: FileAccess {
    package init() {}

    package func contents(_ path: String, limit: Int) throws -> [UInt8] {
        switch self.kind(path) {
        case .missing: throw FileProblem(description: "there is no such file")
        case .directory: throw FileProblem(description: "it is a directory")
        case .file, .other: break
        }
        guard let handle = FileHandle(forReadingAtPath: path) else { throw FileProblem(description: "permission denied") }
        defer { try? handle.close() }
        let data = try handle.read(upToCount: limit + 1) ?? Data()
        guard data.count <= limit else { throw FileProblem(description: "it is larger than \(limit) octets") }
        return [UInt8](data)
    }

    package func kind(_ path: String) -> FileKind {
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        switch try? FileManager.default.attributesOfItem(atPath: target)[.type] as? FileAttributeType {
        case .typeRegular: return .file
        case .typeDirectory: return .directory
        case nil: return .missing
        default: return .other
        }
    }

    package func isReadable(_ path: String) -> Bool { FileManager.default.isReadableFile(atPath: path) }

    package func isWritable(_ path: String) -> Bool { FileManager.default.isWritableFile(atPath: path) }

    package func isExecutable(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    package func isReadableByAll(_ path: String) -> Bool {
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        let permissions = try? FileManager.default.attributesOfItem(atPath: target)[.posixPermissions] as? NSNumber
        return permissions.map { $0.intValue & 0o004 != 0 } ?? false
    }
}

extension ConfigurationResult {
    /// Looks whether the files and directories that the configuration names are there and can be used.
    /// - Returns: more issues; none if there is no configuration.
    package func checkEnvironment(files: some FileAccess) -> [ConfigurationIssue] {
        guard let configuration = self.configuration else { return [] }
        let issues = IssueCollector(file: self.file)
        for (path, position) in self.positions { issues.note(path, at: position) }
        let check = EnvironmentCheck(configuration: configuration, files: files, issues: issues)
        check.run()
        return issues.sorted
    }
}

private struct EnvironmentCheck<Files: FileAccess> {
    let configuration: GatewayConfiguration
    let files: Files
    let issues: IssueCollector

    func run() {
        self.checkDataDirectory()
        for (index, listener) in self.configuration.listeners.enumerated() {
            self.checkCertificates(listener.tls?.certificates ?? [], "listeners[\(index)].tls")
        }
        for (index, domain) in self.configuration.domains.enumerated() {
            if let file = domain.route.certificateAuthorities { self.requireFile(file, "domains[\(index)].downstream_tls_ca") }
        }
        for (index, directory) in self.configuration.ruleDirectories.enumerated() {
            self.requireDirectory(directory, "rules[\(index)]")
        }
        guard self.configuration.antivirus.engine == .builtin else { return }
        self.requireDirectory(self.configuration.antivirus.database, "antivirus.database")
        if let scanner = self.configuration.antivirus.scannerPath, !self.files.isExecutable(scanner) {
            self.issues.report("antivirus.scanner", "\(scanner) is not a program that can be run")
        }
    }

    /// It may be missing if it can be made.
    private func checkDataDirectory() {
        let path = self.configuration.dataDirectory
        switch self.files.kind(path) {
        case .directory:
            if !self.files.isWritable(path) { self.issues.report("data_directory", "\(path) is not writable") }
        case .missing:
            let parent = URL(filePath: path).deletingLastPathComponent().path
            if self.files.kind(parent) != .directory || !self.files.isWritable(parent) {
                self.issues.report(
                    "data_directory",
                    "\(path) does not exist and cannot be made",
                    hint: "make it, writable for the gateway"
                )
            }
        case .file, .other:
            self.issues.report("data_directory", "\(path) is not a directory")
        }
    }

    private func checkCertificates(_ certificates: [GatewayConfiguration.CertificateFiles], _ path: String) {
        let isList = self.issues.positions["\(path).certificates"] != nil
        for (index, files) in certificates.enumerated() {
            let place = isList ? "\(path).certificates[\(index)]" : path
            self.requireFile(files.certificate, "\(place).certificate")
            if self.requireFile(files.privateKey, "\(place).private_key"), self.files.isReadableByAll(files.privateKey) {
                self.issues.report(
                    "\(place).private_key",
                    "\(files.privateKey) can be read by every user of this host",
                    hint: "chmod o-r",
                    severity: .warning
                )
            }
        }
    }

    @discardableResult
    private func requireFile(_ file: String, _ path: String) -> Bool {
        switch self.files.kind(file) {
        case .missing: self.issues.report(path, "\(file) does not exist")
        case .directory: self.issues.report(path, "\(file) is a directory, not a file")
        case .file, .other:
            if self.files.isReadable(file) { return true }
            self.issues.report(path, "\(file) is not readable")
        }
        return false
    }

    private func requireDirectory(_ directory: String, _ path: String) {
        switch self.files.kind(directory) {
        case .missing: self.issues.report(path, "\(directory) does not exist")
        case .file, .other: self.issues.report(path, "\(directory) is not a directory")
        case .directory:
            if !self.files.isReadable(directory) { self.issues.report(path, "\(directory) is not readable") }
        }
    }
}
