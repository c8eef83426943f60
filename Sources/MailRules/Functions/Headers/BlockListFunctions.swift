/// Questions to DNS block lists (SpamAssassin's DNSEval): known by name, and never answered without a resolver.
enum BlockListFunctions {
    static let all: [EvalFunction] = [
        "check_rbl_accreditor", "check_rbl", "check_rbl_ns_from", "check_rbl_txt", "check_rbl_sub", "check_rbl_from_host",
        "check_rbl_from_domain", "check_rbl_envfrom", "check_rbl_headers", "check_rbl_rcvd", "check_dns_sender",
    ].map { name in EvalFunction(name, plugin: "DNSEval", nature: .network) { _ in { _ in false } } }
}
