import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

@testable import MailRules

@Suite("The language of a text")
struct LanguageTests {
    // MARK: - Profiles

    @Test(
        "A word has n-grams of one to five octets, its ends among them",
        arguments: [
            ("", ""),
            ("a", "_ _a _a_ a a_"),
            ("ab", "_ _a _ab _ab_ a ab ab_ b b_"),
            // Twice as frequent goes first.
            ("aa", "_ a _a _aa _aa_ a_ aa aa_"),
            ("abcd", "_ _a _ab _abc _abcd a ab abc abcd abcd_ b bc bcd bcd_ c cd cd_ d d_"),
            // Digits and punctuation stand between words, an apostrophe within.
            ("a1a,a", "_ _a _a_ a a_"),
            ("a'", "_ _a _a' _a'_ ' '_ a a' a'_"),
        ]
    )
    func profile(text: String, expected: String) {
        let ngrams = expected.split(separator: " ").compactMap { NGram($0.utf8.map { $0 == UInt8(ascii: "_") ? 0 : $0 }[...]) }
        #expect(NGramProfile(Array(text.utf8), limit: 400).ngrams == ngrams)
    }

    @Test("A profile is cut to the most frequent, and to those above a frequency")
    func cutProfile() {
        let text = Array("aab aac".utf8)
        #expect(NGramProfile(text, limit: 2).ngrams == [NGram(0), NGram(0x61)])
        #expect(NGramProfile(text, limit: 0).ngrams == [])
        #expect(NGramProfile(text, above: 3, limit: 400).ngrams == [NGram(0), NGram(0x61)])
        #expect(NGramProfile(text, above: 4, limit: 400).ngrams == [])
    }

    @Test(
        "Words of four letters lose their capitals, as if in Latin-1",
        arguments: [
            ("The", "The"), ("Then", "then"), ("D'Arc", "D'Arc"), ("L'Enfant", "l'enfant"), ("then", "then"),
            ("\u{c4}PFEL", "\u{e4}pfel"), ("\u{c4}pfel", "\u{c4}pfel"), ("\u{df}ABC", "\u{df}ABC"),
        ]
    )
    func capitals(word: String, expected: String) {
        let octets = word.unicodeScalars.map { UInt8($0.value) }
        #expect(NGramProfile.lowercased(octets[...]) == expected.unicodeScalars.map { UInt8($0.value) })
    }

    // MARK: - Distances

    private static let models = LanguageModels(Array("a\nb\nab\n0 xx\nb\na\n0 yy.koi8-r\nc\n0 zz\nb\n0 zz.utf8\n".utf8))

    @Test(
        "Each n-gram adds how far it stands from its place in the model, or the penalty",
        arguments: [
            // Places count from 0, those in models from 1. The better of two models of one language counts.
            // Equally far ones stand in the order of the file.
            ("a b", "xx=2 yy.koi8-r=2 zz=10"),
            ("b a", "xx=2 yy.koi8-r=2 zz=11"),
            ("ab", "xx=3 yy.koi8-r=10 zz=10"),
            ("a b ab", "xx=3 yy.koi8-r=12 zz=20"),
            ("c", "zz=1 xx=10 yy.koi8-r=10"),
            ("", "xx=0 yy.koi8-r=0 zz=0"),
        ]
    )
    func distances(ngrams: String, expected: String) throws {
        let models = try #require(Self.models)
        let profile = NGramProfile(ngrams.split(separator: " ").compactMap { NGram(Array($0.utf8)[...]) })
        let found = models.distances(of: profile, penalty: 10)
        #expect(found.map { "\($0.language)=\($0.distance)" }.joined(separator: " ") == expected)
    }

    @Test("Languages are left out by their short names; a file without a language is none")
    func skipped() throws {
        let models = try #require(Self.models)
        let profile = NGramProfile([NGram(0x61)])
        #expect(models.distances(of: profile, penalty: 10, skipping: ["yy"]).map(\.language) == ["xx", "zz"])
        #expect(models.distances(of: profile, penalty: 10, skipping: ["xx", "yy", "zz"]).isEmpty)
        #expect(LanguageModels([]) == nil)
        #expect(LanguageModels(Array("a\nb\n0 \n".utf8)) == nil)
    }

    // MARK: - The text

    @Test(
        "What is the same in all languages is left out",
        arguments: [
            ("Re: AW:fwd: Hello", "Hello"), ("X: Hello", "X: Hello"), ("abcdefghijklm: Hello", "abcdefghijklm: Hello"),
            ("Re2: a", "Re2: a"), ("a Re: b", "a Re: b"), ("Re:", ""),
            ("see http://a.example/b?c now", "see   now"), ("a xhttps://a", "a x "), ("a http:// a", "a http:// a"),
            ("u=https%3A%2F%2Fa.b c", "u=  c"), ("a http:&#x2F;&#x2F;a", "a  "), ("a HTTP://a", "a HTTP://a"),
            ("http://a", "//a"),
            ("to me@a.example.", "to  "), ("@a.example", "@a.example"), ("me@1.example", "me@1.example"), ("me@a b", "me@a b"),
            ("a@b@cd e", "  e"), ("@a@bc", " "),
            ("at www.a.example.", "at  "), ("awww.a", "awww.a"), ("www. a", "www. a"), ("(www.a)", "( "),
        ]
    )
    func pieces(text: String, expected: String) {
        let segment = TextSegment(bytes: Array(text.utf8), part: nil, offset: 0)
        #expect(String(decoding: LanguageText([segment]).octets, as: UTF8.self) == expected)
    }

    @Test("Pieces have bounds, and so has the text")
    func bounds() {
        func length(_ text: String) -> Int {
            LanguageText([TextSegment(bytes: Array(text.utf8), part: nil, offset: 0)]).octets.count
        }
        let long = { String(repeating: "x", count: $0) }
        #expect(length(" http://" + long(1_024)) == 1 + 1)
        #expect(length(" http://" + long(1_030)) == 1 + 1 + 6)
        #expect(length("www." + long(130)) == 1 + 2)
        #expect(length(long(70) + "@" + long(129)) == 6 + 1)
        #expect(length(long(70) + "@" + long(131)) == 6 + 1 + 2)
        #expect(length(long(20_000)) == LanguageText.maximumLength)
        let segments = ["a\n", "b"].map { TextSegment(bytes: Array($0.utf8), part: nil, offset: 0) }
        #expect(LanguageText(segments).octets == Array("a\n\nb".utf8))
    }
}
