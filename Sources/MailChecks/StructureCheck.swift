import MailMessage
import MailTypes

/// Makes hits of what the parser found wrong: one for each kind, with all places.
package struct StructureCheck: Sendable {
    package init() {}

    package func run(_ message: ParsedMessage) -> CheckFindings {
        self.run(message.anomalies + message.readings.anomalies) {
            message.parts.indices.contains($0) ? message.parts[$0].path : ""
        }
    }

    /// - Parameter path: the IMAP path of the part with that index.
    func run(_ anomalies: [StructureAnomaly], path: (Int) -> String) -> CheckFindings {
        let byKind = Dictionary(grouping: anomalies, by: \.kind)
        let hits = StructureAnomaly.Kind.allCases.compactMap { kind in
            byKind[kind].map { found in
                kind.symbol.hit(
                    found.map { MatchLocation(view: "full", part: path($0.part), offset: $0.offset, text: $0.detail) },
                    detail: found.first?.detail ?? ""
                )
            }
        }
        return CheckFindings(check: "structure", hits: hits)
    }
}

extension StructureAnomaly.Kind {
    var symbol: CheckSymbol {
        switch self {
        case .headerTooLong: .headerTooLong
        case .headerLineWithoutColon: .headerLineWithoutColon
        case .missingHeaderEnd: .missingHeaderEnd
        case .partAfterClose: .partAfterClose
        case .encodedMessage: .encodedMessage
        case .tooDeep: .tooDeep
        case .tooManyParts: .tooManyParts
        case .missingBoundary: .missingBoundary
        case .unclosedMultipart: .unclosedMultipart
        case .duplicateContentType: .duplicateContentType
        case .duplicateTransferEncoding: .duplicateTransferEncoding
        case .duplicateBoundary: .duplicateBoundary
        case .unknownTransferEncoding: .unknownTransferEncoding
        case .encodedMultipart: .encodedMultipart
        case .brokenBase64: .brokenBase64
        case .brokenQuotedPrintable: .brokenQuotedPrintable
        case .nulInHeader: .nulInHeader
        case .eightBitHeader: .eightBitHeader
        case .duplicateParameter: .duplicateParameter
        case .duplicateDisposition: .duplicateDisposition
        case .twoBoundaries: .twoBoundaries
        case .oddBoundary: .oddBoundary
        case .boundaryWithoutMultipart: .boundaryWithoutMultipart
        case .boundaryPrefix: .boundaryPrefix
        case .undeclaredPart: .undeclaredPart
        case .oddType: .oddType
        case .parameterComment: .parameterComment
        case .parameterQuoting: .parameterQuoting
        case .parameterSpace: .parameterSpace
        case .parameterContinuation: .parameterContinuation
        case .twoNames: .twoNames
        case .namesDiffer: .namesDiffer
        case .fieldNameSpace: .fieldNameSpace
        case .hiddenField: .hiddenField
        case .bareReturnInHeader: .bareReturnInHeader
        case .blankHeaderLine: .blankHeaderLine
        case .oddTransferEncoding: .oddTransferEncoding
        case .base64Padding: .base64Padding
        case .base64Gap: .base64Gap
        case .base64Lines: .base64Lines
        case .quotedSmallLetters: .quotedSmallLetters
        case .quotedLineEnds: .quotedLineEnds
        case .uuencodedFile: .uuencodedFile
        case .inlineFile: .inlineFile
        case .hiddenContent: .hiddenContent
        case .readingsCut: .readingsCut
        }
    }
}
