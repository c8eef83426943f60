/// Of what the sender wants to be told about one recipient (RFC 3461 §4.1).
package struct NotifyRequest: OptionSet, Hashable, Sendable {
    package let rawValue: Int

    package init(rawValue: Int) {
        self.rawValue = rawValue
    }

    package static let success = NotifyRequest(rawValue: 1)
    package static let failure = NotifyRequest(rawValue: 2)
    package static let delay = NotifyRequest(rawValue: 4)
    package static let never: NotifyRequest = []
    /// Without NOTIFY failures are reported; delays are left to us (RFC 3461 §4.1), and a sender who knows of one can still
    /// act on it.
    package static let unstated: NotifyRequest = [.failure, .delay]

    /// - Parameter text: the value of NOTIFY in the words of the client; what is none counts as if it were not there, so
    ///   that a failure is not kept from the sender.
    package init(_ text: String?) {
        guard let text else {
            self = .unstated
            return
        }
        let words = text.uppercased().split(separator: ",", omittingEmptySubsequences: false)
        var request: NotifyRequest = []
        for word in words {
            switch word {
            case "NEVER" where words.count == 1: break
            case "SUCCESS": request.insert(.success)
            case "FAILURE": request.insert(.failure)
            case "DELAY": request.insert(.delay)
            default:
                self = .unstated
                return
            }
        }
        self = request
    }

    package func asksFor(_ event: DeliveryEvent) -> Bool {
        switch event {
        case .failed: self.contains(.failure)
        case .delayed: self.contains(.delay)
        case .relayed, .delivered: self.contains(.success)
        }
    }
}
