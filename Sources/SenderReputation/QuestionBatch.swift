import MailTypes

extension DNSResolver {
    /// Asks several questions, some at once.
    /// - Parameter concurrency: questions on their way at once.
    package func answers(
        to questions: [DNSQuestion],
        concurrency: Int
    ) async -> [(question: DNSQuestion, response: DNSResponse)] {
        await withTaskGroup(of: (DNSQuestion, DNSResponse).self) { group in
            var result: [(question: DNSQuestion, response: DNSResponse)] = []
            var next = 0
            func start() {
                guard next < questions.count else { return }
                let question = questions[next]
                next += 1
                group.addTask { (question, await self.resolve(question.name, question.type)) }
            }
            for _ in 0..<min(concurrency, questions.count) { start() }
            for await (question, response) in group {
                result.append((question, response))
                start()
            }
            return result
        }
    }
}
