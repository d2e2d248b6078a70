import HTTPTypes
import Testing

@testable import LedgerService

@Suite("Byte ranges (ledger-service.md §4)") struct ByteRangeTests {
  @Test(
    "a range is taken as RFC 9110 says",
    arguments: [
      ("bytes=0-0", 10, ByteRangeRequest.part(0..<1)), ("bytes=2-4", 10, .part(2..<5)),
      ("bytes=2-", 10, .part(2..<10)), ("bytes=9-9", 10, .part(9..<10)),
      ("bytes=0-99", 10, .part(0..<10)), ("bytes=-3", 10, .part(7..<10)),
      ("bytes=-99", 10, .part(0..<10)), ("Bytes=1-2", 10, .part(1..<3)),
      ("bytes= 1-2 ", 10, .part(1..<3)),
      ("bytes=1-99999999999999999999999999", 10, .part(1..<10)),
      ("bytes=-99999999999999999999999999", 10, .part(0..<10)),
      ("bytes=10-", 10, .unsatisfiable), ("bytes=10-12", 10, .unsatisfiable),
      ("bytes=-0", 10, .unsatisfiable), ("bytes=0-", 0, .unsatisfiable),
      ("bytes=99999999999999999999-", 10, .unsatisfiable), ("bytes=-5", 0, .whole),
      ("bytes=3-2", 10, .whole), ("bytes=0-1,4-5", 10, .whole), ("bytes=-", 10, .whole),
      ("bytes=", 10, .whole), ("bytes=a-b", 10, .whole), ("bytes=1", 10, .whole),
      ("bytes=1-2-3", 10, .whole), ("bytes=+1-2", 10, .whole), ("bytes=--2", 10, .whole),
      ("bytes=1 -2", 10, .whole), ("items=0-1", 10, .whole), ("", 10, .whole),
      ("bytes=0x1-2", 10, .whole), ("bytes=٣-4", 10, .whole),
    ]) func range(field: String, byteCount: Int, expected: ByteRangeRequest)
  {
    #expect(ByteRangeRequest(field, byteCount: byteCount) == expected)
  }

  @Test("no field asks for all") func none() {
    #expect(ByteRangeRequest(nil, byteCount: 10) == .whole)
  }
}

@Suite("Entity tags (ledger-service.md §4)") struct EntityTagTests {
  let tag = EntityTag(path: "tile/0/000", verifierKey: "key")

  @Test("one file has one tag, other files and logs have others") func differs() {
    #expect(tag == EntityTag(path: "tile/0/000", verifierKey: "key"))
    #expect(tag != EntityTag(path: "tile/0/001", verifierKey: "key"))
    #expect(tag != EntityTag(path: "tile/0/000", verifierKey: "other"))
    #expect(tag != tag.with(coding: "gzip"))
    #expect(tag.description.count == 34)
    #expect(EntityTag(growingTo: 12).description == "\"12\"")
  }

  @Test("If-None-Match compares weakly, If-Match strongly") func lists() {
    for field in ["\(tag)", "W/\(tag)", "\"x\", \(tag)", "\"x\" ,\t\(tag) ", "*"] {
      #expect(tag.isListed(in: field))
    }
    for field in [nil, "", "\"x\"", "\(tag)x", "w/\(tag)"] { #expect(!tag.isListed(in: field)) }
    #expect(tag.isStronglyListed(in: "\"x\", \(tag)"))
    #expect(tag.isStronglyListed(in: "*"))
    #expect(!tag.isStronglyListed(in: "W/\(tag)"))
  }

  @Test("If-Range keeps the range for exactly this tag") func ifRange() {
    #expect(tag.allowsRange(nil))
    #expect(tag.allowsRange(tag.description))
    for field in ["W/\(tag)", "\"x\"", "*", "Mon, 23 Nov 2026 20:00:00 GMT", "\(tag), \(tag)"] {
      #expect(!tag.allowsRange(field))
    }
  }
}

@Suite("Choice of a form (ledger-service.md §4, §5)") struct ContentNegotiationTests {
  private let forms = AddRoute.Form.forEnvelopes.map(\.rawValue)

  @Test(
    "the highest weight wins, and the first of equals",
    arguments: [
      (nil, 0), ("", 0), ("*/*", 0), ("text/plain", 2), ("text/x.tlog.proof", 1),
      ("text/*", 1), ("TEXT/Plain; charset=utf-8", 2), ("application/json;q=0.5, text/plain", 2),
      ("text/plain;q=0.5, */*;q=0.1", 2), ("*/*, application/json;q=0", 1),
      ("text/*;q=0.3, text/plain;q=0.2, */*;q=0.1", 1), ("image/png", nil),
      ("application/json;q=0", nil), ("*/*;q=0", nil), ("application/json;q=x, text/plain", 2),
      ("application/json;q=1.001, text/plain", 2), ("application/json ; q=0.001", 0),
    ] as [(String?, Int?)]) func accept(field: String?, expected: Int?)
  {
    #expect(ContentNegotiation.choose(forms, accept: field) == expected)
  }

  @Test(
    "gzip is sent when it is asked for and not liked less",
    arguments: [
      (nil, false), ("", false), ("gzip", true), ("x-gzip", true), ("GZIP", true), ("*", true),
      ("gzip;q=0", false), ("*;q=0", false), ("identity", false), ("gzip, identity", true),
      ("gzip;q=0.5, identity", false), ("gzip;q=0.5, identity;q=0.5", true),
      ("br, deflate", false), ("gzip;q=0, *", false), ("deflate, gzip;q=1.0", true),
    ] as [(String?, Bool)]) func gzip(field: String?, expected: Bool)
  {
    #expect(ContentNegotiation.takesGzip(field) == expected)
  }

  @Test("a range is of the plain form, unless the gzip form is named") func gzipRange() {
    let tag = "\"1234-gzip-1.2.13\""
    #expect(ReadRoutes.takesGzip([.acceptEncoding: "gzip"]))
    #expect(!ReadRoutes.takesGzip([.acceptEncoding: "gzip", .range: "bytes=0-1"]))
    #expect(ReadRoutes.takesGzip([.acceptEncoding: "gzip", .range: "bytes=0-1", .ifRange: tag]))
    #expect(!ReadRoutes.takesGzip([.range: "bytes=0-1", .ifRange: tag]))
  }

  @Test("the type of the body says whether it must be an envelope") func bodyTypes() {
    for type in ["application/json", "Application/JSON; charset=utf-8"] + AddRoute.envelopeTypes {
      #expect(AddRoute.isEnvelope(type))
    }
    for type in [nil, "", "application/octet-stream", "application/jsonx", "text/plain"] {
      #expect(!AddRoute.isEnvelope(type))
    }
  }
}

@Suite("Paths (ledger-service.md §3)") struct ServicePathTests {
  @Test(
    "what is served has one spelling",
    arguments: [
      "/checkpoint", "/history", "/vkey", "/add", "/healthz", "/metrics", "/openapi.yaml",
      "/tile/0/000", "/tile/7/000", "/tile/0/999", "/tile/0/x001/000", "/tile/0/x001/x234/067",
      "/tile/0/000.p/1", "/tile/0/x001/x234/067.p/255", "/tile/entries/000", "/checkpoint?x=1",
      "/tile/entries/x999/999.p/9", "/time/index",
      "/time/token/\(String(repeating: "0a", count: 32)).tst",
      "/time/certificate/\(String(repeating: "0a", count: 32)).cer",
      "/time/crl/\(String(repeating: "0a", count: 32)).crl",
    ]) func served(target: String)
  {
    #expect(ServicePath(target: target) != nil)
  }

  @Test(
    "every other spelling is not found",
    arguments: [
      "", "checkpoint", "/", "//checkpoint", "/checkpoint/", "/Checkpoint", "/./checkpoint",
      "/tile/../checkpoint", "/%63heckpoint", "/tile/0/0", "/tile/0/0000", "/tile/00/000",
      "/tile/8/000", "/tile/-1/000", "/tile/+1/000", "/tile/0/x000/000", "/tile/0/001/000",
      "/tile/0/x001/x000", "/tile/0/X001/000", "/tile/0/000.p/0", "/tile/0/000.p/256",
      "/tile/0/000.p/01", "/tile/0/000.p/-1", "/tile/0/000.p/+1", "/tile/0/000.p", "/tile/0/000.p/",
      "/tile/0/000.P/1", "/tile/0", "/tile/0/", "/tile/entries", "/tile/Entries/000",
      "/tile/0/000/", "/tile/0/000%2ep/1", "/tile/0/x-01/000", "/tile/7/999",
      "/tile/0/x999/x999/x999/x999/x999/x999/x999/999",
      "/tile/0/" + String(repeating: "x999/", count: 60) + "999", "/log.pem", "/lock",
      "/time", "/time/", "/time/index/", "/time-lock", "/time/token", "/time/token/0a.tst",
      "/time/token/\(String(repeating: "0A", count: 32)).tst",
      "/time/token/\(String(repeating: "0a", count: 32))",
      "/time/crl/\(String(repeating: "0a", count: 32)).cer",
      "/time/token/../token/\(String(repeating: "0a", count: 32)).tst",
      "http://host/checkpoint", "*", "/checkpoint#x", "/tile/0/000 ",
    ]) func notFound(target: String)
  {
    #expect(ServicePath(target: target) == nil)
  }
}
