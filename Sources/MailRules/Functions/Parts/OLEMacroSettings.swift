import PatternKit

/// What the functions of `OLEVBMacro` look into (`olemacro_…`).
struct OLEMacroSettings: Sendable {
    /// Attachments that are looked into.
    var maximumParts = 5
    /// Members of a zip file that are looked into; 0: none.
    var maximumMembers = 8
    /// Levels of zip files.
    var maximumDepth = 2
    /// Octets of an attachment.
    var maximumSize = 1_024_000
    /// Files of any name are looked into.
    var isExtended = false
    /// The name in Content-Disposition counts where that in Content-Type is another.
    var prefersDisposition = true

    /// Names of documents, of documents that have macros, of those that have none, and of zip files.
    var documents = Self.compiled(#"(?:doc|docx|dot|pot|ppa|pps|ppt|rtf|sldm|xl|xla|xls|xlsx|xlt|xltx|xslb)$"#)
    var macroDocuments = Self.compiled(#"(?:docm|dotm|ppam|potm|ppst|ppsm|pptm|sldm|xlm|xlam|xlsb|xlsm|xltm|xps)$"#)
    var skippedNames = Self.compiled(#"(?:dotx|potx|ppsx|pptx|sldx)$"#)
    var skippedTypes = Self.compiled(#"^(?:text/)"#)
    var zips = Self.compiled(#"(?:zip)$"#)
    /// A command that fetches a program.
    var download = Self.compiled(#"(?:cmd(?:\.exe)? /c ms\^h\^ta ht\^tps?:/\^/)"#)

    init(_ settings: RuleSettings = RuleSettings(), problems: inout [RuleProblem]) {
        let numbers: [(String, WritableKeyPath<OLEMacroSettings, Int>)] = [
            ("olemacro_num_mime", \.maximumParts), ("olemacro_num_zip", \.maximumMembers),
            ("olemacro_zip_depth", \.maximumDepth), ("olemacro_max_file", \.maximumSize),
        ]
        for (keyword, path) in numbers {
            guard let line = settings.last(keyword) else { continue }
            if let number = Int(line.text), number >= 0 {
                self[keyPath: path] = number
            } else {
                problems.append(Self.problem(line, "\(keyword) takes a number"))
            }
        }
        let switches: [(String, WritableKeyPath<OLEMacroSettings, Bool>)] = [
            ("olemacro_extended_scan", \.isExtended), ("olemacro_prefer_contentdisposition", \.prefersDisposition),
        ]
        for (keyword, path) in switches {
            guard let line = settings.last(keyword) else { continue }
            switch line.text.lowercased() {
            case "1", "yes": self[keyPath: path] = true
            case "0", "no": self[keyPath: path] = false
            default: problems.append(Self.problem(line, "\(keyword) takes 0 or 1"))
            }
        }
        let patterns: [(String, WritableKeyPath<OLEMacroSettings, Pattern?>)] = [
            ("olemacro_exts", \.documents), ("olemacro_macro_exts", \.macroDocuments), ("olemacro_skip_exts", \.skippedNames),
            ("olemacro_skip_ctypes", \.skippedTypes), ("olemacro_zips", \.zips), ("olemacro_download_marker", \.download),
        ]
        for (keyword, path) in patterns {
            guard let line = settings.last(keyword) else { continue }
            do {
                self[keyPath: path] = try Pattern(line.text, options: .caseless)
            } catch {
                problems.append(Self.problem(line, "\(keyword): the pattern cannot be compiled: \(error.message)"))
            }
        }
    }

    private static func compiled(_ source: String) -> Pattern? { try? Pattern(source, options: .caseless) }

    private static func problem(_ line: RuleSettings.Line, _ message: String) -> RuleProblem {
        RuleProblem(.error, file: line.file, line: line.line, column: line.column, message: message)
    }
}
