// koffi and httpapi.dll with nothing of ours between them: answers every request. When this fails, the tier's own
// ground is at fault and not the backend.
import koffi from 'koffi'
import { tell } from './control.mjs'

const [url] = process.argv.slice(2)
const httpapi = koffi.load('httpapi.dll')
const kernel32 = koffi.load('kernel32.dll')
const api = {
  initialize: httpapi.func('uint32_t HttpInitialize(uint32_t version, uint32_t flags, void *reserved)'),
  createSession: httpapi.func('uint32_t HttpCreateServerSession(uint32_t version, void *id, uint32_t reserved)'),
  createGroup: httpapi.func('uint32_t HttpCreateUrlGroup(uint64_t session, void *id, uint32_t reserved)'),
  createQueue: httpapi.func(
    'uint32_t HttpCreateRequestQueue(uint32_t v, str16 name, void *acl, uint32_t f, void *out)',
  ),
  bind: httpapi.func('uint32_t HttpSetUrlGroupProperty(uint64_t group, int property, void *value, uint32_t size)'),
  addUrl: httpapi.func('uint32_t HttpAddUrlToUrlGroup(uint64_t group, str16 url, uint64_t context, uint32_t r)'),
  receive: httpapi.func(
    'uint32_t HttpReceiveHttpRequest(uint64_t q, uint64_t id, uint32_t f, void *buffer, uint32_t n, void *r, void *o)',
  ),
  send: httpapi.func(
    'uint32_t HttpSendHttpResponse(uint64_t q, uint64_t id, uint32_t f, void *response, void *c, void *n, void *a, uint32_t b, void *o, void *l)',
  ),
  createPort: kernel32.func('uint64_t CreateIoCompletionPort(uint64_t file, uint64_t port, uint64_t key, uint32_t n)'),
  setModes: kernel32.func('int SetFileCompletionNotificationModes(uint64_t file, uint8_t flags)'),
  wait: kernel32.func(
    'int GetQueuedCompletionStatusEx(uint64_t port, void *entries, uint32_t n, void *removed, uint32_t ms, int alertable)',
  ),
}

function memory(size) {
  const pointer = koffi.alloc('uint8_t', size)
  const bytes = Buffer.from(koffi.view(pointer, size)).fill(0)
  return { pointer, bytes, address: BigInt(koffi.address(pointer)) }
}

function check(syscall, status) {
  if (status !== 0) throw new Error(`${syscall} returned ${status}`)
}

const out = memory(8)
check('HttpInitialize', api.initialize(2, 1, null))
check('HttpCreateServerSession', api.createSession(2, out.pointer, 0))
check('HttpCreateUrlGroup', api.createGroup(out.bytes.readBigUInt64LE(), out.pointer, 0))
const group = out.bytes.readBigUInt64LE()
check('HttpCreateRequestQueue', api.createQueue(2, null, null, 0, out.pointer))
const queue = out.bytes.readBigUInt64LE()
const binding = memory(16)
binding.bytes.writeUInt32LE(1, 0)
binding.bytes.writeBigUInt64LE(queue, 8)
check('HttpSetUrlGroupProperty', api.bind(group, 7, binding.pointer, 16))
check('HttpAddUrlToUrlGroup', api.addUrl(group, url, 0, 0))
const port = api.createPort(queue, 0, 1, 0)
if (api.setModes(queue, 1) !== 1) throw new Error('SetFileCompletionNotificationModes failed')

const request = memory(16_384)
const overlapped = memory(32)
const entries = memory(32 * 64)
const removed = memory(4)
receive()
tell('listening')

function receive() {
  const status = api.receive(queue, 0, 0, request.pointer, 16_384, null, overlapped.pointer)
  // A request that is there already comes at once, and posts no completion.
  if (status === 0) return setImmediate(onRequest)
  if (status !== 997) throw new Error(`HttpReceiveHttpRequest returned ${status}`)
  api.wait.async(port, entries.pointer, 64, removed.pointer, 0xffff_ffff, 0, onWake)
}

function onWake(error, isOk) {
  if (error !== null || isOk !== 1 || removed.bytes.readUInt32LE() !== 1) throw new Error(`woke with ${error} ${isOk}`)
  if (entries.bytes.readBigUInt64LE(8) !== overlapped.address) throw new Error('the completion is not of our receive')
  onRequest()
}

function onRequest() {
  const length = request.bytes.readUInt16LE(42)
  const url = Buffer.from(koffi.view(request.bytes.readBigUInt64LE(56), length)).toString('latin1')
  respond(request.bytes.readBigUInt64LE(16), `raw URL ${url}`)
  receive()
}

function respond(id, text) {
  const response = memory(568)
  const reason = memory(2)
  const body = memory(text.length)
  const chunk = memory(32)
  reason.bytes.write('OK')
  body.bytes.write(text, 'latin1')
  chunk.bytes.writeBigUInt64LE(body.address, 8)
  chunk.bytes.writeUInt32LE(text.length, 16)
  response.bytes.writeUInt16LE(1, 4)
  response.bytes.writeUInt16LE(1, 6)
  response.bytes.writeUInt16LE(200, 8)
  response.bytes.writeUInt16LE(2, 10)
  response.bytes.writeBigUInt64LE(reason.address, 16)
  response.bytes.writeUInt16LE(1, 536)
  response.bytes.writeBigUInt64LE(chunk.address, 544)
  check('HttpSendHttpResponse', api.send(queue, id, 0, response.pointer, null, null, null, 0, memory(32).pointer, null))
}
