import DeliveryCore
import MailTypes
import Testing

@Suite("Which message goes next")
struct FlushOrderTests {
    private func drain(_ order: inout FlushOrder<String>) -> [String] {
        var ids: [String] = []
        while let id = order.next() {
            ids.append(id)
            order.finished(id)
        }
        return ids
    }

    @Test("senders take turns, and each sender's oldest goes first")
    func turns() {
        var order = FlushOrder<String>()
        for age in [5, 3, 4, 1, 2] { order.add("a\(age)", sender: "a.example", queuedAt: age) }
        order.add("b1", sender: "b.example", queuedAt: 100)
        order.add("c1", sender: "", queuedAt: 99)
        order.add("c2", sender: "", queuedAt: 99)
        #expect(order.waitingCount == 8)
        #expect(self.drain(&order) == ["a1", "b1", "c1", "a2", "c2", "a3", "a4", "a5"])
        #expect(order.isEmpty)
    }

    @Test("a single message does not wait for ten thousand of another sender")
    func fairness() {
        var order = FlushOrder<Int>(limit: 2)
        for id in 0..<10_000 { order.add(id, sender: "bulk.example", queuedAt: id) }
        #expect(order.next() == 0)
        order.add(-1, sender: "person.example", queuedAt: 20_000)
        #expect(order.next() == 1)
        order.finished(0)
        #expect(order.next() == -1)
    }

    @Test("only so many are under way")
    func limit() {
        var order = FlushOrder<Int>(limit: 3)
        for id in 0..<5 { order.add(id, sender: "\(id)", queuedAt: 0) }
        #expect([order.next(), order.next(), order.next(), order.next()] == [0, 1, 2, nil])
        #expect(order.inFlight == [0, 1, 2])
        order.finished(1)
        #expect(order.next() == 3)
        #expect(order.next() == nil)
        // At least one goes, whatever is asked for.
        var none = FlushOrder<Int>(limit: 0)
        none.add(1, sender: "", queuedAt: 0)
        #expect(none.next() == 1)
    }

    @Test("what waits or is under way is not added again; what is removed does not go")
    func addAndRemove() {
        var order = FlushOrder<Int>()
        order.add(1, sender: "a", queuedAt: 1)
        order.add(1, sender: "a", queuedAt: 1)
        #expect(order.next() == 1)
        order.add(1, sender: "a", queuedAt: 1)
        #expect(order.next() == nil)
        order.finished(1)
        order.add(1, sender: "a", queuedAt: 1)
        order.remove(1)
        #expect(order.next() == nil)
        // Removed and added again with another time: the new time counts.
        order.add(2, sender: "a", queuedAt: 1)
        order.add(3, sender: "a", queuedAt: 2)
        order.remove(2)
        order.add(2, sender: "a", queuedAt: 3)
        #expect(order.next() == 3)
        #expect(order.next() == 2)
        #expect(order.next() == nil)
        order.finished(2)
        order.add(4, sender: "a", queuedAt: 0)
        order.removeAll()
        #expect(order.next() == nil && order.waitingCount == 0 && order.inFlight == [3])
    }

    @Test("each due message goes once, in fair turns, whatever happens around it")
    func property() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<30 {
            var order = FlushOrder<Int>(limit: Int.random(in: 1...5, using: &random))
            var waiting: [Int: (sender: String, queuedAt: Int)] = [:]
            var inFlight: Set<Int> = []
            for _ in 0..<2_000 {
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5:
                    let id = Int.random(in: 0..<200, using: &random)
                    let sender = String(id % 7)
                    let time = Int.random(in: 0..<1_000, using: &random)
                    order.add(id, sender: sender, queuedAt: time)
                    if waiting[id] == nil, !inFlight.contains(id) { waiting[id] = (sender, time) }
                case 5..<7:
                    let id = Int.random(in: 0..<200, using: &random)
                    order.remove(id)
                    waiting[id] = nil
                case 7..<9:
                    let id = order.next()
                    #expect((id == nil) == (waiting.isEmpty || inFlight.count == order.limit))
                    if let id, let entry = waiting.removeValue(forKey: id) {
                        inFlight.insert(id)
                        let older = waiting.values.filter { $0.sender == entry.sender && $0.queuedAt < entry.queuedAt }
                        #expect(older.isEmpty)
                    } else {
                        #expect(id == nil, "it was not due")
                    }
                default:
                    if let id = inFlight.popFirst() { order.finished(id) }
                }
                #expect(order.waitingCount == waiting.count)
                #expect(order.inFlight == inFlight)
            }
        }
    }

    @Test("the sender is the domain of the reverse path")
    func key() throws {
        #expect(FlushOrder<Int>.senderKey(.null) == "")
        #expect(FlushOrder<Int>.senderKey(.mailbox(try #require(MailAddress("a@Example.ORG")))) == "example.org")
    }
}
