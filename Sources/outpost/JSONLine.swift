import Foundation

/// A value in a line of JSON output.
enum JSONValue: Encodable {
    case text(String)
    case number(Int)
    case decimal(Double)
    case null

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .decimal(let value): try container.encode(value)
        case .null: try container.encodeNil()
        }
    }
}

/// One object on one line, keys sorted: stable for programs.
func jsonLine(_ fields: [String: JSONValue]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(fields), as: UTF8.self)
}
