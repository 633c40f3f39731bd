/** Where HTTP/2 is spoken: `tls` by ALPN; `all` also without TLS, to clients that begin with it; `off` nowhere. */
export type Http2Choice = 'off' | 'tls' | 'all'

const CHOICES: readonly string[] = ['off', 'tls', 'all'] satisfies Http2Choice[]

/** What `HTTPSYS_HTTP2` says; undefined when it says nothing that is one of them. */
export function http2Choice(env: NodeJS.ProcessEnv): Http2Choice | undefined {
  const text = env['HTTPSYS_HTTP2']
  return text !== undefined && CHOICES.includes(text) ? (text as Http2Choice) : undefined
}
