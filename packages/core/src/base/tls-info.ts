/** What TLS has agreed on for a client's connection. */
export interface TlsInfo {
  /** `TLSv1.3`, as `socket.getProtocol()`. */
  readonly protocol: string
  /** As `socket.getCipher()`. */
  readonly cipher: { readonly name: string; readonly standardName: string; readonly version: string }
  /** The name that the client asked for (SNI); false when it said none. */
  readonly servername: string | false
  /** `h2`, `http/1.1`, or false when the client asked for none. */
  readonly alpnProtocol: string | false
  /** Whether the client has shown a certificate that is trusted. */
  readonly authorized: boolean
  /** Why not, as a code of OpenSSL's; null when none was asked for. */
  readonly authorizationError: string | null
  /** DER; the client's certificate first, those of its issuers behind it. Empty when it showed none. */
  readonly peerCertificates: readonly Buffer[]
}
