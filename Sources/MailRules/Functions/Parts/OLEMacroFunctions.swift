import MailMessage

/// Tests of Office documents: macros, embedded objects, encryption.
enum OLEMacroFunctions {
    static let all: [EvalFunction] = [
        test("check_olemacro") { $0.hasMacro },
        test("check_oleobject") { $0.hasObject },
        test("check_olertfobject") { $0.hasRichTextObject },
        test("check_olemacro_csv") { $0.hasCommandInTable },
        test("check_olemacro_malice") { $0.runsByItself },
        test("check_olemacro_renamed") { $0.isRenamed },
        test("check_olemacro_encrypted") { $0.isEncrypted },
        test("check_olemacro_zip_password") { $0.hasEncryptedMember },
        test("check_olemacro_download_exe") { $0.fetchesProgram },
        test("check_olemacro_redirect_uri") { !$0.links.isEmpty },
        test("check_olemacro_mhtml_uri") { !$0.webArchiveLinks.isEmpty },
    ]

    private static func test(_ name: String, _ test: @escaping @Sendable (OLEMacroFacts) -> Bool) -> EvalFunction {
        EvalFunction(name, plugin: "OLEVBMacro") { _ in
            { context in
                EvalOutcome(test(context.facts { OLEMacroFacts($0.filterMessage, $0.settings.oleMacro, $0.matcher) }))
            }
        }
    }
}
