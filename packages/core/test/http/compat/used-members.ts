/** What libraries and their tests touch, counted over some 265 of them, by what it is while a GET is answered. */
export const USED = {
  request: {
    function: 'on once off removeListener resume pause pipe unpipe destroy setEncoding read setTimeout',
    object: 'headers rawHeaders socket connection trailers rawTrailers headersDistinct errored readableEncoding',
    string: 'method url httpVersion',
    number: 'httpVersionMajor httpVersionMinor readableLength',
    boolean: 'readable readableEnded readableDidRead readableAborted destroyed complete aborted',
  },
  response: {
    function:
      'end write setHeader getHeader getHeaders getHeaderNames hasHeader removeHeader appendHeader writeHead writeHeader on once off cork uncork destroy flushHeaders addTrailers assignSocket detachSocket writeContinue writeProcessing writeEarlyHints setTimeout _implicitHeader',
    object: '_header req socket connection errored',
    undefined: 'statusMessage',
    number: 'statusCode writableLength writableHighWaterMark writableCorked',
    boolean:
      'headersSent writableEnded writableFinished finished writable destroyed sendDate shouldKeepAlive strictContentLength writableNeedDrain writableObjectMode',
  },
  server: {
    function:
      'listen close on once emit removeListener removeAllListeners listeners listenerCount address closeIdleConnections closeAllConnections getConnections setTimeout ref unref',
    number: 'timeout keepAliveTimeout headersTimeout requestTimeout maxRequestsPerSocket',
    boolean: 'listening',
    object: 'maxHeadersCount',
  },
  socket: {
    function:
      'on once write end destroy destroySoon resetAndDestroy setTimeout setNoDelay setKeepAlive setEncoding unshift pipe pause resume read address ref unref cork uncork',
    string: 'remoteAddress remoteFamily localAddress localFamily readyState',
    number: 'remotePort localPort bytesRead bytesWritten',
    boolean: 'readable writable destroyed connecting pending writableEnded',
    object: 'server _readableState _writableState _httpMessage',
  },
} satisfies Record<string, Record<string, string>>
