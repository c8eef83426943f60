@main
struct Scanner {
    static func main() {}
}
