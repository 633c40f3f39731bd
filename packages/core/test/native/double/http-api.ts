import type { HttpApi } from '../../../src/native/win32-api.ts'
import { constant, offsetOf, sizeOf } from './golden.ts'
import { QueueHandle, RequestQueue, UrlGroup } from './http-objects.ts'
import { ioCalls } from './io-calls.ts'
import type { DoubleProcess } from './process.ts'
import {
  ACCESS_DENIED,
  ALREADY_EXISTS,
  FILE_NOT_FOUND,
  INVALID_HANDLE,
  INVALID_NAME,
  INVALID_PARAMETER,
  NOT_FOUND,
  OPERATION_ABORTED,
  SUCCESS,
} from './status.ts'

const VERSION_2 = 2
const SERVER = 1
const OPEN_EXISTING = 1
const CONTROLLER = 2
const REMOVE_ALL = 1
const FEATURE_TRAILERS = 1
const FEATURE_CIPHER = constant('HttpFeatureQueryCipherInfo')
/** HttpServerQosProperty */
const QOS = 2
/** HttpQosSettingTypeConnectionLimit */
const CONNECTION_LIMIT = 1
const PRESENT = 1
const MAX_PATH_BYTES = 260
/** QOS, timeouts, state 5: with their sizes. */
const GROUP_PROPERTIES = new Map([
  [QOS, sizeOf('HTTP_QOS_SETTING_INFO')],
  [constant('HttpServerTimeoutsProperty'), sizeOf('HTTP_TIMEOUT_LIMIT_INFO')],
  [5, 8],
])

/** httpapi.dll of one process: its objects; {@link ioCalls} has what is done with requests. */
export function httpApi(process: DoubleProcess): HttpApi {
  const { machine } = process
  const { whims } = machine
  const write64 = (address: number, value: bigint, name: string): void => {
    process.memory.at(address, 8, name)?.writeBigUInt64LE(value)
  }
  const groupOf = (id: bigint): UrlGroup | undefined => {
    const group = process.groups.get(id)
    if (group === undefined) process.report(`a URL group that is not open: ${id}`)
    return group
  }
  const queueOf = (value: number, syscall: string): QueueHandle | undefined => {
    const handle = process.queueHandles.get(value)
    if (handle !== undefined) return handle
    process.report(`${syscall} on a handle that is ${process.closedHandles.has(value) ? 'closed' : 'none'}: ${value}`)
    return undefined
  }

  return {
    HttpInitialize(version, flags) {
      if (version !== VERSION_2 || flags !== SERVER) return INVALID_PARAMETER
      process.initializations++
      return SUCCESS
    },
    HttpTerminate() {
      if (process.initializations-- === 0) process.report('HttpTerminate without HttpInitialize')
      if (process.sessions.size > 0) process.report('HttpTerminate with a server session open')
      return SUCCESS
    },
    HttpIsFeatureSupported: whims.isRecent
      ? (feature) =>
          (feature === FEATURE_TRAILERS && whims.hasTrailers) || (feature === FEATURE_CIPHER && whims.tellsCipher)
            ? 1
            : 0
      : undefined,

    HttpCreateServerSession(version, pSessionId) {
      if (version !== VERSION_2) return INVALID_PARAMETER
      if (process.initializations === 0) process.report('HttpCreateServerSession before HttpInitialize')
      const session = { id: machine.newId(), isOpen: true }
      process.sessions.set(session.id, session)
      write64(pSessionId, session.id, 'pServerSessionId')
      return SUCCESS
    },
    HttpCloseServerSession(id) {
      const session = process.sessions.get(id)
      if (session === undefined) return INVALID_PARAMETER
      for (const group of process.groups.values()) {
        if (group.session === session) process.report('a server session was closed before its URL groups')
      }
      session.isOpen = false
      process.sessions.delete(id)
      return SUCCESS
    },

    HttpCreateUrlGroup(sessionId, pGroupId) {
      const session = process.sessions.get(sessionId)
      if (session === undefined) return INVALID_PARAMETER
      const group = new UrlGroup(machine.newId(), session, process)
      process.groups.set(group.id, group)
      write64(pGroupId, group.id, 'pUrlGroupId')
      return SUCCESS
    },
    HttpCloseUrlGroup(id) {
      const group = groupOf(id)
      if (group === undefined) return INVALID_PARAMETER
      process.closeGroup(group)
      return SUCCESS
    },
    HttpSetUrlGroupProperty(id, property, pInformation, length) {
      const group = groupOf(id)
      const bytes = process.memory.at(pInformation, length, 'pPropertyInformation')
      if (group === undefined || bytes === null) return INVALID_PARAMETER
      if (property === constant('HttpServerBindingProperty')) {
        if (length !== sizeOf('HTTP_BINDING_INFO')) return INVALID_PARAMETER
        const isPresent = (bytes.readUInt32LE(offsetOf('HTTP_BINDING_INFO', 'Flags')) & 1) !== 0
        const value = Number(bytes.readBigUInt64LE(offsetOf('HTTP_BINDING_INFO', 'RequestQueueHandle')))
        const handle = isPresent ? queueOf(value, 'HttpSetUrlGroupProperty') : null
        if (handle === undefined) return INVALID_HANDLE
        // Not documented: whether a worker may is Windows' to say, so a backend must be ready for both.
        if (handle !== null && handle.queue.owner !== process.user) return ACCESS_DENIED
        if (handle?.isCreator === false && whims.bindStatus !== 0) return whims.bindStatus
        group.queue = handle?.queue ?? null
        return SUCCESS
      }
      if (GROUP_PROPERTIES.get(property) !== length) return INVALID_PARAMETER
      if (property === QOS) return setConnectionLimit(process, group, bytes)
      if ((bytes.readUInt32LE() & PRESENT) === 0) return INVALID_PARAMETER
      group.properties.set(property, Buffer.from(bytes))
      return SUCCESS
    },
    HttpAddUrlToUrlGroup(id, url) {
      const group = groupOf(id)
      return group === undefined ? INVALID_PARAMETER : machine.register(group, url)
    },
    HttpRemoveUrlFromUrlGroup(id, url, flags) {
      const group = groupOf(id)
      if (group === undefined) return INVALID_PARAMETER
      const isAll = (flags & REMOVE_ALL) !== 0
      const count = machine.unregister((other) => other.group === group && (isAll || other.url === url.toLowerCase()))
      return count > 0 || isAll ? SUCCESS : NOT_FOUND
    },

    HttpCreateRequestQueue(version, name, security, flags, pHandle) {
      if (version !== VERSION_2) return INVALID_PARAMETER
      if (process.initializations === 0) process.report('HttpCreateRequestQueue before HttpInitialize')
      // With the end of the text.
      if (name !== null && 2 * (name.length + 1) > MAX_PATH_BYTES) return INVALID_PARAMETER
      if (name !== null && /[\\/]/.test(name)) return INVALID_NAME
      const existing = name === null ? undefined : machine.queues.get(name)
      const opens = (flags & OPEN_EXISTING) !== 0
      if (opens && (security !== 0 || name === null)) return INVALID_PARAMETER
      if (opens && existing === undefined) return FILE_NOT_FOUND
      if (!opens && existing !== undefined) return ALREADY_EXISTS
      if (existing?.admits(process.user) === false) return ACCESS_DENIED
      const sddl = security === 0 ? '' : process.descriptorAt(security)
      const queue = existing ?? new RequestQueue(name, process.user, (flags & CONTROLLER) !== 0, sddl)
      if (name !== null) machine.queues.set(name, queue)
      const handle = new QueueHandle(machine.newHandle(), queue, !opens)
      queue.handles.add(handle)
      process.queueHandles.set(handle.value, handle)
      write64(pHandle, BigInt(handle.value), 'pReqQueueHandle')
      return SUCCESS
    },
    HttpCloseRequestQueue(value) {
      const handle = queueOf(value, 'HttpCloseRequestQueue')
      if (handle === undefined) return INVALID_HANDLE
      const isInUse = machine.registrations.some(
        ({ group }) => group.process === process && group.queue === handle.queue,
      )
      if (isInUse && handle.queue.handles.size === 1) process.report('a queue was closed before its URLs were removed')
      process.closeQueueHandle(handle)
      return SUCCESS
    },
    HttpShutdownRequestQueue: (value) => {
      const handle = queueOf(value, 'HttpShutdownRequestQueue')
      if (handle === undefined) return INVALID_HANDLE
      handle.queue.isShutDown = true
      for (const { operation } of handle.queue.receives.splice(0)) operation.complete(OPERATION_ABORTED)
      return SUCCESS
    },
    HttpSetRequestQueueProperty(value, property, pInformation, length) {
      const handle = queueOf(value, 'HttpSetRequestQueueProperty')
      const bytes = process.memory.at(pInformation, length, 'pPropertyInformation')
      if (handle === undefined || bytes === null || length !== 4) return INVALID_PARAMETER
      if (!handle.isCreator) {
        process.report('a property was set through a handle that did not create the queue')
        return ACCESS_DENIED
      }
      const number = bytes.readUInt32LE()
      if (property === constant('HttpServerQueueLengthProperty') && number > 0) handle.queue.length = number
      else if (property === constant('HttpServer503VerbosityProperty') && number <= 2) handle.queue.verbosity = number
      else return INVALID_PARAMETER
      return SUCCESS
    },
    ...ioCalls(process, queueOf),
  }
}

/** HTTP_QOS_SETTING_INFO: a type, and behind a pointer what belongs to it. */
function setConnectionLimit(process: DoubleProcess, group: UrlGroup, bytes: Buffer): number {
  if (bytes.readUInt32LE(offsetOf('HTTP_QOS_SETTING_INFO', 'QosType')) !== CONNECTION_LIMIT) return INVALID_PARAMETER
  const address = Number(bytes.readBigUInt64LE(offsetOf('HTTP_QOS_SETTING_INFO', 'QosSetting')))
  const limit = process.memory.at(address, sizeOf('HTTP_CONNECTION_LIMIT_INFO'), 'QosSetting')
  if (limit === null || (limit.readUInt32LE() & PRESENT) === 0) return INVALID_PARAMETER
  group.maxConnections = limit.readUInt32LE(offsetOf('HTTP_CONNECTION_LIMIT_INFO', 'MaxConnections'))
  return SUCCESS
}
