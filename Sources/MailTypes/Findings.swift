/// What a check was asked to do when it cannot do its work (design: nothing fails open silently).
package enum FailurePolicy: String, Hashable, Sendable, CaseIterable {
    case `defer`
    case accept
    case reject
}

/// How a check ended, for the log and for `outpost check`.
package struct CheckReport: Hashable, Sendable {
    /// `size`, `structure`, `sender`, `rules`, `virus`.
    package var check: String
    /// A word or a few: `pass`, `3 hits`, `timed out`.
    package var result: String
    package var microseconds: Int

    package init(check: String, result: String, microseconds: Int) {
        self.check = check
        self.result = result
        self.microseconds = microseconds
    }
}

/// Where in a message a rule matched.
package struct MatchLocation: Hashable, Sendable {
    /// `header`, `body`, `rawbody`, `full`, `uri`, `mimeheader`, `envelope`.
    package var view: String
    /// The MIME part, counted as in IMAP (RFC 9051 §6.4.5): `1`, `2.1`; empty for the message as a whole.
    package var part: String
    /// Octets from the start of the view of that part; for `header` from the start of the field's value.
    package var offset: Int
    /// What matched, cut to a length fit for a listing.
    package var text: String

    package init(view: String, part: String, offset: Int, text: String) {
        self.view = view
        self.part = part
        self.offset = offset
        self.text = text
    }
}

/// What a rule or a check asks for by itself, whatever the score.
package enum RequestedAction: Hashable, Sendable {
    case tag
    case hold
    case reject(text: String?)
    case `defer`(text: String?)
    case discard
}

/// A rule or a check of our own that found what it looks for.
package struct Hit: Hashable, Sendable {
    /// `GTUBE`; the checks' own symbols look the same: `HELO_FORGES_US`.
    package var rule: String
    package var score: Double
    package var description: String
    /// Where the rule stands; empty and 0 for a check that is compiled in.
    package var file: String
    package var line: Int
    package var locations: [MatchLocation]
    package var action: RequestedAction?
    /// How far readers of mail differ about what was found (`ambiguity_hold_score`); 0 for what has nothing to do with it.
    package var ambiguity: Double
    /// What was found, where a check has more to say than its description: for the reason of a decision.
    package var detail: String

    package init(
        rule: String,
        score: Double,
        description: String = "",
        file: String = "",
        line: Int = 0,
        locations: [MatchLocation] = [],
        action: RequestedAction? = nil,
        ambiguity: Double = 0,
        detail: String = ""
    ) {
        self.detail = detail
        self.ambiguity = ambiguity
        self.rule = rule
        self.score = score
        self.description = description
        self.file = file
        self.line = line
        self.locations = locations
        self.action = action
    }
}

/// Why a check's findings are not whole.
package enum CheckFailure: Hashable, Sendable {
    case timedOut
    /// Too much waits to be checked: it was not begun. The sender comes again, whatever `on_failure` says.
    case overloaded
    /// The detail is for the log, never for the sender.
    case failed(String)
}

/// What the checks of size, structure and sender found.
package struct CheckFindings: Hashable, Sendable {
    package var hits: [Hit]
    package var reports: [CheckReport]

    package init(hits: [Hit] = [], reports: [CheckReport] = []) {
        self.hits = hits
        self.reports = reports
    }
}

/// Why not all rules were run, although nothing failed.
package enum EarlyEnd: Hashable, Sendable {
    /// A rule with `shortcircuit` hit; nil: the score went beyond `shortcircuit_min_ham_score` or `shortcircuit_max_spam_score`.
    case shortcircuit(rule: String?)
    /// Nothing that was still to run could change what the caller asked for.
    case decided
}

/// What the `.cf` rules found.
package struct RuleFindings: Hashable, Sendable {
    /// Rules that hit and count: not `__` names, not score 0; in the order of the rule files.
    package var hits: [Hit]
    /// Rules that hit and do not count.
    package var subhits: [String]
    /// Rules that blew their limits on this message and were left out.
    package var suspended: [String]
    /// Rules on trial that hit: they are shown and counted, and change nothing.
    package var shadowHits: [Hit]
    /// What of the message was cut off before rules saw it, in words for a reader: a bound was reached.
    package var cuts: [String]
    package var earlyEnd: EarlyEnd?
    package var failure: CheckFailure?

    package init(
        hits: [Hit] = [],
        subhits: [String] = [],
        suspended: [String] = [],
        shadowHits: [Hit] = [],
        cuts: [String] = [],
        earlyEnd: EarlyEnd? = nil,
        failure: CheckFailure? = nil
    ) {
        self.hits = hits
        self.shadowHits = shadowHits
        self.cuts = cuts
        self.subhits = subhits
        self.suspended = suspended
        self.earlyEnd = earlyEnd
        self.failure = failure
    }
}

/// What the virus engine said.
package struct ScanFindings: Hashable, Sendable {
    package enum Status: Hashable, Sendable {
        case clean
        /// Signatures as the engine names them, the first found first; limits and encryption come as
        /// `Heuristics.Limits.Exceeded.*` and `Heuristics.Encrypted.*`.
        case found([String])
        /// No engine gave an answer; policy follows `on_failure`.
        case notScanned(CheckFailure)
        /// Virus scanning is switched off by the configuration.
        case off
    }

    package var status: Status
    /// `libclamav 1.4.6 / 27450`, or nil.
    package var engine: String?
    package var microseconds: Int

    package init(status: Status, engine: String? = nil, microseconds: Int = 0) {
        self.status = status
        self.engine = engine
        self.microseconds = microseconds
    }
}

/// All that is known about a message when policy decides.
package struct Findings: Hashable, Sendable {
    package var checks: CheckFindings
    package var rules: RuleFindings
    package var scan: ScanFindings
    /// nil: it was not asked who sent the message, or not found out.
    package var authentication: AuthenticationFindings?
    /// nil: nothing was asked about client, envelope and links.
    package var reputation: ReputationFindings?
    /// It was asked, and there was no answer at all.
    package var authenticationFailure: CheckFailure?

    package init(
        checks: CheckFindings = CheckFindings(),
        rules: RuleFindings = RuleFindings(),
        scan: ScanFindings = ScanFindings(status: .off),
        authentication: AuthenticationFindings? = nil
    ) {
        self.authentication = authentication
        self.checks = checks
        self.rules = rules
        self.scan = scan
    }

    package var hits: [Hit] { self.checks.hits + (self.reputation?.hits ?? []) + self.rules.hits }

    /// The sum over the checks, each kind of finding once.
    package var ambiguity: Double { self.checks.hits.reduce(0) { $0 + $1.ambiguity } }

    /// The sum over all hits.
    package var score: Double { self.hits.reduce(0) { $0 + $1.score } }
}
