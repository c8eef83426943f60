import PatternKit
import Testing

@testable import MailRules

/// Patterns as Perl reads them with `/aa`, on octets. Perl 5.36 gives each of these answers, but for two that it refuses.
@Suite("Patterns of Perl")
struct PerlPatternTests {
    @Test(
        "Match what Perl matches",
        arguments: [
            // Letters of ISO 8859-1 have capitals, and none of them is a \w.
            ("/\\xe9/i", [0xc9], true), ("/\\xe9/", [0xc9], false), ("/\\xC3/i", [0xe3], true), ("/[\\xe9]/i", [0xc9], true),
            ("/[\\xe0-\\xe9]/i", [0xc9], true), ("/[\\xe0-\\xe9]/i", [0xca], false), ("/[^\\xe9]/i", [0xc9], false),
            ("/\\xf7/i", [0xd7], false), ("/\\xff/i", [0xdf], false), ("/\\w/", [0xe9], false), ("/(?i)\\xe9/", [0xc9], true),
            ("/(?i:a)\\xe9/", [0x41, 0xc9], false), ("/(?-i:\\xe9)/i", [0xc9], false), ("/((?i)x)\\xe9/", [0x78, 0xc9], false),
            ("/(?^:\\xe9)/i", [0xc9], false), ("/\\351/i", [0xc9], true), ("/\\o{351}/i", [0xc9], true),
            // Characters above 0xff match no octet; those with a form below do without regard to case.
            ("/a\\x{0456}?b/", [0x61, 0x62], true), ("/a[\\x{0456}b]/", [0x61, 0x62], true), ("/[\\x{0456}]/", [0x56], false),
            ("/[^\\x{0456}]/", [0xd1], true), ("/\\x{2019}|a/", [0x61], true), ("/\\x{178}/i", [0xff], true),
            ("/\\x{178}/", [0xff], false), ("/\\x{3bc}/i", [0xb5], true), ("/\\x{212a}/i", [0x6b], false),
            ("/[a-\\x{2019}]/", [0xe2], true), ("/[\\x{2000}-\\x{2019}a]/", [0x61], true), ("/\\N{U+e9}/", [0xe9], true),
            // Quantifiers.
            ("/^a{,2}b/", [0x61, 0x61, 0x62], true), ("/^a{ 1, 2 }b/", [0x61, 0x62], true),
            ("/a{x}/", [0x61, 0x7b, 0x78, 0x7d], true),
            ("/^[{,2}]$/", [0x2c], true), ("/^a++b/", [0x61, 0x61, 0x62], true),
            ("/^a$?b/", [0x61, 0x62], true), ("/a$?$/", [0x61], true), ("/a\\b?b/", [0x61, 0x62], true),
            // Flags that mean nothing to octets.
            ("/(?aa)a/", [0x61], true), ("/(?^aai:A)/", [0x61], true), ("/(?u:a)/", [0x61], true), ("/a/aai", [0x41], true),
            // Sets, ends, names.
            ("/^\\h$/", [0xa0], true), ("/^\\v$/", [0x85], true), ("/^\\R$/", [0x0d, 0x0a], true),
            ("/a\\z/", [0x61, 0x0a], false),
            ("/a\\Z/", [0x61, 0x0a], true), ("/a$/", [0x61, 0x0a], true), ("/^\\s$/", [0x0b], true), ("/^\\p{L}$/", [0xe9], true),
            ("/(?<A>a)|(?<A>b)/", [0x62], true), ("/(?P<q>a)(?P=q)/", [0x61, 0x61], true),
            ("/a@b\\$/", [0x61, 0x40, 0x62, 0x24], true),
            // What looks like the start of something and is not.
            ("/[]a]/", [0x5d], true), ("/[[:alpha:]\\xe9]/i", [0xc9], true), ("/[\\]\\xe9]/i", [0xc9], true),
            ("/\\[\\xe9/i", [0x5b, 0xc9], true),
            ("/a (?#[) b/x", [0x61, 0x62], true), ("/a\\Q[\\E/", [0x61, 0x5b], true), ("m{a{1,2}}", [0x61, 0x61], true),
        ] as [(String, [UInt8], Bool)]
    )
    func matches(literal: String, text: [UInt8], matches: Bool) throws {
        let pattern = try PatternLiteral(Array(literal.utf8)[...]).compile().pattern
        #expect((PatternMatcher().search(pattern, in: text) != .noMatch) == matches)
    }

    @Test("A character that no octet can be is named, and the rule stands")
    func impossible() {
        let compilation = compile("body A /b[i\\x{0456}]t/i")
        #expect(compilation.ruleSet != nil)
        #expect(
            compilation.problems.map(\.description) == [
                "test.cf:1:12: warning: U+456 never matches: text is matched as octets "
                    + "(write the octets of UTF-8, as in \\xe2\\x82\\xac for the euro sign)"
            ]
        )
    }
}
