import MailMessage
import MailPolicy
import MailTypes
func decide(_ findings: Findings, policy: Policy) -> PolicyDecision { PolicyDecision(disposition: .deliver, policy: policy.name, reason: "stub", score: findings.score) }
struct MessageChecks: Sendable {
  init(_ c: GatewayConfiguration) {}
  func run(message: ParsedMessage, subject: InspectionSubject) -> CheckFindings { CheckFindings() }
  func refusal(ofClient client: ClientIdentity) -> SMTPReply? { nil }
  func refusal(ofSender sender: ReversePath, client: ClientIdentity) -> SMTPReply? { nil }
}
