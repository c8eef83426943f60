import MailTypes
import Testing

@Suite("Sets of networks")
struct NetworkSetTests {
    @Test(
        "The first network that has an address decides",
        arguments: [
            ("192.168.0.0/16", "192.168.3.4", true), ("192.168.", "192.168.3.4", true), ("192.168", "192.169.3.4", false),
            ("10/8", "10.255.0.1", true), ("10.0.0.0/255.0.0.0", "10.1.1.1", true), ("10.0.0.0/255.0.255.0", "10.1.1.1", nil),
            ("!10.0.1.5 10.0.1/24", "10.0.1.5", false), ("!10.0.1.5 10.0.1/24", "10.0.1.6", true),
            ("10.0.1/24 !10.0.1.5", "10.0.1.5", true), ("2001:db8::/32", "2001:db8:1::1", true),
            ("!2001:db8:1::/64 2001:db8::/32", "2001:db8:1::7", false), ("[2001:db8::1]", "2001:db8::1", true),
            ("fe80::1%eth0", "fe80::1", true), ("!0/0 127/8", "127.0.0.1", false), ("0/0", "8.8.8.8", true),
            ("::/0", "8.8.8.8", true), ("192.0.2.1-192.0.2.7", "192.0.2.7", true), ("192.0.2.1-192.0.2.7", "192.0.2.8", false),
            ("192.0.2.256", "192.0.2.1", nil), ("192.0.2.0/33", "192.0.2.1", nil), ("mail.example.org", "192.0.2.1", nil),
            ("2001:db8::/129", "2001:db8::1", nil), ("::ffff:192.0.2.1", "192.0.2.1", true),
        ] as [(String, String, Bool?)]
    )
    func contains(_ networks: String, _ address: String, _ expected: Bool?) throws {
        var set = NetworkSet()
        let isValid = networks.split(separator: " ").allSatisfy { set.add($0) }
        #expect(isValid == (expected != nil))
        if let expected { #expect(set.contains(try #require(IPAddress(address))) == expected) }
    }
}
