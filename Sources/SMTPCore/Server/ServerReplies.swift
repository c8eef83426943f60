import MailTypes

/// Every reply the server gives by itself. What the session decides comes from its answers.
package enum ServerReplies {
    // MARK: - Session

    package static func greeting(hostname: String) -> SMTPReply {
        .success(.ready, nil, "\(hostname) ESMTP Outpost")
    }

    package static func hello(hostname: String, keywords: [String]) -> SMTPReply {
        .success(.ok, nil, lines: [hostname] + keywords)
    }

    package static let closing = SMTPReply.success(.closing, (0, 0), "Goodbye")
    package static let ok = SMTPReply.success(.ok, (0, 0), "OK")
    package static let readyForTLS = SMTPReply.success(.ready, (0, 0), "Ready to start TLS")
    package static let cannotVerify = SMTPReply.success(
        .cannotVerify,
        (1, 5),
        "Cannot verify the address, but will take mail for it"
    )
    package static let help = SMTPReply.success(
        .help,
        (0, 0),
        "Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT STARTTLS",
        "See RFC 5321 for what they mean"
    )

    package static func chunkTaken(octets: Int) -> SMTPReply {
        .success(.ok, (0, 0), "\(octets) octets received")
    }

    // MARK: - The server ends the session

    package static let earlyTalker = SMTPReply.permanent(.transactionFailed, (5, 1), "Client spoke before the greeting")
    package static let tooManyFromNetwork = SMTPReply.transient(
        .serviceUnavailable,
        (7, 0),
        "Too many connections from your network"
    )
    package static let tooManyConnections = SMTPReply.transient(
        .serviceUnavailable,
        (7, 0),
        "Too many connections from your address"
    )
    package static let serverBusy = SMTPReply.transient(.serviceUnavailable, (3, 2), "Too many connections, try again later")
    package static let tooManyErrors = SMTPReply.transient(.serviceUnavailable, (7, 0), "Too many errors, closing connection")
    package static let tooManyCommands = SMTPReply.transient(.serviceUnavailable, (7, 0), "Too many commands, closing connection")
    package static let timeout = SMTPReply.transient(.serviceUnavailable, (4, 2), "Timeout, closing connection")
    package static let shuttingDown = SMTPReply.transient(
        .serviceUnavailable,
        (3, 2),
        "Service is shutting down, try again later"
    )
    package static let bytesBehindStartTLS = SMTPReply.permanent(
        .transactionFailed,
        (5, 1),
        "Nothing may follow STARTTLS before its reply"
    )
    package static let tlsUnavailable = SMTPReply.transient(
        .temporaryAuthenticationFailure,
        (7, 0),
        "TLS is not available for a temporary reason"
    )

    // MARK: - Sequence

    package static let sendHelloFirst = SMTPReply.permanent(.badSequence, (5, 1), "Send EHLO or HELO first")
    package static let sendExtendedHelloFirst = SMTPReply.permanent(.badSequence, (5, 1), "Send EHLO first")
    package static let nestedMail = SMTPReply.permanent(.badSequence, (5, 1), "A transaction is already open")
    package static let needMail = SMTPReply.permanent(.badSequence, (5, 1), "Send MAIL first")
    package static let needRecipient = SMTPReply.permanent(.badSequence, (5, 1), "Send RCPT first")
    package static let noValidRecipients = SMTPReply.permanent(.transactionFailed, (5, 1), "No valid recipients")
    package static let mixedDataAndChunks = SMTPReply.permanent(.badSequence, (5, 1), "DATA and BDAT do not mix")
    package static let chunksStarted = SMTPReply.permanent(.badSequence, (5, 1), "Message content has begun")
    package static let notInTransaction = SMTPReply.permanent(.badSequence, (5, 1), "Not while a transaction is open")
    package static let alreadySecured = SMTPReply.permanent(.badSequence, (5, 1), "TLS is already in use")
    package static let needTLS = SMTPReply.permanent(.encryptionRequired, (7, 0), "Send STARTTLS first")
    package static let xclientRefused = SMTPReply.permanent(.mailboxUnavailable, (7, 1), "Not authorized to send XCLIENT")
    package static let tooManyRecipients = SMTPReply.transient(
        .insufficientStorage,
        (5, 3),
        "Too many recipients, send the message to the others separately"
    )

    // MARK: - Content

    package static let tooLarge = SMTPReply.permanent(.exceededStorage, (3, 4), "Message is larger than the limit")
    package static let containsNUL = SMTPReply.permanent(.transactionFailed, (6, 0), "Message contains a NUL octet")
    package static let bareLineEnds = SMTPReply.permanent(
        .transactionFailed,
        (6, 0),
        "Message contains a bare CR or LF, see RFC 5321 section 2.3.8"
    )
    package static let textLineTooLong = SMTPReply.permanent(.syntaxError, (6, 0), "Message contains a line that is too long")
    package static let storageFailed = SMTPReply.transient(
        .insufficientStorage,
        (3, 1),
        "Cannot store the message now, try again later"
    )
    /// The session gave no usable answer: a defect of ours, so the client shall try again.
    package static let internalError = SMTPReply.transient(.localError, (3, 0), "Internal error, try again later")

    package static func refusal(_ refusal: ContentDecoder.Refusal) -> SMTPReply {
        switch refusal {
        case .tooLarge: self.tooLarge
        case .nul: self.containsNUL
        case .bareLineEnds: self.bareLineEnds
        case .lineTooLong: self.textLineTooLong
        }
    }

    // MARK: - Syntax

    private static let malformedLine = SMTPReply.permanent(
        .syntaxError,
        (5, 2),
        "Command contains characters that are not allowed"
    )
    package static let commandTooLong = SMTPReply.permanent(.syntaxError, (5, 2), "Command line is too long")
    private static let unknownCommand = SMTPReply.permanent(.syntaxError, (5, 1), "Command not recognized")
    package static let notImplemented = SMTPReply.permanent(.notImplemented, (5, 1), "Command not implemented")
    private static let missingArgument = SMTPReply.permanent(.parameterSyntaxError, (5, 4), "Argument is missing or malformed")
    private static let unexpectedArgument = SMTPReply.permanent(.parameterSyntaxError, (5, 4), "Command takes no argument")
    private static let badGreetingName = SMTPReply.permanent(.parameterSyntaxError, (5, 4), "Not a host name or address literal")
    private static let badSender = SMTPReply.permanent(.parameterSyntaxError, (1, 7), "Malformed sender address")
    private static let badRecipient = SMTPReply.permanent(.parameterSyntaxError, (1, 3), "Malformed recipient address")
    private static let internationalAddress = SMTPReply.permanent(
        .mailboxNameNotAllowed,
        (6, 7),
        "Internationalized address without SMTPUTF8"
    )
    private static let unknownParameter = SMTPReply.permanent(.parametersNotRecognized, (5, 4), "Parameter not recognized")
    private static let badParameter = SMTPReply.permanent(.parameterSyntaxError, (5, 4), "Malformed parameter")

    package static func syntax(_ error: CommandSyntaxError) -> SMTPReply {
        switch error {
        case .malformedLine: self.malformedLine
        case .unknownCommand: self.unknownCommand
        case .notImplemented: self.notImplemented
        case .missingArgument: self.missingArgument
        case .unexpectedArgument: self.unexpectedArgument
        case .badGreetingName: self.badGreetingName
        case .badSender: self.badSender
        case .badRecipient: self.badRecipient
        case .internationalAddress: self.internationalAddress
        case .unknownParameter: self.unknownParameter
        case .badParameter, .badChunk, .unreadableChunk: self.badParameter
        }
    }
}
