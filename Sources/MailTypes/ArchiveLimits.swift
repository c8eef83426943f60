/// What files that hold files may be like: the `archives` section of a policy.
package struct ArchiveLimits: Hashable, Sendable {
    /// What is done about an archive that is not as it should be.
    package enum Action: String, Hashable, Sendable, CaseIterable {
        case accept
        case hold
        case reject
    }

    /// Files in one attachment, archives within it included. Mail carries far fewer; libclamav stops at 10,000.
    package var maxMembers = 5_000
    /// Octets unpacked for one packed. Text reaches 20, logs 100; deflate can do 1,032, and bombs do.
    package var maxRatio = 200
    /// Octets of all that is unpacked from one message. libclamav does not look at a longer member, and does not say so for
    /// each kind of archive.
    package var maxSize = 100 * 1_048_576
    /// Archives inside archives; the outermost is 1.
    package var maxDepth = 5
    /// Members that take a password: nobody can say what is in them.
    package var encrypted = Action.hold
    /// Members that programs see differently: directory and local headers of a zip file disagree, or one lacks what the other
    /// has.
    package var inconsistent = Action.hold
    /// Patterns of names of members and attachments, `*` for any characters, letters taken in either case.
    package var forbiddenNames: [String] = []
    /// Media types, told by the contents: `application/x-msdownload`.
    package var forbiddenTypes: [String] = []
    /// For forbidden names and types.
    package var onForbidden = Action.reject
    /// Beyond one of the limits above.
    package var onLimit = Action.hold

    package init() {}
}
