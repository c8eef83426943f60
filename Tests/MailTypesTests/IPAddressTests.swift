import MailTypes
import Testing

@Suite("IP addresses and networks")
struct IPAddressTests {
    @Test(
        "text is read and printed in its canonical form",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
            ("::1", "::1"),
            ("1::", "1::"), ("2001:DB8::1", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:c000:201", "192.0.2.1"), ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
            ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ]
    )
    func canonical(_ text: String, _ printed: String) {
        #expect(IPAddress(text)?.description == printed)
        #expect(IPAddress(text).flatMap { IPAddress($0.description) } == IPAddress(text))
    }

    @Test(
        "what is no address is refused",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", "+1.2.3.4", "a.b.c.d",
            "1..2.3", ":",
            ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "::1%eth0", "[::1]", "1:2:3:4:5:6:7:8::",
            "::1.2.3", "1.2.3.4::", ":1", "1:", "::+1", "::-1", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::ffff:01.2.3.4",
        ]
    )
    func refused(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test("octets go both ways")
    func octets() {
        for text in ["192.0.2.1", "2001:db8::ff00:42:8329", "::1"] {
            let address = IPAddress(text)
            #expect(address.flatMap { IPAddress(octets: $0.octets) } == address)
        }
        #expect(IPAddress(octets: [1, 2, 3]) == nil)
        #expect(IPAddress("192.0.2.1")?.octets == [192, 0, 2, 1])
    }

    @Test("literals, order and loopback")
    func properties() {
        #expect(IPAddress("192.0.2.1")?.addressLiteral == "[192.0.2.1]")
        #expect(IPAddress("::1")?.addressLiteral == "[IPv6:::1]")
        #expect(IPAddress.loopback4.isLoopback && IPAddress.loopback6.isLoopback)
        #expect(IPAddress("127.9.9.9")?.isLoopback == true && IPAddress("128.0.0.1")?.isLoopback == false)
        #expect(IPAddress(v4: 1) < IPAddress(v4: 2) && IPAddress(v4: .max) < .loopback6)
    }

    @Test(
        "networks contain what their prefix says",
        arguments: [
            ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.77/24", "192.0.2.1", true), ("192.0.2.0/24", "192.0.3.0", false),
            ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false), ("::/0", "2001:db8::1", true),
            ("::/0", "1.2.3.4", false),
            ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false), ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false), ("2001:db8::/65", "2001:db8::7fff:0:0:1", true),
            ("2001:db8::/65", "2001:db8::8000:0:0:1", false), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.3/31", "192.0.2.2", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("::ffff:10.0.0.0/104", "11.1.2.3", false),
        ]
    )
    func contains(_ network: String, _ address: String, _ expected: Bool) throws {
        let parsed = try #require(IPNetwork(network))
        #expect(try parsed.contains(#require(IPAddress(address))) == expected)
        #expect(IPNetwork(parsed.description) == parsed)
    }

    @Test(
        "what is no network is refused",
        arguments: [
            "", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "10/8", "1.2.3.4/+8", "1.2.3.4/٣",
            "::ffff:1.2.3.4/95",
        ]
    )
    func refusedNetwork(_ text: String) {
        #expect(IPNetwork(text) == nil)
    }
}
