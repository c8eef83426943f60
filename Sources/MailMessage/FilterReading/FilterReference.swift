/// References made whole against a base as SpamAssassin does it: nearly RFC 2396 §5.2, and what has no scheme stays without
/// one unless the host says which.
enum FilterReference {
    private struct Parts {
        var scheme: ArraySlice<UInt8>?
        var authority: ArraySlice<UInt8>?
        var path: ArraySlice<UInt8>
        var query: ArraySlice<UInt8>?
        var fragment: ArraySlice<UInt8>?

        init(_ uri: [UInt8]) {
            var rest = uri[...]
            if let end = rest.firstIndex(where: { $0 == 0x3a || $0 == 0x2f || $0 == 0x3f || $0 == 0x23 }), uri[end] == 0x3a,
                end > 0
            {
                self.scheme = rest[..<end]
                rest = rest[(end + 1)...]
            }
            if rest.starts(with: [0x2f, 0x2f]) {
                let start = rest.startIndex + 2
                let end = rest[start...].firstIndex { $0 == 0x2f || $0 == 0x3f || $0 == 0x23 } ?? rest.endIndex
                self.authority = rest[start..<end]
                rest = rest[end...]
            }
            let pathEnd = rest.firstIndex { $0 == 0x3f || $0 == 0x23 } ?? rest.endIndex
            self.path = rest[..<pathEnd]
            rest = rest[pathEnd...]
            if rest.first == 0x3f {
                let end = rest.firstIndex(of: 0x23) ?? rest.endIndex
                self.query = rest[(rest.startIndex + 1)..<end]
                rest = rest[end...]
            }
            if rest.first == 0x23 {
                // A fragment ends with its line.
                self.fragment = rest.dropFirst().prefix { $0 != .lineFeed }
            }
        }
    }

    static func resolve(_ reference: [UInt8], against base: [UInt8]) -> [UInt8] {
        let reference = Parts(reference)
        let base = Parts(base)
        var scheme = reference.scheme
        if let own = scheme, let other = base.scheme, own.elementsEqual(other) { scheme = nil }
        var authority = reference.authority
        var path = [UInt8](reference.path)
        var query = reference.query
        if scheme != nil || authority != nil {
            path = self.withoutDots(path)
        } else {
            if path.isEmpty {
                path = [UInt8](base.path)
                query = query ?? base.query
            } else if path[0] == 0x2f {
                path = self.withoutDots(path)
            } else {
                path = self.withoutDots(self.merge(base, path))
            }
            authority = base.authority
        }
        scheme = scheme ?? base.scheme
        return self.compose(scheme, authority, path, query, reference.fragment)
    }

    private static func compose(
        _ scheme: ArraySlice<UInt8>?,
        _ authority: ArraySlice<UInt8>?,
        _ path: [UInt8],
        _ query: ArraySlice<UInt8>?,
        _ fragment: ArraySlice<UInt8>?
    ) -> [UInt8] {
        var result: [UInt8] = []
        if let scheme, !scheme.elementsEqual([0x30]) {
            result += scheme
            result.append(0x3a)
        } else if let authority {
            if self.begins(authority, with: self.www) {
                result += self.http
            } else if self.begins(authority, with: self.ftp) {
                result += self.ftpScheme
            }
        }
        if let authority { result += [0x2f, 0x2f] + authority }
        result += path
        if let query { result += [0x3f] + query }
        if let fragment { result += [0x23] + fragment }
        return result
    }

    private static let www = [UInt8](ascii: "www")
    private static let ftp = [UInt8](ascii: "ftp")
    private static let http = [UInt8](ascii: "http:")
    private static let ftpScheme = [UInt8](ascii: "ftp:")

    /// The word, digits, a dot.
    private static func begins(_ host: ArraySlice<UInt8>, with word: [UInt8]) -> Bool {
        let host = [UInt8](host)
        guard host.hasPrefix(word, at: 0) else { return false }
        return host.dropFirst(word.count).drop { $0.isDigit }.first == 0x2e
    }

    private static func merge(_ base: Parts, _ path: [UInt8]) -> [UInt8] {
        if base.authority != nil, base.path.isEmpty || base.path.elementsEqual([0x30]) { return [0x2f] + path }
        guard let slash = base.path.lastIndex(of: 0x2f) else { return path }
        return [UInt8](base.path[...slash]) + path
    }

    /// `.` and `..` in a path are followed.
    private static func withoutDots(_ path: [UInt8]) -> [UInt8] {
        guard path.contains(0x2e) || path == [0x30] else { return path }
        var input = path
        for start in [[0x2e, 0x2f], [0x2e, 0x2e, 0x2f]] as [[UInt8]] where input.starts(with: start) {
            input.removeFirst(start.count - 1)
            break
        }
        var output: [UInt8] = []
        var index = 0
        // Where the start of the rest is a slash that is not there.
        while index < input.count {
            let rest = input[index...]
            if rest.elementsEqual([0x30]) { break }
            if rest.starts(with: [0x2f, 0x2e]), rest.count == 2 || rest[index + 2] == 0x2f {
                if rest.count == 2 {
                    output.append(0x2f)
                    break
                }
                index += 2
            } else if rest.starts(with: [0x2f, 0x2e, 0x2e]), rest.count == 3 || rest[index + 3] == 0x2f {
                if let slash = output.lastIndex(of: 0x2f) { output.removeLast(output.count - slash) } else { output = [] }
                if rest.count == 3 {
                    output.append(0x2f)
                    break
                }
                index += 3
            } else {
                let end = input[(index + 1)...].firstIndex(of: 0x2f) ?? input.count
                output += input[index..<end]
                index = end
            }
        }
        return output
    }

    private static let protocols = ["http:", "https:", "ftp:"].map { [UInt8](ascii: $0) }

    /// What a `<base>` makes other references whole with; nil when browsers would not heed it.
    static func base(_ uri: [UInt8]) -> [UInt8]? {
        guard let scheme = self.protocols.first(where: { uri.hasPrefix($0, at: 0) }) else { return nil }
        var result = self.withoutFile(uri, from: scheme.count)
        if result.last != 0x2f { result.append(0x2f) }
        return result
    }

    /// Without `name.ext` at its end.
    private static func withoutFile(_ uri: [UInt8], from start: Int) -> [UInt8] {
        var host = start
        while host < min(uri.count, start + 2), uri[host] == 0x2f { host += 1 }
        guard let path = uri[host...].firstIndex(of: 0x2f), path > host else { return uri }
        guard let dot = uri.lastIndex(of: 0x2e), dot > path, (2...4).contains(uri.count - dot - 1) else { return uri }
        guard !uri[dot...].contains(0x2f) else { return uri }
        var name = dot
        while name > path + 1, uri[name - 1] != 0x2f, uri[name - 1] != 0x2e { name -= 1 }
        return name < dot ? [UInt8](uri[..<name]) : uri
    }
}
