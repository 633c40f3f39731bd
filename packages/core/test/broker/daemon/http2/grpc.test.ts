import type { IncomingMessage, ServerResponse } from 'node:http'
import { Client, Metadata, credentials, status } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { Http2Site } from '../../../support/http2-site.ts'

/** A message of gRPC with its prefix: whether it is compressed, and its length. */
function message(text: string): Buffer {
  const payload = Buffer.from(text)
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(payload.length, 1)
  return Buffer.concat([prefix, payload])
}

/** The messages of a request, as they come. */
async function* messagesOf(request: IncomingMessage): AsyncGenerator<string> {
  let bytes = Buffer.alloc(0)
  for await (const chunk of request) {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1)
      yield bytes.toString('utf8', 5, end)
      bytes = bytes.subarray(end)
    }
  }
}

/** A service of gRPC is an app like others: it answers with trailers. */
async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const call = request.url!.split('/').at(-1)
  response.writeHead(200, { 'Content-Type': 'application/grpc', Trailer: 'grpc-status, grpc-message' })
  try {
    for await (const text of messagesOf(request)) {
      if (call === 'Fail') break
      if (call === 'Repeat') for (let count = 0; count < 3; count++) response.write(message(`${text} ${count}`))
      else response.write(message(`echo ${text} ${String(request.headers['x-meta'] ?? '')}`.trim()))
    }
  } catch {
    return
  }
  const failure = { 'grpc-status': '9', 'grpc-message': 'not today' }
  response.addTrailers(call === 'Fail' ? failure : { 'grpc-status': '0' })
  response.end()
}

const toBytes = (text: string): Buffer => Buffer.from(text)
const toText = (bytes: Buffer): string => bytes.toString()

async function openClient(site: Http2Site): Promise<Client> {
  await site.serve('/demo.Echo/', (request, response) => void serve(request, response))
  return new Client(`localhost:${site.port}`, credentials.createSsl(Buffer.from(site.ca)))
}

test('grpc-js calls an app on the queue: one message, a stream back, a stream both ways', async () => {
  await using site = await Http2Site.open()
  const client = await openClient(site)
  const metadata = new Metadata()
  metadata.set('x-meta', 'seen')
  const answer = await new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest('/demo.Echo/Say', toBytes, toText, 'hello', metadata, (error, value) =>
      error === null ? resolve(value!) : reject(error),
    )
  })
  expect(answer).toBe('echo hello seen')
  const repeated: string[] = []
  for await (const text of client.makeServerStreamRequest('/demo.Echo/Repeat', toBytes, toText, 'again')) {
    repeated.push(text as string)
  }
  expect(repeated).toEqual(['again 0', 'again 1', 'again 2'])
  const both = client.makeBidiStreamRequest('/demo.Echo/Talk', toBytes, toText)
  const heard: string[] = []
  const ended = new Promise((resolve) => both.on('end', resolve))
  both.on('data', (text: string) => {
    heard.push(text)
    // The next message goes only when the one before has been answered: nothing waits for the end of the request.
    if (heard.length < 3) both.write(`message ${heard.length}`)
    else both.end()
  })
  both.write('message 0')
  await ended
  expect(heard).toEqual(['echo message 0', 'echo message 1', 'echo message 2'])
  client.close()
})

test('a status of gRPC reaches the client, and a prefix that nobody has is UNIMPLEMENTED', async () => {
  await using site = await Http2Site.open()
  const client = await openClient(site)
  const call = (path: string): Promise<ServiceError> =>
    new Promise((resolve) => {
      client.makeUnaryRequest(path, toBytes, toText, 'hello', (error) => resolve(error!))
    })
  expect(await call('/demo.Echo/Fail')).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'not today' })
  expect(await call('/demo.Other/Say')).toMatchObject({ code: status.UNIMPLEMENTED })
  client.close()
})

test('a call that its client cancels is gone for the app', async () => {
  await using site = await Http2Site.open()
  let isAborted = false
  await site.serve('/demo.Slow/', (request) => {
    request.on('aborted', () => (isAborted = true))
    request.on('error', () => {})
  })
  const client = new Client(`localhost:${site.port}`, credentials.createSsl(Buffer.from(site.ca)))
  const call = client.makeUnaryRequest('/demo.Slow/Wait', toBytes, toText, 'hello', () => {})
  await expect.poll(() => site.fixture.broker.status().queues.at(-1)!.requests).toBe(1)
  call.cancel()
  await expect.poll(() => isAborted).toBe(true)
  client.close()
})
