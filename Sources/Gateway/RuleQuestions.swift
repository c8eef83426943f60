import MailRules
import MailTypes
import SenderReputation

/// What the rules ask the DNS about one message: they say what they miss, it is asked, and they look again.
struct RuleQuestions: Sendable {
    /// Questions of one message on their way at once.
    private static let concurrency = 32

    private let rules: NetworkRules
    private var subjects: NetworkSubjects
    private let resolver: BoundedResolver
    private var book = AnswerBook()

    init(_ rules: NetworkRules, _ subjects: NetworkSubjects, resolver: BoundedResolver) {
        self.rules = rules
        self.subjects = subjects
        self.resolver = resolver
    }

    /// With the answers that can be had.
    func answered() async -> RuleQuestions {
        var result = self
        for _ in 0..<NetworkRules.maximumRounds {
            _ = result.rules.evaluate(result.subjects, &result.book)
            let questions = result.book.takeMissing()
            if questions.isEmpty { break }
            for (question, response) in await result.resolver.answers(to: questions, concurrency: Self.concurrency) {
                result.book.note(response, to: question)
            }
        }
        return result
    }

    /// The same, when it is known who signed the message.
    func answered(knowing authentication: AuthenticationFindings) async -> RuleQuestions {
        var result = self
        result.subjects.learn(authentication)
        return await result.answered()
    }

    var findings: NetworkFindings {
        var book = self.book
        return self.rules.evaluate(self.subjects, &book)
    }
}
