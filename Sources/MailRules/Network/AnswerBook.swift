import MailTypes

/// What has been asked of the DNS for one message, and what was answered. Rules look in it; what they miss is asked, and they look
/// again.
package struct AnswerBook: Sendable {
    /// Questions for one message: the stock rules ask some ten lists about each of 20 domains at most; what asks more has been made
    /// to cost time.
    package static let maximumQuestions = 500

    private var answers: [DNSQuestion: DNSResponse] = [:]
    private var missing: [DNSQuestion] = []
    private var isMissing: Set<DNSQuestion> = []

    package init() {}

    /// Questions that got no answer, or were too many.
    package var unanswered: Int {
        self.answers.values.count { if case .failure = $0.outcome { true } else { false } }
    }

    /// nil while the answer is not there.
    mutating func ask(_ name: DNSName, _ type: DNSRecordType) -> DNSResponse? {
        let question = DNSQuestion(name, type)
        if let known = self.answers[question] { return known }
        if self.isMissing.insert(question).inserted { self.missing.append(question) }
        return nil
    }

    /// What is to be asked next.
    package mutating func takeMissing() -> [DNSQuestion] {
        let room = max(Self.maximumQuestions - self.answers.count, 0)
        let taken = Array(self.missing.prefix(room))
        for question in self.missing.dropFirst(room) {
            self.answers[question] = DNSResponse(.failure(.failed("too many questions")))
        }
        self.missing = []
        self.isMissing = []
        return taken
    }

    package mutating func note(_ response: DNSResponse, to question: DNSQuestion) {
        self.answers[question] = response
    }
}
