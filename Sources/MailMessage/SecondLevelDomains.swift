/// Names below country codes under which registries let others register, as in `co.uk` and `com.br`; what rule files say with
/// `util_rb_2tld` comes in their place. The states of the United States have a scheme of their own (RFC 1480).
enum SecondLevelDomains {
    /// `co.uk` and the like.
    static var all: [[UInt8]] {
        self.table.split(separator: ",").flatMap { entry -> [[UInt8]] in
            let words = entry.split(separator: " ")
            guard let country = words.first?.dropLast() else { return [] }
            return words.dropFirst().map { [UInt8](ascii: "\($0).\(country)") }
        }
    }

    private static let table = """
        ac: com edu gov mil net org, ad: nom, ae: ac co gov mil net org sch, af: com edu gov net, ag: co com net nom \
        org, ai: com net off org, al: com edu gov net org, ao: co ed gv it og pb, ar: com edu gov int mil net org, at: \
        ac co gv or, au: act asn com conf edu gov id info net nsw nt org oz qld sa tas vic wa, aw: com, az: biz com edu \
        gov info int mil name net org pp, ba: com edu gov mil net org, bb: com edu gov net org, be: ac, bf: gov, bh: com \
        edu gov net org, bm: com edu gov net org, bn: com edu net org, bo: com edu gob int mil net org tv, br: adm adv \
        agr am arq art ato bio bmd cim cng cnt com coop ecn eco edu eng esp etc eti far fm fnd fot fst g12 ggf gov imb \
        ind inf jor lel mat med mil mus net nom not ntr odo org ppg pro psc psi qsl rec slg srv tmp trd tur tv vet zlg, \
        bs: com net org, bt: com edu gov net org, bw: co org, by: gov mil, bz: com net org, ca: ab bc gc mb nb nf nl ns \
        nt nu on pe qc sk yk, cm: co com net, cn: ac ah bj com cq edu fj gd gov gs gx gz ha hb he hi hk hl hn jl js jx \
        ln mo net nm nx org qh sc sd sh sn sx tj tw xj xz yn zj, co: arts com edu firm gov info int mil net nom org rec \
        web, cr: ac co ed fi go or sa, cu: com edu gov inf net org, cx: gov, cy: ac biz com ekloges gov ltd net org \
        press pro tm, dm: com edu gov net org, do: art com edu gob gov mil net org sld web, dz: art asso com edu gov net \
        org pol, ec: com edu fin gob gov info k12 med mil net org pro, ee: com edu fie med org pri, eg: com edu eun gov \
        mil net org sci, es: com edu gob nom org, et: biz com edu gov info name net org, fi: aland, fj: ac biz com gov \
        info mil name net org pro, fr: asso com gouv nom prd tm, ge: com edu gov mil net org pvt, gg: co net org, gh: \
        com edu gov mil org, gi: com edu gov ltd mod org, gn: ac com gov net org, gp: asso com edu net org, gr: com edu \
        gov net org, gt: com edu gob ind mil net org, gu: com edu gov net org, hk: com edu gov idv net org, hn: com edu \
        gob mil net org, hr: com from iz name, ht: adult art asso com coop edu firm gouv info med net org perso pol pro \
        rel shop, hu: 2000 agrar bolt casino city co erotica erotika film forum games hotel info ingatlan jogasz \
        konyvelo lakas media news org priv reklam sex shop sport suli szex tm tozsde utazas video, id: ac co go mil net \
        or sch web, ie: gov, il: ac co gov idf k12 muni net org, im: ac co com net org, in: ac co edu firm gen gov ind \
        mil net nic org res, io: com, iq: gov, ir: ac co gov id net org sch, it: edu gov to, je: co net org, jo: com edu \
        gov mil net org, jp: ac ad aichi akita aomori chiba co ed ehime fukui fukuoka fukushima gifu go gr gunma \
        hiroshima hokkaido hyogo ibaraki ishikawa iwate kagawa kagoshima kanagawa kawasaki kitakyushu kobe kochi \
        kumamoto kyoto lg mie miyagi miyazaki nagano nagasaki nagoya nara ne niigata oita okayama okinawa or osaka saga \
        saitama sapporo sendai shiga shimane shizuoka tochigi tokushima tokyo tottori toyama wakayama yamagata yamaguchi \
        yamanashi yokohama, ke: ac co go ne or sc, kg: com edu gov mil net org, kr: ac busan chungbuk chungnam co daegu \
        daejeon es gangwon go gwangju gyeongbuk gyeonggi gyeongnam hs incheon jeju jeonbuk jeonnam kg mil ms ne or pe re \
        sc seoul ulsan, kw: com edu gov net org, ky: com edu net org, kz: com edu gov mil net org, la: com net org, lb: \
        com edu gov net org, lc: com edu gov net org, lk: assn com edu gov grp hotel int ltd net ngo org sch soc web, \
        lr: com edu gov net org, ls: co org, lt: gov, lv: asn com conf edu gov id mil net org, ly: com edu gov id med \
        net org plc sch, ma: ac co gov net org press, mc: asso tm, me: ac co edu gov its net org priv, mg: com edu gov \
        mil nom org prd tm, mk: com org, mn: edu gov org, mo: com edu gov net org, mt: com edu net org, mu: co com, mv: \
        aero biz com coop edu gov info int mil museum name net org pro, mw: ac co com coop edu gov int museum net org, \
        mx: com edu gob net org, my: com edu gov mil name net org, mz: ac co edu gov net org, na: com org, ng: com edu \
        gov net org sch, ni: ac biz com edu gob in info int mil net nom org web, no: fhs folkebibl fylkesbibl herad \
        idrett kommune mil museum priv stat vgs, nr: biz com edu gov info net org, nz: ac co cri geek gen govt iwi kiwi \
        maori mil net org parliament school, om: co com edu gov med museum net org pro, pa: abo ac com edu gob ing med \
        net nom org sld, pe: com edu gob mil net nom org, pf: com edu org, ph: com edu gov mil net ngo org, pk: biz com \
        edu fam gob gok gon gop gos gov net org web, pl: biz com edu gov info mil net org, pn: co gov, pr: biz com edu \
        gov info isla name net org pro, ps: com edu gov net org plo sec, pt: com edu gov int net nome org publ, py: com \
        edu gov net org, qa: com edu gov net org, re: asso com nom, ro: arts com firm info nom nt org rec store tm www, \
        rs: ac co edu gov in org, rw: ac co gov mil net org, sa: com edu gov med net org pub sch, sb: com edu gov net \
        org, sc: com edu gov net org, sd: com edu gov info med net org tv, se: ac bd brand c d e f fh fhsk fhv g h i k \
        komforb kommunalforbund komvux lanbib m n naturbruksgymn o org parti pp press s t tm u w x y z, sg: com edu gov \
        net org per, sh: com gov mil net org, st: co com consulado edu embaixada mil net org principe saotome store, sv: \
        com edu gob org red, sy: com gov net org, th: ac co go in mi net or, tj: ac biz co com edu go gov int mil name \
        net org web, tn: com ens fin gov ind info intl nat net org tourism, to: gov, tr: av bbs bel biz com dr edu gen \
        gov info k12 mil name net org pol tel web, tt: aero biz co com coop edu gov info int jobs mobi museum name net \
        org pro travel, tw: club com ebiz edu game gov idv mil net org, tz: ac co go ne or, ua: cherkassy chernigov \
        chernovtsy ck cn com crimea cv dn dnepropetrovsk donetsk dp edu gov if in ivano-frankivsk kh kharkov kherson \
        khmelnitskiy kiev kirovograd km kr ks kv lg lugansk lutsk lviv mk net nikolaev od odessa org pl poltava rovno rv \
        sebastopol sumy te ternopil uzhgorod vinnica vn zaporizhzhe zhitomir zp zt, ug: ac co go ne or sc, uk: ac co gov \
        ltd me net nhs org plc police sch, us: dni fed isa kids nsn, uy: com edu gub mil net org, vc: com net org, ve: \
        arts bib co com edu firm gob gov info int mil net nom org rec store tec web, vi: co com net org, vn: ac biz com \
        edu gov health info int name net org pro, vu: com edu net org, ws: com edu gov net org, ye: com edu gov mil net \
        org, za: ac alt co edu gov law mil net ngo nom org school tm web, zm: ac co com edu gov org sch, zw: ac co gov \
        org
        """
}
