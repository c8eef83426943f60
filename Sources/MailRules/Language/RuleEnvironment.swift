/// What `if` and `ifplugin` can ask for.
package struct RuleEnvironment: Hashable, Sendable {
    /// The version of SpamAssassin whose language this is, as Perl numbers it: 4.0.1 is 4.000001.
    package var version = 4.000_001
    package var perlVersion = 5.036
    /// Plugins that count as loaded. Where rule files load some themselves (`loadplugin`), the compiler puts those in their
    /// place.
    package var plugins: Set<String> = RuleEnvironment.implementedPlugins
    /// What `can(…)` and `has(…)` say yes to, beside features of plugins.
    package var features: Set<String> = RuleEnvironment.languageFeatures
    /// No rules that ask the network are run.
    package var isLocalOnly = true

    /// Stands around what SpamAssassin does not know.
    package static let ownPlugin = "Mail::SpamAssassin::Plugin::Outpost"

    package init() {}

    private static let pluginPrefix = "Mail::SpamAssassin::Plugin::"
    private static let languagePrefix = "Mail::SpamAssassin::Conf::"

    /// Plugins whose part is built in: those of the language, and those with functions that need neither network nor
    /// learning of their own.
    private static let implementedPlugins: Set<String> = {
        let language = ["AskDNS", "Check", "MIMEHeader", "Outpost", "ReplaceTags", "Shortcircuit", "URIDetail"]
        let functions = EvalCatalogue.functions.values.map(\.plugin)
        return Set((language + functions).map { pluginPrefix + $0 })
    }()

    /// Of SpamAssassin 4.0.1 itself.
    private static let languageFeatures = Set(
        """
        feature_bayes_auto_learn_on_error feature_bayes_stopwords feature_blocklist_welcomelist feature_bug6558_free
        feature_capture_rules feature_compile_regexp feature_dns_block_rule feature_dns_local_ports_permit_avoid
        feature_dns_query_restriction feature_edns feature_geodb feature_get_host feature_header_address_parser
        feature_header_first_last feature_header_match_many feature_local_tests_only feature_meta_rules_matching
        feature_originating_ip_headers feature_registryboundaries feature_subjprefix feature_uri_host_listed
        feature_welcomelist_blocklist feature_yesno_takes_args has_tflags_nolog has_tflags_nosubject
        perl_min_version_5010000
        """.split(whereSeparator: \.isWhitespace).map { languagePrefix + $0 }
    )

    /// Of the plugins of SpamAssassin 4.0.1; each is there when its plugin is loaded.
    private static let pluginFeatures = Set(
        """
        ASN::has_asn_geodb ASN::has_asn_lookup_ipv6 ASN::has_check_asn ASN::has_check_asn_tag AskDNS::has_tag_header
        BodyEval::has_check_body_length BodyEval::has_plaintext_body_sig_ratio DKIM::has_arc DNSEval::has_tflags_domains_only
        DNSEval::has_tflags_ips_only DecodeShortURLs::has_autoclean DecodeShortURLs::has_clear DecodeShortURLs::has_get
        DecodeShortURLs::has_max_redirections DecodeShortURLs::has_short_url DecodeShortURLs::has_short_url_code
        DecodeShortURLs::has_short_url_redir DecodeShortURLs::has_timeout DecodeShortURLs::has_user_agent
        HashBL::has_hashbl_attachments HashBL::has_hashbl_bodyre HashBL::has_hashbl_bodyre_num HashBL::has_hashbl_email_domain
        HashBL::has_hashbl_email_domain_alias HashBL::has_hashbl_email_regex HashBL::has_hashbl_email_welcomelist
        HashBL::has_hashbl_email_whitelist HashBL::has_hashbl_emails HashBL::has_hashbl_ignore HashBL::has_hashbl_sha256
        HashBL::has_hashbl_tag HashBL::has_hashbl_uris MIMEEval::has_check_abundant_unicode_ratio
        MIMEEval::has_check_for_ascii_text_illegal MIMEEval::has_check_qp_ratio MIMEHeader::has_all_header
        MIMEHeader::has_capture_rules MIMEHeader::has_tflags_concat MIMEHeader::has_tflags_multiple
        MIMEHeader::has_tflags_range OLEVBMacro::has_olemacro_mhtml_uri OLEVBMacro::has_olemacro_redirect_uri
        OLEVBMacro::has_olertfobject Pyzor::has_fork Pyzor::has_perl Razor2::has_fork SPF::has_check_for_spf_errors
        SPF::has_check_spf_skipped_noenvfrom URIDNSBL::has_subtest_for_ranges URIDNSBL::has_tflags_domains_only
        URIDNSBL::has_tflags_notrim URIDNSBL::has_uridnsbl_a_ns URIDNSBL::has_uridnsbl_for_a
        URIDNSBL::has_uridnsbl_skip_mailto URIDetail::has_host_key
        """.split(whereSeparator: \.isWhitespace).map { pluginPrefix + $0 }
    )

    // MARK: - Questions

    func isLoaded(plugin: String) -> Bool {
        // Gone with SpamAssassin 4.1, and until then always there.
        plugin == RuleEnvironment.pluginPrefix + "RaciallyCharged"
            || self.plugins.contains(RuleEnvironment.currentName(of: plugin))
    }

    /// `HTMLEval`, as functions name it.
    func isLoaded(pluginNamed name: String) -> Bool {
        self.plugins.contains(RuleEnvironment.pluginPrefix + name)
    }

    /// - Parameter feature: with its module: `Mail::SpamAssassin::Conf::feature_get_host`.
    func has(_ feature: String) -> Bool {
        if self.features.contains(feature) { return true }
        guard let range = feature.ranges(of: "::").last else { return false }
        let module = String(feature[..<range.lowerBound])
        guard self.isLoaded(plugin: module) else { return false }
        if RuleEnvironment.pluginFeatures.contains(feature) { return true }
        let function = String(feature[range.upperBound...])
        return KnownFunctions.plugin(of: function).map { RuleEnvironment.pluginPrefix + $0 } == module
    }

    // MARK: - Changes by rule files

    /// Forgets what counts as loaded by default: the files say themselves.
    mutating func unloadPlugins() {
        self.plugins = [RuleEnvironment.ownPlugin]
    }

    mutating func load(plugin: String) {
        self.plugins.insert(RuleEnvironment.currentName(of: plugin))
    }

    /// `enable_compat NAME`
    mutating func enable(compatibility name: String) {
        self.features.insert(RuleEnvironment.languagePrefix + "compat_" + name)
    }

    /// Two plugins have changed their names.
    private static func currentName(of plugin: String) -> String {
        switch plugin {
        case pluginPrefix + "Dmarc": pluginPrefix + "DMARC"
        case pluginPrefix + "WhiteListSubject": pluginPrefix + "WelcomeListSubject"
        default: plugin
        }
    }
}
