import CPCRE2

/// How a pattern is read. Letters, digits and white space are those of ASCII in any case: text is matched as bytes.
package struct PatternOptions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `/i`
    package static let caseless = PatternOptions(rawValue: PCRE2_CASELESS)
    /// `/s`: a dot matches a line feed, too.
    package static let dotAll = PatternOptions(rawValue: PCRE2_DOTALL)
    /// `/m`: `^` and `$` match at every line.
    package static let multiline = PatternOptions(rawValue: PCRE2_MULTILINE)
    /// `/x`: white space and comments in the pattern do not count.
    package static let extended = PatternOptions(rawValue: PCRE2_EXTENDED)
    /// `/n`: plain parentheses do not capture.
    package static let noCapture = PatternOptions(rawValue: PCRE2_NO_AUTO_CAPTURE)
    /// Pattern and text are UTF-8; text that is not yields `.failed`.
    package static let utf = PatternOptions(rawValue: PCRE2_UTF)
}

/// Why a pattern cannot be used.
package struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
    /// PCRE2's number of the error.
    package var code: Int32
    /// Octets from the start of the pattern.
    package var offset: Int
    /// PCRE2's words.
    package var message: String

    package var description: String { "\(self.message) (at \(self.offset))" }
}

/// A compiled regular expression, to be used by any number of threads.
///
/// `@unchecked Sendable`: PCRE2 documents compiled code as read-only while matching, so one may serve all threads; the
/// pointer never changes, and the code is freed once, when the last owner is gone.
package final class Pattern: @unchecked Sendable {
    let code: OpaquePointer
    /// Searches with the machine code of the JIT where there is some.
    let match: Match
    /// Where it pays, where matches may begin; the code then takes a limit of where they may.
    let opening: PatternOpening?
    /// Whether only the places where a match may begin are tried (`PatternOpening`).
    package var isTriedAtPlaces: Bool { self.opening != nil }
    /// As it was given.
    package let source: [UInt8]
    package let options: PatternOptions
    /// Groups that capture, without the whole match.
    package let captureCount: Int
    /// Named groups and their numbers.
    package let names: [String: Int]
    /// Whether machine code was made; else the interpreter works, slower and with the same result.
    package let isJITCompiled: Bool
    /// The text must be at least this long to match.
    package let minimumLength: Int
    /// Octets of PCRE2's compiled form, in which counted repeats are written out.
    package let compiledSize: Int

    /// `pcre2_match`, or what takes the same and has no more checks to make.
    typealias Match =
        @convention(c) (
            OpaquePointer?, UnsafePointer<UInt8>?, Int, Int, UInt32, OpaquePointer?, OpaquePointer?
        ) -> Int32

    /// - Parameter isUsedOnce: for one text, for which machine code would cost more than it spares.
    /// - Throws: what is wrong with the pattern, and where.
    package init(_ source: [UInt8], options: PatternOptions = [], isUsedOnce: Bool = false) throws(PatternError) {
        let plain = try Pattern.compile(source, options)
        // What is told of openings holds for a search that can be ended behind a place.
        if !isUsedOnce, let opening = Pattern.opening(of: plain, source, options),
            let code = try? Pattern.compile(source, options, flags: PCRE2_USE_OFFSET_LIMIT)
        {
            pcre2_code_free_8(plain)
            self.code = code
            self.opening = opening
        } else {
            self.code = plain
            self.opening = nil
        }
        self.source = source
        self.options = options
        self.isJITCompiled = !isUsedOnce && pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE) == 0
        // What `pcre2_match` asks besides is whether text is UTF-8.
        self.match = self.isJITCompiled && !options.contains(.utf) ? pcre2_jit_match_8 : pcre2_match_8
        self.captureCount = Int(Pattern.number(PCRE2_INFO_CAPTURECOUNT, of: code))
        self.minimumLength = Int(Pattern.number(PCRE2_INFO_MINLENGTH, of: code))
        self.names = Pattern.names(of: code)
        self.compiledSize = Pattern.size(of: code)
    }

    private static func compile(
        _ source: [UInt8],
        _ options: PatternOptions,
        flags: UInt32 = 0
    ) throws(PatternError) -> OpaquePointer {
        var number: Int32 = 0
        var offset = 0
        // PCRE2_NEVER_BACKSLASH_C: \C would read into the middle of a UTF-8 sequence, no rule needs it.
        // PCRE2_DUPNAMES: Perl lets groups share a name.
        let flags = flags | options.rawValue | PCRE2_NEVER_BACKSLASH_C | PCRE2_DUPNAMES
        guard let code = pcre2_compile_8(source, source.count, flags, &number, &offset, nil) else {
            throw PatternError(code: number, offset: offset, message: Pattern.message(of: number))
        }
        return code
    }

    private static func size(of code: OpaquePointer) -> Int {
        var size = 0
        return pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_SIZE), &size) == 0 ? size : 0
    }

    /// nil where PCRE2 itself knows well where to look for a match: at the start of the text, or at an octet.
    private static func opening(of code: OpaquePointer, _ source: [UInt8], _ options: PatternOptions) -> PatternOpening? {
        guard self.number(PCRE2_INFO_ALLOPTIONS, of: code) & UInt32(PCRE2_ANCHORED) == 0 else { return nil }
        let start = Start(rawValue: self.number(PCRE2_INFO_FIRSTCODETYPE, of: code))
        guard let start, start != .octet else { return nil }
        return PatternOpening(source, options: options, isAtLineStart: start == .line)
    }

    /// What PCRE2 says of where matches begin (`PCRE2_INFO_FIRSTCODETYPE`).
    private enum Start: UInt32 {
        case anywhere
        case octet
        case line
    }

    package convenience init(_ source: String, options: PatternOptions = []) throws(PatternError) {
        try self.init(Array(source.utf8), options: options)
    }

    deinit {
        pcre2_code_free_8(self.code)
    }

    /// The library's version: `10.42 2022-12-11`.
    package static var libraryVersion: String {
        var buffer = [UInt8](repeating: 0, count: 64)
        let length = pcre2_config_8(UInt32(PCRE2_CONFIG_VERSION), &buffer)
        return String(decoding: buffer.prefix(Int(max(length, 1)) - 1), as: UTF8.self)
    }

    /// PCRE2's words for one of its error numbers.
    package static func message(of number: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(number, &buffer, buffer.count)
        return length < 0 ? "error \(number)" : String(decoding: buffer.prefix(Int(length)), as: UTF8.self)
    }

    private static func number(_ what: Int32, of code: OpaquePointer) -> UInt32 {
        var value: UInt32 = 0
        return pcre2_pattern_info_8(code, UInt32(what), &value) == 0 ? value : 0
    }

    /// Reads PCRE2's table of names: entries of one size, two octets of number and the name ended by NUL.
    private static func names(of code: OpaquePointer) -> [String: Int] {
        let count = Int(self.number(PCRE2_INFO_NAMECOUNT, of: code))
        let size = Int(self.number(PCRE2_INFO_NAMEENTRYSIZE, of: code))
        var table: UnsafePointer<UInt8>?
        guard count > 0, pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table) == 0, let table else { return [:] }
        var names: [String: Int] = [:]
        for index in 0..<count {
            let entry = UnsafeBufferPointer(start: table + Int(index * size), count: size)
            let name = entry.dropFirst(2).prefix { $0 != 0 }
            names[String(decoding: name, as: UTF8.self)] = Int(entry[0]) << 8 | Int(entry[1])
        }
        return names
    }
}
