import MailPolicy
import MailTypes

/// What is done about messages.
extension SettingReference {
    static let policies: [Setting] = [
        Setting(
            "policies.*.max_message_size",
            .number(.octets, 1_024...2_147_483_648),
            "25MiB",
            "Larger messages are refused (552 5.3.4)."
        ),
        Setting("policies.*.tag_score", .score, "5", "Score from which a message is delivered with marks; `off` for never."),
        Setting("policies.*.hold_score", .score, "8", "Score from which a message is held in the quarantine; `off` for never."),
        Setting("policies.*.reject_score", .score, "15", "Score from which a message is refused; `off` for never."),
        Setting(
            "policies.*.ambiguity_hold_score",
            .score,
            "4",
            "Sum of *ambiguity* (`docs/checks.md`) from which a message that readers take differently is held; `off` for never."
        ),
        Setting("policies.*.archives", .section, "What archives, and files in general, may be like."),
        Setting(
            "policies.*.archives.max_members",
            .number(.count, 1...100_000),
            "5000",
            "Files in one attachment, archives within it included."
        ),
        Setting(
            "policies.*.archives.max_ratio",
            .number(.count, 1...1_000_000),
            "200",
            "Octets unpacked for one packed; counts from 10 MiB unpacked on."
        ),
        Setting(
            "policies.*.archives.max_size",
            .number(.octets, 1...2_147_483_648),
            "100MiB",
            "Everything unpacked from one message. Should not be more than `antivirus.max_file_size`."
        ),
        Setting("policies.*.archives.max_depth", .number(.count, 1...32), "5", "Archives inside archives; the outermost is 1."),
        Setting(
            "policies.*.archives.on_limit",
            words(ArchiveLimits.Action.self),
            "hold",
            "Beyond one of these limits; a refusal is 552 5.3.4."
        ),
        Setting(
            "policies.*.archives.encrypted",
            words(ArchiveLimits.Action.self),
            "hold",
            "An archive with a member that takes a password."
        ),
        Setting(
            "policies.*.archives.inconsistent",
            words(ArchiveLimits.Action.self),
            "hold",
            "A zip file whose directory and members disagree, so that programs see different files."
        ),
        Setting(
            "policies.*.archives.forbidden_names",
            .list(.text),
            "[]",
            "Names of attachments and members, `*` for any characters: `*.scr`. All readings of a name count."
        ),
        Setting(
            "policies.*.archives.forbidden_types",
            .list(.text),
            "[]",
            "Media types of attachments and members, told by their contents: `application/x-msdownload`."
        ),
        Setting(
            "policies.*.archives.on_forbidden",
            words(ArchiveLimits.Action.self),
            "reject",
            "A forbidden name or type; a refusal is 550 5.7.1."
        ),
        Setting("policies.*.virus", words(VirusAction.self), "reject", "For signatures that no line of `signatures` names."),
        Setting(
            "policies.*.signatures",
            .sections,
            "[]",
            """
            What to do about single signatures of the virus engine; the first that fits decides. Behind these stand: \
            `Heuristics.*` hold, `PUA.*` tag; a last `*` switches those off.
            """
        ),
        Setting(
            "policies.*.signatures[].match",
            .text,
            required: true,
            "Signature name, `*` for any characters; case does not count."
        ),
        Setting("policies.*.signatures[].action", words(VirusAction.self), required: true, "What is done when it fits."),
        Setting("policies.*.keep_rejected", .boolean, "true", "A copy of refused mail stays reviewable in the quarantine."),
        Setting(
            "policies.*.rules",
            .named(words(RuleAction.self)),
            "Actions for single rules and checks by name, whatever the score; `none` takes away what the rule itself asks for."
        ),
        Setting("policies.*.dmarc", .section, "What is done when DMARC fails."),
        Setting("policies.*.dmarc.reject", words(SenderAction.self), "reject", "Where the domain's owner asks for `p=reject`."),
        Setting("policies.*.dmarc.quarantine", words(SenderAction.self), "hold", "Where the owner asks for `p=quarantine`."),
        Setting(
            "policies.*.spf_fail",
            words(SenderAction.self),
            "none",
            "When SPF fails and the sender's domain has no DMARC record."
        ),
        Setting(
            "policies.*.trusted_sealers",
            .list(.domain),
            "[]",
            "Domains whose ARC seals count: what they passed on is not refused for what passing on broke."
        ),
        Setting("policies.*.on_failure", .section, "What happens when a check cannot be completed."),
        Setting(
            "policies.*.on_failure.authentication",
            words(FailurePolicy.self),
            "accept",
            "When SPF, DKIM, DMARC or ARC got no answer from the DNS; what is accepted is recorded as such."
        ),
        Setting("policies.*.on_failure.rules", words(FailurePolicy.self), "defer", "When the rules cannot be evaluated in time."),
        Setting(
            "policies.*.on_failure.virus",
            words(FailurePolicy.self),
            "When the virus scan gives no answer; without it `antivirus.on_failure`."
        ),
    ]
}
