/// Where rates are counted. A gateway counts in its memory and writes that down behind the mail path; several could share a server.
package protocol RateStore: Sendable {
    /// Takes one token for each charge, or none if one of the buckets is empty.
    /// - Parameter now: milliseconds since 1970, of a clock that does not go backwards.
    /// - Throws: when nothing can be counted. The client is then let go on: limits are there against floods, and a store that is
    ///   away must not stop all mail.
    func take(_ charges: [RateCharge], now: Int64) async throws -> RateOverrun?
}

/// Where a gateway that counts in its memory writes down what it has counted; for one gateway a file of its own.
package protocol RateArchive: Sendable {
    /// Buckets that are not full. Blocking.
    /// - Parameter now: milliseconds since 1970.
    func bucketsAtStart(now: Int64) throws -> [RateBucket]

    /// Writes what has changed.
    /// - Returns: buckets that an administrator has made full meanwhile, also where they are among `buckets`.
    func write(_ buckets: [RateBucket]) async throws -> [RateCharge]

    /// Forgets what is full again, and what there is too much of.
    /// - Parameter now: milliseconds since 1970.
    func clear(now: Int64) async throws
}
