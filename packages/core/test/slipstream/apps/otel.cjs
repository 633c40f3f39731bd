// An app that OpenTelemetry watches: prints the spans of three requests, then ends.
const { NodeTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node')
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http')
const { trace } = require('@opentelemetry/api')

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()
const instrumentation = new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true })
instrumentation.setTracerProvider(provider)
instrumentation.enable()

const { createServer } = require('node:http')

const server = createServer((request, response) => {
  const { traceId } = trace.getActiveSpan().spanContext()
  response.statusCode = request.url === '/missing' ? 404 : 200
  setImmediate(() => response.end(`${traceId} ${trace.getActiveSpan().spanContext().traceId}`))
})

async function ask() {
  const base = process.env.ASK || `http://localhost:${server.address().port}/`
  const seen = []
  for (const [path, parent] of [['room?x=1'], ['missing'], ['room', 'a'.repeat(32)]]) {
    const headers = { connection: 'close', 'user-agent': 'test' }
    if (parent) headers.traceparent = `00-${parent}-${'b'.repeat(16)}-01`
    const [outer, inner] = await (await fetch(base + path, { headers })).text().then((text) => text.split(' '))
    seen.push({ isKept: outer === inner, isContinued: outer === parent })
  }
  const spans = exporter.getFinishedSpans().map(({ kind, name, attributes, status }) => ({
    kind,
    name,
    method: attributes['http.request.method'] ?? attributes['http.method'],
    status: attributes['http.response.status_code'] ?? attributes['http.status_code'],
    path: attributes['url.path'] ?? attributes['http.target'],
    code: status.code,
  }))
  console.log(JSON.stringify({ seen, spans }))
  server.close()
}

server.listen(0, () => void ask())
