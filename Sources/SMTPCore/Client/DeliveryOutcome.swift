import MailTypes

/// What became of a message that was to be handed to a downstream server.
package enum DeliveryOutcome: Hashable, Sendable {
    /// The downstream has it; its own words.
    case accepted(SMTPReply)
    /// The downstream does not want it (4xx or 5xx, at DATA or at the end), or cannot be given it as it is.
    case refused(SMTPReply)
    /// The connection was lost before the end of the message was sent: the downstream has taken nothing.
    case away(reason: String)
    /// The connection was lost, or the server made no sense, after the end of the message was sent: the downstream may
    /// have taken it. To tell the client anything positive would risk a loss; a retry by the client risks a second copy.
    case unknown(reason: String)
    /// A fault of our own; nothing was taken.
    case internalError(String)
}

/// Why a connection cannot be used any longer.
package enum ConnectionLoss: Hashable, Sendable {
    case closed
    case timedOut
    /// The server takes its leave (RFC 5321 §3.8), or does not want us at all.
    case unavailable(SMTPReply)
    case malformed(ReplyError)
    /// A reply that cannot be one to what was sent.
    case unexpected(SMTPReply)
    /// The connection has no TLS and must have it, or the handshake failed.
    case insecure(String)
    /// No connection could be opened: refused, unreachable, unknown host name.
    case unreachable(String)
    /// We gave it up.
    case abandoned

    /// For the log.
    package var reason: String {
        switch self {
        case .closed: "connection closed by the downstream server"
        case .timedOut: "the downstream server did not answer in time"
        case .unavailable(let reply): "the downstream server is not available: \(reply)"
        case .malformed: "the downstream server sent what is not an SMTP reply"
        case .unexpected(let reply): "the downstream server sent an unexpected reply: \(reply)"
        case .insecure(let reason): "no trusted TLS with the downstream server: \(reason)"
        case .unreachable(let reason): "no connection to the downstream server: \(reason)"
        case .abandoned: "given up"
        }
    }

    /// What the client is told about each recipient that the downstream did not answer for.
    package var reply: SMTPReply {
        switch self {
        case .unavailable(let reply): reply.speakingForDownstream
        case .malformed, .unexpected: DownstreamReply.confused
        case .insecure: DownstreamReply.insecure
        case .closed: DownstreamReply.lost
        case .timedOut, .unreachable, .abandoned: DownstreamReply.away
        }
    }

    /// The same for a connection that never was ready: how the server refuses a greeting says nothing about recipients.
    package var replyBeforeReady: SMTPReply {
        if case .insecure = self { DownstreamReply.insecure } else { DownstreamReply.away }
    }

    /// Another attempt on a new connection may do better, and this one has been in use before: it has just gone stale.
    package var isStaleness: Bool {
        switch self {
        case .closed, .timedOut, .unavailable: true
        case .malformed, .unexpected, .insecure, .unreachable, .abandoned: false
        }
    }
}

/// Replies of our own on behalf of a downstream server (RFC 3463 §3.5).
package enum DownstreamReply {
    package static let away = SMTPReply.transient(
        .localError,
        (4, 1),
        "The destination server cannot be reached, try again later"
    )
    package static let lost = SMTPReply.transient(
        .localError,
        (4, 2),
        "The connection to the destination server was lost, try again later"
    )
    package static let busy = SMTPReply.transient(.localError, (4, 5), "The destination server is busy, try again later")
    package static let confused = SMTPReply.transient(.localError, (3, 0), "The destination server gave no usable answer")
    package static let insecure = SMTPReply.transient(
        .localError,
        (7, 5),
        "No trusted encrypted connection to the destination server, try again later"
    )
    /// RFC 6531 §3.5.
    package static let needsSMTPUTF8 = SMTPReply.permanent(
        .mailboxUnavailable,
        (6, 7),
        "The destination server takes no internationalized addresses or headers"
    )
    /// RFC 6152 §3.
    package static let needs8BitMIME = SMTPReply.permanent(
        .transactionFailed,
        (6, 3),
        "The destination server takes no 8-bit text, and it is not converted here"
    )
    package static let notOneLine = SMTPReply.permanent(.parameterSyntaxError, (5, 2), "Syntax error")
}

extension SMTPReply {
    /// This reply to give to our own client. 421 would say that *our* connection to the client closes: it becomes 451.
    package var speakingForDownstream: SMTPReply {
        guard self.code == 421 else {
            return self.isTransientFailure || self.isPermanentFailure ? self : DownstreamReply.confused
        }
        let status = self.enhanced.map { "\($0) " } ?? "4.3.2 "
        return SMTPReply.received(code: 451, lines: self.lines.map { status + $0 }) ?? DownstreamReply.away
    }
}
