import type { Win32Api } from '../../../src/native/win32-api.ts'
import { CompletionPort } from './completion-port.ts'
import { offsetOf, sizeOf } from './golden.ts'
import { httpApi } from './http-api.ts'
import { QueueHandle } from './http-objects.ts'
import type { ServerSession, UrlGroup } from './http-objects.ts'
import { kernelApi } from './kernel-api.ts'
import type { Machine } from './machine.ts'
import { OperationTable } from './operation.ts'
import { ProcessPipes } from './pipes.ts'
import { OPERATION_ABORTED } from './status.ts'
import { TrackedMemory } from './tracked-memory.ts'

/** A process on the machine: what a backend is given in place of Windows, and what it holds of Windows' objects. */
export class DoubleProcess {
  readonly machine: Machine
  readonly memory: TrackedMemory
  readonly operations: OperationTable
  readonly sessions = new Map<bigint, ServerSession>()
  readonly groups = new Map<bigint, UrlGroup>()
  readonly queueHandles = new Map<number, QueueHandle>()
  readonly ports = new Map<number, CompletionPort>()
  /** Access tokens that are open. */
  readonly tokens = new Set<number>()
  /** Values of handles that are closed. */
  readonly closedHandles = new Set<number>()
  /** Who runs it: another user may do only what the machine or a queue's security descriptor allows. */
  readonly user: string
  initializations = 0
  lastError = 0
  readonly pipes: ProcessPipes
  readonly api: Win32Api
  #isDead = false

  constructor(machine: Machine, user: string) {
    this.machine = machine
    this.user = user
    this.memory = new TrackedMemory(machine.ledger)
    this.operations = new OperationTable(this.memory, machine.ledger, machine.dice, machine.whims)
    this.pipes = new ProcessPipes(machine.pipes)
    this.api = { http: httpApi(this), kernel: kernelApi(this), memory: this.memory, pipes: this.pipes }
  }

  report(violation: string): void {
    if (!this.#isDead) this.machine.ledger.report(violation)
  }

  /** Security descriptors by their addresses. */
  readonly descriptors = new Map<number, string>()

  newDescriptor(text: string): number {
    const address = 0x10_0000 + 0x100 * this.descriptors.size
    this.descriptors.set(address, text)
    return address
  }

  /** The text of the descriptor that a SECURITY_ATTRIBUTES names. */
  descriptorAt(attributes: number): string {
    const bytes = this.memory.at(attributes, sizeOf('SECURITY_ATTRIBUTES'), 'pSecurityAttributes')
    if (bytes === null) return ''
    const at = (field: string): number => offsetOf('SECURITY_ATTRIBUTES', field)
    if (bytes.readUInt32LE(at('nLength')) !== sizeOf('SECURITY_ATTRIBUTES'))
      this.report('SECURITY_ATTRIBUTES of a wrong length')
    const descriptor = this.descriptors.get(Number(bytes.readBigUInt64LE(at('lpSecurityDescriptor'))))
    if (descriptor === undefined) this.report('SECURITY_ATTRIBUTES that point at no security descriptor')
    return descriptor ?? ''
  }

  newPort(): CompletionPort {
    const { ledger, dice, whims } = this.machine
    return new CompletionPort(this.memory, ledger, dice, whims, (packet) => this.machine.drops(packet))
  }

  /** Closes a handle of a queue: what is under way on it is aborted, requests that it had received are broken off. */
  closeQueueHandle(handle: QueueHandle): void {
    const { queue } = handle
    handle.isOpen = false
    this.queueHandles.delete(handle.value)
    this.closedHandles.add(handle.value)
    queue.handles.delete(handle)
    const mine = queue.receives.filter((receive) => receive.handle === handle)
    for (const receive of mine) {
      queue.receives.splice(queue.receives.indexOf(receive), 1)
      receive.operation.complete(OPERATION_ABORTED)
    }
    for (const operation of this.operations.on(handle)) if (operation.state === 'pending') operation.onCancel()
    this.machine.dropRequestsOf(handle)
    if (queue.handles.size > 0) return
    for (const request of queue.waiting.splice(0)) request.connection.answer(503, 'Service Unavailable')
    if (queue.name !== null) this.machine.queues.delete(queue.name)
  }

  closeGroup(group: UrlGroup): void {
    group.isOpen = false
    this.groups.delete(group.id)
    this.machine.unregister((registration) => registration.group === group)
  }

  /** The process dies: Windows closes its handles, in whatever order. */
  kill(): void {
    this.#isDead = true
    for (const handle of this.queueHandles.values()) this.closeQueueHandle(handle)
    for (const group of this.groups.values()) this.closeGroup(group)
    for (const port of this.ports.values()) port.close()
    this.pipes.kill()
    this.machine.processes.splice(this.machine.processes.indexOf(this), 1)
  }

  /**
   * Looks for what a process that has shut everything down must not have any more. Session and completion port may live as long
   * as the process.
   */
  inspect(): void {
    for (const { value } of this.queueHandles.values()) this.report(`the queue handle ${value} is still open`)
    for (const { id } of this.groups.values()) this.report(`the URL group ${id} is still open`)
    for (const token of this.tokens) this.report(`the token ${token} is still open`)
    for (const name of this.pipes.listening) this.report(`the pipe ${name} is still listened at`)
    this.operations.inspect()
    this.memory.inspect()
  }
}
