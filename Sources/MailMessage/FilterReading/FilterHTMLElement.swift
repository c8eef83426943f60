/// What SpamAssassin does with an element of a name.
struct FilterHTMLElement {
    enum Break {
        case none, space, line, paragraph
    }

    /// An element of HTML 4, which others are counted against.
    var isKnown = false
    /// Known or not, it is looked at: style, white space, links.
    var isHandled = false
    var breaks = Break.none
    var isStyled = false
    var kind = Kind.other

    enum Kind {
        case other, a, area, link, img, frame, iframe, embed, script, bgsound, form, base, meta, body, table, tr, td, th, font
        case basefont, big, small, span, p, div, marquee, title, object, style, html
    }

    static let unknown = FilterHTMLElement()

    /// Elements by name; those with other names are `unknown`.
    static func named(_ name: HTMLName) -> FilterHTMLElement { self.table[name] ?? .unknown }

    private static let table: [HTMLName: FilterHTMLElement] = {
        var result: [HTMLName: FilterHTMLElement] = [:]
        let known = """
            a abbr acronym address area b base bdo big blockquote body br button caption cite code col colgroup dd del dfn div \
            dl dt em fieldset form h1 h2 h3 h4 h5 h6 head hr html i img input ins kbd label legend li link map meta noscript \
            object ol optgroup option p param pre q samp script select small span strong style sub sup table tbody td textarea \
            tfoot th thead title tr tt ul var applet basefont center dir font frame frameset iframe isindex menu noframes s \
            strike u nobr x-sigsep x-tab
            """
        for name in known.split(separator: " ") {
            result[HTMLName(String(name))] = FilterHTMLElement(isKnown: true, isHandled: true)
        }
        for name in ["bgsound", "embed", "listing", "plaintext", "xmp"] {
            result[HTMLName(name)] = FilterHTMLElement(isHandled: true)
        }
        for name in ["br", "div"] { result[HTMLName(name)]?.breaks = .line }
        for name in ["li", "td", "th", "dt", "dd", "embed", "h1", "h2", "h3", "h4", "h5", "h6"] {
            result[HTMLName(name)]?.breaks = .space
        }
        for name in ["p", "hr", "blockquote", "pre", "listing", "plaintext", "xmp", "title"] {
            result[HTMLName(name)]?.breaks = .paragraph
        }
        let kinds: [(String, Kind)] = [
            ("a", .a), ("area", .area), ("link", .link), ("img", .img), ("frame", .frame), ("iframe", .iframe),
            ("embed", .embed), ("script", .script), ("bgsound", .bgsound), ("form", .form), ("base", .base), ("meta", .meta),
            ("body", .body), ("table", .table), ("tr", .tr), ("td", .td), ("th", .th), ("font", .font),
            ("basefont", .basefont), ("big", .big), ("small", .small), ("span", .span), ("p", .p), ("div", .div),
            ("title", .title), ("object", .object), ("style", .style), ("html", .html),
        ]
        for (name, kind) in kinds { result[HTMLName(name)]?.kind = kind }
        for name in ["body", "font", "table", "tr", "th", "td", "big", "small", "basefont", "span", "p", "div", "a"] {
            result[HTMLName(name)]?.isStyled = true
        }
        return result
    }()
}
