// Asks stock Wine for what not-shown.ts says that it lacks, where a call can tell without ending the process.
import koffi from 'koffi'
import { tell } from './control.mjs'

const [base] = process.argv.slice(2)
const httpapi = koffi.load('httpapi.dll')
const call = (name, ...parameters) => httpapi.func('__stdcall', name, 'uint32_t', parameters)
const createQueue = call('HttpCreateRequestQueue', 'uint32_t', 'str16', 'void *', 'uint32_t', 'void *')
const createGroup = call('HttpCreateUrlGroup', 'uint64_t', 'void *', 'uint32_t')
const setGroup = call('HttpSetUrlGroupProperty', 'uint64_t', 'int', 'void *', 'uint32_t')
const setQueue = call('HttpSetRequestQueueProperty', 'intptr_t', 'int', 'void *', 'uint32_t', 'uint32_t', 'void *')
const addUrl = call('HttpAddUrlToUrlGroup', 'uint64_t', 'str16', 'uint64_t', 'uint32_t')

const VERSION_2 = 2
const QUEUE_LENGTH = 4
const BINDING = 7
const OPEN_EXISTING = 1

const out = Buffer.alloc(16)
call('HttpInitialize', 'uint32_t', 'uint32_t', 'void *')(VERSION_2, 1, null)
call('HttpCreateServerSession', 'uint32_t', 'void *', 'uint32_t')(VERSION_2, out, 0)
createGroup(out.readBigUInt64LE(), out, 0)
const group = out.readBigUInt64LE()
const queueNamed = (name, flags = 0) => [createQueue(VERSION_2, name, null, flags, out), out.readBigInt64LE()]
const [, queue] = queueNamed('httpsys-lacks')
const binding = Buffer.alloc(16)
binding.writeUInt32LE(1)
binding.writeBigInt64LE(queue, 8)
setGroup(group, BINDING, binding, 16)
addUrl(group, `${base}/1/`, 0, 0)
const length = Buffer.alloc(4)
length.writeUInt32LE(10)

tell('statuses', {
  'a second URL in one URL group': addUrl(group, `${base}/2/`, 0, 0),
  'a second queue of one name': queueNamed('httpsys-lacks')[0],
  'opening a queue that nobody has made': queueNamed('httpsys-nobody', OPEN_EXISTING)[0],
  'the length of a queue': setQueue(queue, QUEUE_LENGTH, length, 4, 0, null),
})
