import MailMessage
import MailTypes

struct MessageChecks: Sendable {
    init(_ c: GatewayConfiguration) {}
    func run(message: ParsedMessage, subject: InspectionSubject) -> CheckFindings { CheckFindings() }
}
