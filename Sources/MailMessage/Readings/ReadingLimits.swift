/// Bounds on what is made of a message that can be read in several ways. What lies beyond is not looked at, and that is a
/// finding of its own (`readingsCut`), so that a bound is no hiding place.
package struct ReadingLimits: Hashable, Sendable {
    /// Contents that are made besides those of the ordinary reading: each is one question to the virus engine, about a
    /// millisecond.
    package var contents = 256
    /// Octets of these contents together: they are in memory until the scan is done.
    package var octets = 64 * 1_024 * 1_024
    /// Octets that decoders read in all, the same ones counted each time: some tenths of a second's work.
    package var work = 64 * 1_024 * 1_024
    /// The same for each octet of the message, and for a small one: nobody can make the gateway work much longer than it takes
    /// to send a message.
    package var workForOctet = 16
    package var smallWork = 4 * 1_024 * 1_024
    /// Pieces that a message is cut into, at all lines that some reader may take for a boundary.
    package var pieces = 2_000
    /// Boundaries that are tried one by one, in the order in which they first stand in the message.
    package var boundaries = 8
    /// Messages within contents that were found this way.
    package var depth = 2
    /// File names of one part.
    package var names = 48

    package init() {}
}
