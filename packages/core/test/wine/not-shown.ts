/** Something that stock Wine 10 can't show, why, and which other tier shows it. */
export interface NotShown {
  readonly what: string
  readonly why: string
  readonly shownBy: 'double' | 'windows-latest'
}

/** Skipped by name in the Wine tier, and listed in docs/windows.md. */
export const NOT_SHOWN: readonly NotShown[] = [
  {
    what: 'several URLs in one URL group',
    why: 'HttpAddUrlToUrlGroup returns 120 for the second',
    shownBy: 'double',
  },
  {
    what: 'hosts: localhost, names, addresses and the weak wildcard',
    why: 'only the strong wildcard matches',
    shownBy: 'double',
  },
  {
    what: 'attach, takeover and controller processes',
    why: 'the name and the flags of a request queue are ignored',
    shownBy: 'double',
  },
  {
    what: 'WebSockets and other opaque connections',
    why: 'the flag OPAQUE is ignored',
    shownBy: 'double',
  },
  {
    what: 'the notice that a client has left',
    why: 'HttpWaitForDisconnectEx is a stub that ends the process',
    shownBy: 'double',
  },
  {
    what: 'breaking off a response',
    why: 'HttpCancelHttpRequest is a stub that ends the process',
    shownBy: 'double',
  },
  {
    what: 'closing a connection after a response',
    why: 'the flag DISCONNECT is ignored',
    shownBy: 'double',
  },
  {
    what: 'entity bodies of 128 KiB and more, and chunked ones',
    why: 'the connection ends, or the body arrives empty: bodies are buffered whole before the process sees them',
    shownBy: 'double',
  },
  {
    what: '100 Continue',
    why: 'http.sys sends none',
    shownBy: 'double',
  },
  {
    what: 'limits, timeouts, the length of the queue and 503 verbosity',
    why: 'HttpSetRequestQueueProperty and most properties of URL groups return 120',
    shownBy: 'double',
  },
  {
    what: 'HTTPS, client certificates and HTTP/2',
    why: 'http.sys speaks plain HTTP/1.1, and pSslInfo is NULL',
    shownBy: 'windows-latest',
  },
  {
    what: 'the response cache',
    why: 'http.sys has none, and HttpFlushResponseCache is a stub that ends the process',
    shownBy: 'double',
  },
  {
    what: 'answers for paths and hosts that nobody has claimed',
    why: 'http.sys never answers them',
    shownBy: 'double',
  },
  {
    what: 'one process leaving while others serve',
    why: 'http.sys takes the listeners of all processes down with it',
    shownBy: 'double',
  },
  {
    what: 'reservations (urlacl) and access denied',
    why: 'every user may register everything',
    shownBy: 'windows-latest',
  },
  {
    what: 'IPv6',
    why: 'http.sys listens on IPv4 alone',
    shownBy: 'windows-latest',
  },
]
