import OutpostTestKit
import Testing

extension IntegrationTests {
    /// A clamd as the engine, and none.
    @Suite("Virus engines", .serialized)
    struct VirusEngines {
        @Test("clamd answers on its socket and over TCP", .enabled(if: ClamdInstance.isAvailable, "clamd is not installed"))
        func clamd() throws {
            let server = try RecordingMailServer()
            let clamd = try ClamdInstance()
            for endpoint in ["unix:\(clamd.socket)", "127.0.0.1:\(clamd.port)"] {
                var file = GatewayFile(downstream: server.port)
                file.antivirus = ["engine: clamd", "clamd: [\"\(endpoint)\"]", "on_failure: defer"]
                let gateway = try ProgramUnderTest(file)
                let client = try SMTPTestClient(port: gateway.port)
                let refused = try client.send(TestMail(attachment: TestMail.eicar, name: "notes.bin").octets)
                #expect(refused.isPermanent && refused.text.contains("Eicar-Test-Signature"), "\(endpoint): \(refused)")
                #expect(try client.send(TestMail().octets).code == 250)
                // More than is kept in memory: passed as a file, or streamed.
                let large = TestMail(attachment: [UInt8](repeating: 7, count: 600_000) + TestMail.eicar, name: "large.bin")
                #expect(try client.send(large.octets).isPermanent)
                try gateway.waitForLog("virus=clean")
            }
            #expect(server.messages.count == 2)
        }

        @Test("without an engine, on_failure decides, and what passes is recorded", arguments: ["defer", "accept", "reject"])
        func absentEngine(onFailure: String) throws {
            let server = try RecordingMailServer()
            var file = GatewayFile(downstream: server.port)
            let nothing = try LoopbackSocket.freePort()
            file.antivirus = ["engine: clamd", "clamd: [\"127.0.0.1:\(nothing)\"]", "on_failure: \(onFailure)"]
            let gateway = try ProgramUnderTest(file)
            let reply = try SMTPTestClient(port: gateway.port).send(TestMail().octets)
            switch onFailure {
            case "defer": #expect(reply.code == 451, "\(reply)")
            case "reject": #expect(reply.isPermanent, "\(reply)")
            default:
                #expect(reply.code == 250, "\(reply)")
                try gateway.waitForLog("unchecked=virus")
            }
            #expect(server.messages.count == (onFailure == "accept" ? 1 : 0))
        }
    }
}
