/// The words a line of a rule file may start with.
enum RuleKeywords {
    /// Those that mean something here.
    static let ours: [String] = [
        "action", "askdns", "attachment", "body", "describe", "else", "enable_compat", "endif", "envelope", "full", "header",
        "if",
        "ifplugin", "include", "lang", "loadplugin", "meta", "mimeheader", "priority", "rawbody", "replace_end",
        "replace_inter", "replace_post", "replace_pre", "replace_rules", "replace_start", "replace_tag", "require_version",
        "reuse", "score", "shortcircuit", "stage", "test", "tflags", "tryplugin", "uri", "uri_detail", "uridnsbl", "uridnssub",
        "urifullnsrhsbl", "urifullnsrhssub", "urinsrhsbl", "urinsrhssub", "urirhsbl", "urirhssub",
    ]

    /// Those inside `ifplugin Mail::SpamAssassin::Plugin::Outpost` only, for SpamAssassin does not know them.
    static let ownAdditions: Set<String> = ["action", "envelope", "attachment", "stage"]

    /// Those that define a rule.
    static let definitions: Set<String> = [
        "askdns", "attachment", "body", "envelope", "full", "header", "meta", "mimeheader", "rawbody", "uri", "uri_detail",
    ]

    /// What `tflags` knows, beside `maxhits=N` and `range=N-N`.
    static let flags: Set<String> = [
        "a", "autolearn_body", "autolearn_force", "autolearn_header", "concat", "domains_only", "ips_only", "learn", "multiple",
        "net", "nice", "noautolearn", "nolog", "nopublish", "nosubject", "notrim", "ns", "publish", "userconf",
    ]

    /// Settings, in today's spelling, that steer evaluation or functions here. The others are kept as well, with a note.
    static let honoured = Set(
        """
        adsp_override asn_lookup asn_lookup_ipv6 asn_prefix asn_use_dns authres_ignored_authserv authres_networks
        authres_trusted_authserv clear_asn_lookups clear_dns_query_restriction def_welcomelist_auth def_welcomelist_from_dkim
        def_welcomelist_from_spf dns_query_restriction freemail_import_def_welcomelist_auth freemail_import_welcomelist_auth
        freemail_max_body_emails freemail_max_body_freemails freemail_skip_bulk_envfrom freemail_skip_when_over_max
        hashbl_email_domain_alias hashbl_ignore rbl_headers unwelcomelist_auth unwelcomelist_from_dkim unwelcomelist_from_spf
        welcomelist_allows_relays welcomelist_auth welcomelist_bounce_relays welcomelist_from_dkim welcomelist_from_spf
        all_spam_to blocklist_from blocklist_subject blocklist_to blocklist_uri_host body_part_scan_size
        clear_uridnsbl_skip_domain dns_available skip_rbl_checks skip_uribl_checks uridnsbl_max_domains uridnsbl_skip_domain
        uridnsbl_skip_mailto
        clear_internal_networks clear_msa_networks clear_originating_ip_headers clear_trusted_networks clear_url_shortener
        clear_util_rb def_welcomelist_from_rcvd delist_uri_host enlist_addrlist enlist_uri_host envelope_sender_header
        fns_add_addrlist fns_check fns_extrachars fns_ignore_dkim fns_ignore_headers fns_remove_addrlist
        freemail_domains freemail_welcomelist internal_networks more_spam_to msa_networks normalize_charset ok_locales
        originating_ip_headers parse_dkim_uris rawbody_part_scan_size redirector_pattern shortcircuit_ham_score shortcircuit_max_spam_score
        shortcircuit_min_ham_score shortcircuit_spam_score trusted_networks unblocklist_from unwelcomelist_from
        unwelcomelist_from_rcvd url_shortener url_shortener_get util_rb_2tld util_rb_3tld util_rb_tld welcomelist_from
        welcomelist_from_rcvd welcomelist_subject welcomelist_to welcomelist_uri_host
        inactive_languages ok_languages textcat_acceptable_score textcat_max_languages textcat_max_ngrams textcat_optimal_ngrams
        """.split(whereSeparator: \.isWhitespace).map(String.init)
    )

    /// Where a setting that has no meaning here has its counterpart.
    static let counterparts = [
        "add_header": "headers of delivered mail are the gateway's own",
        "dns_server": "dns.servers of the configuration",
        "report_safe": "a held message waits in the quarantine as it came",
        "required_score": "tag_score, hold_score and reject_score of the policy",
        "rewrite_header": "headers of delivered mail are only added to",
        "time_limit": "the time of an inspection is the gateway's",
    ]

    /// Settings of SpamAssassin 4.0 and its plugins, in today's spelling.
    static let settings = Set(
        """
        add_header adsp_override all_spam_to allow_user_rules always_trust_envelope_sender asn_lookup
        asn_lookup_ipv6 asn_prefer_geodb asn_prefix asn_use_dns asn_use_geodb authres_ignored_authserv
        authres_networks authres_trusted_authserv auto_welcomelist_db_modules auto_welcomelist_distinguish_signed
        auto_welcomelist_factor auto_welcomelist_factory auto_welcomelist_file_mode auto_welcomelist_ipv4_mask_len
        auto_welcomelist_ipv6_mask_len auto_welcomelist_path bayes_auto_expire bayes_auto_learn
        bayes_auto_learn_on_error bayes_auto_learn_threshold_nonspam bayes_auto_learn_threshold_spam
        bayes_expiry_max_db_size bayes_file_mode bayes_ignore_from bayes_ignore_header bayes_ignore_to
        bayes_journal_max_size bayes_learn_during_report bayes_learn_to_journal bayes_max_token_length
        bayes_min_ham_num bayes_min_spam_num bayes_path bayes_seen_ttl bayes_sql_dsn bayes_sql_override_username
        bayes_sql_password bayes_sql_username bayes_sql_username_authorized bayes_stopword_languages
        bayes_store_module bayes_token_sources bayes_token_ttl bayes_use_hapaxes blocklist_from blocklist_subject
        blocklist_to blocklist_uri_host body_part_scan_size clear_asn_lookups clear_dns_query_restriction
        clear_dns_query_restrictions clear_dns_servers clear_headers clear_internal_networks clear_msa_networks
        clear_originating_ip_headers clear_report_template clear_trusted_networks clear_unsafe_report_template
        clear_uridnsbl_skip_domain clear_url_shortener clear_util_rb country_db_path country_db_type dcc_body_max
        dcc_dccifd_path dcc_fuz1_max dcc_fuz2_max dcc_home dcc_learn_score dcc_options dcc_path dcc_rep_percent
        dcc_timeout dccifd_options def_welcomelist_auth def_welcomelist_from_dkim def_welcomelist_from_rcvd
        def_welcomelist_from_spf delist_uri_host dkim_minimum_key_bits dkim_timeout dmarc_save_reports dns_available
        dns_block_rule dns_block_time dns_local_ports_avoid dns_local_ports_none dns_local_ports_permit dns_options
        dns_query_restriction dns_server dns_test_interval dnsbl do_not_use_mail_spf do_not_use_mail_spf_query
        enlist_addrlist enlist_uri_host envelope_sender_header extracttext_maxparts extracttext_timeout
        fns_add_addrlist fns_check fns_extrachars fns_ignore_dkim fns_ignore_headers fns_remove_addrlist fold_headers
        freemail_add_describe_email freemail_domains freemail_import_def_welcomelist_auth
        freemail_import_welcomelist_auth freemail_max_body_emails freemail_max_body_freemails
        freemail_skip_bulk_envfrom freemail_skip_when_over_max freemail_welcomelist geodb_module geodb_options
        geodb_search_path hashbl_email_domain_alias hashbl_email_regex hashbl_email_welcomelist hashbl_ignore
        ignore_always_matching_regexps ignore_received_spf_header inactive_languages internal_networks lock_method
        max_short_url_redirections max_short_urls mbox_format_from_regex more_spam_to msa_networks normalize_charset
        ok_languages ok_locales olemacro_download_marker olemacro_extended_scan olemacro_exts olemacro_macro_exts
        olemacro_max_file olemacro_num_mime olemacro_num_zip olemacro_prefer_contentdisposition olemacro_skip_ctypes
        olemacro_skip_exts olemacro_zip_depth olemacro_zips originating_ip_headers parse_dkim_uris
        phishing_openphish_feed phishing_phishstats_feed phishing_phishstats_minscore phishing_phishtank_feed
        phishing_uri_noparam pyzor_count_min pyzor_fork pyzor_max pyzor_options pyzor_path pyzor_perl
        pyzor_server_file pyzor_timeout pyzor_welcomelist_factor pyzor_welcomelist_min rawbody_part_scan_size
        razor_config razor_fork razor_timeout rbl_headers rbl_timeout redirector_pattern remove_header report
        report_charset report_contact report_hostname report_safe report_safe_copy_headers report_template
        report_wrap_width required_score resource_limit_cpu resource_limit_mem rewrite_header rewrite_subject
        run_reuse_tests_only shortcircuit_ham_score shortcircuit_max_spam_score shortcircuit_min_ham_score
        shortcircuit_spam_score skip_rbl_checks skip_uribl_checks spamcop_from_address spamcop_max_report_size
        spamcop_relayhost spamcop_to_address spf_timeout subjprefix textcat_acceptable_score textcat_max_languages
        textcat_max_ngrams textcat_optimal_ngrams time_limit trigger_config trigger_ratio trigger_target
        trusted_networks txrep_autolearn txrep_dilution_factor txrep_expiry_days txrep_factor txrep_factory
        txrep_ipv4_mask_len txrep_ipv6_mask_len txrep_learn_bonus txrep_learn_penalty txrep_report_details txrep_spf
        txrep_track_messages txrep_user2global_ratio txrep_weight_domain txrep_weight_email txrep_weight_email_ip
        txrep_weight_helo txrep_weight_ip txrep_welcomelist_out unblocklist_from unsafe_report unsafe_report_template
        unwelcomelist_auth unwelcomelist_from unwelcomelist_from_dkim unwelcomelist_from_rcvd unwelcomelist_from_spf
        uri_block_cc uri_block_cidr uri_block_cont uri_block_exclude uri_block_isp uri_country_db_isp_path
        uri_country_db_path uri_host_lists uridnsbl_max_domains uridnsbl_skip_domain uridnsbl_skip_mailto
        uridnsbl_timeout
        url_shortener url_shortener_cache_autoclean url_shortener_cache_dsn url_shortener_cache_password
        url_shortener_cache_ttl url_shortener_cache_type url_shortener_cache_username url_shortener_get
        url_shortener_loginfo url_shortener_timeout url_shortener_user_agent use_auto_welcomelist use_bayes
        use_bayes_rules use_dcc use_dcc_rep use_learner use_newest_received_spf_header use_pyzor use_razor2 use_txrep
        user_awl_dsn user_awl_sql_override_username user_awl_sql_password user_awl_sql_table user_awl_sql_username
        user_scores_dsn user_scores_fallback_to_global user_scores_ldap_password user_scores_ldap_username
        user_scores_sql_custom_query user_scores_sql_password user_scores_sql_username util_rb_2tld util_rb_3tld
        util_rb_tld version_tag welcomelist_allows_relays welcomelist_auth welcomelist_bounce_relays welcomelist_from
        welcomelist_from_dkim welcomelist_from_rcvd welcomelist_from_spf welcomelist_subject welcomelist_to
        welcomelist_uri_host
        """.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
    )

    /// Settings whose name ends in a name of the author's choice.
    private static let openSettings = ["bayes_stopword_", "extracttext_", "hashbl_acl_"]

    static func isSetting(_ name: String) -> Bool {
        self.settings.contains(self.currentName(of: name)) || self.openSettings.contains { name.hasPrefix($0) }
    }

    /// A setting's name as SpamAssassin 4 spells it: `welcomelist_from` for `whitelist_from`.
    static func currentName(of setting: String) -> String {
        switch setting {
        case "required_hits": "required_score"
        case "clear_dns_query_restrictions": "clear_dns_query_restriction"
        default: setting.replacing("whitelist", with: "welcomelist").replacing("blacklist", with: "blocklist")
        }
    }

    /// Whether a setting, in today's spelling, means something here.
    static func isHonoured(_ name: String) -> Bool {
        self.honoured.contains(name) || name.hasPrefix("hashbl_acl_") || name.hasPrefix("olemacro_")
    }

    /// The known word that looks most like an unknown one.
    static func suggestion(for word: String) -> String? {
        Spelling(self.ours + self.settings.sorted()).nearest(to: word)
    }
}
