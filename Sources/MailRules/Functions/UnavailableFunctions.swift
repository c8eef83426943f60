/// Functions of SpamAssassin that are known here and never hit, with the reason: rules that call them are read, and lint
/// says what they lack.
enum UnavailableFunctions {
    private struct Family {
        var plugin: String
        var nature: EvalFunction.Nature
        var names: String
        /// What they need.
        var needs: String
    }

    static let all: [EvalFunction] = families.flatMap { family in
        family.names.split(whereSeparator: \.isWhitespace).map { name in
            EvalFunction(String(name), plugin: family.plugin, nature: family.nature) { _ in { _ in false } }
        }
    }

    /// What a function lacks; nil for one that works here.
    static func reason(_ name: String) -> String? { self.reasons[name] }

    private static let reasons: [String: String] = Dictionary(
        families.flatMap { family in
            family.names.split(whereSeparator: \.isWhitespace).map { (String($0), family.needs) }
        },
        uniquingKeysWith: { first, _ in first }
    )

    private static let families: [Family] = [
        Family(
            plugin: "DNSEval",
            nature: .network,
            names: """
                check_rbl check_rbl_accreditor check_rbl_envfrom check_rbl_from_domain check_rbl_from_host check_rbl_headers \
                check_rbl_ns_from check_rbl_rcvd check_rbl_sub check_rbl_txt check_dns_sender
                """,
            needs: "asks block lists in the DNS"
        ),
        Family(plugin: "URIDNSBL", nature: .network, names: "check_uridnsbl", needs: "asks block lists in the DNS"),
        Family(
            plugin: "HashBL",
            nature: .network,
            names: "check_hashbl_attachments check_hashbl_bodyre check_hashbl_emails check_hashbl_tag check_hashbl_uris",
            needs: "asks block lists in the DNS"
        ),
        Family(plugin: "ASN", nature: .network, names: "check_asn", needs: "asks the DNS for the network of a relay"),
        Family(
            plugin: "URILocalBL",
            nature: .network,
            names: "check_uri_local_bl",
            needs: "asks the DNS for addresses of links, and a database for their countries"
        ),
        Family(
            plugin: "DecodeShortURLs",
            nature: .network,
            names: """
                short_url_200 short_url_404 short_url_chained short_url_code short_url_loop short_url_maxchain short_url_redir \
                short_url_tests
                """,
            needs: "asks services on the web what their short links stand for"
        ),
        Family(
            plugin: "DCC",
            nature: .network,
            names: "check_dcc check_dcc_reputation_range",
            needs: "asks the Distributed Checksum Clearinghouse"
        ),
        Family(plugin: "Pyzor", nature: .network, names: "check_pyzor", needs: "asks a Pyzor server"),
        Family(plugin: "Razor2", nature: .network, names: "check_razor2 check_razor2_range", needs: "asks Razor's servers"),
        Family(plugin: "Phishing", nature: .network, names: "check_phishing", needs: "reads lists that must be fetched"),
        Family(plugin: "AccessDB", nature: .network, names: "check_access_database", needs: "reads a database of Sendmail"),
        Family(plugin: "Bayes", nature: .learning, names: "check_bayes", needs: "compares with learnt messages"),
        Family(
            plugin: "AWL",
            nature: .learning,
            names: "check_from_in_auto_welcomelist check_from_in_auto_whitelist",
            needs: "remembers scores of senders"
        ),
        Family(plugin: "TxRep", nature: .learning, names: "check_senders_reputation", needs: "remembers scores of senders"),
        Family(
            plugin: "TextCat",
            nature: .learning,
            names: "check_body_8bits check_language",
            needs: "needs models of languages that come with SpamAssassin"
        ),
        // It is there so that rules can be named; SpamAssassin's own never hits.
        Family(plugin: "Shortcircuit", nature: .local, names: "check_shortcircuit", needs: "stands for another rule's decision"),
        Family(plugin: "Test", nature: .local, names: "check_test_plugin", needs: "is an example of SpamAssassin's"),
    ]
}
