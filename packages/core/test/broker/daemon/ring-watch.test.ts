import { setImmediate as immediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { RingWatch } from '../../../src/broker/daemon/ring-watch.ts'
import type { Engine, Watched } from '../../../src/broker/engine/engine.ts'
import { NetEngine } from '../../../src/broker/engine/net/net-engine.ts'
import { RingLink } from '../../../src/broker/rings/ring-link.ts'
import { MEMORY_BYTES } from '../../../src/broker/rings/ring-memory.ts'

/** A thread whose turns are made by hand. */
class Thread {
  readonly watch: RingWatch
  turnsAsked = 0
  #watched!: Watched

  constructor() {
    const engine: Pick<Engine, 'watch'> = {
      watch: (watched) => {
        this.#watched = watched
        return () => this.turnsAsked++
      },
    }
    this.watch = new RingWatch(engine as Engine)
  }

  /** Whatever has woken the thread, it looks around and sleeps again; returns whether it had overlooked something. */
  turn(meanwhile = (): void => {}): boolean {
    this.#watched.wake()
    meanwhile()
    while (this.#watched.poll());
    return this.#watched.sleep()
  }
}

/** An owner and the broker's side of its rings. */
class Owner {
  readonly received: string[] = []
  bells = 0
  readonly link: RingLink
  readonly #own: RingLink

  constructor() {
    const memory = { bytes: new ArrayBuffer(MEMORY_BYTES), close() {} }
    this.link = new RingLink(memory, 'broker', {
      onBytes: (bytes, start, end) => this.received.push(bytes.toString('latin1', start, end)),
      ringDoorbell() {},
      onBroken: expect.unreachable,
    })
    this.#own = new RingLink(memory, 'owner', {
      onBytes() {},
      ringDoorbell: () => this.bells++,
      onBroken: expect.unreachable,
    })
  }

  answer(text: string): void {
    this.#own.send([Buffer.from(text)], () => {})
  }
}

test('an owner that has something to do begins a turn, and is heard without ringing while the thread is awake', () => {
  const thread = new Thread()
  const owner = new Owner()
  thread.watch.notice(owner.link)
  expect(thread.turnsAsked).toBe(1)
  thread.turn(() => owner.answer('a'))
  expect([owner.received, owner.bells]).toEqual([['a'], 0])
})

test('an owner rings when the thread sleeps, and not when another has woken it', () => {
  const thread = new Thread()
  const [first, second] = [new Owner(), new Owner()]
  for (const { link } of [first, second]) thread.watch.notice(link)
  expect(thread.turn()).toBe(false)
  first.answer('a')
  expect(first.bells).toBe(1)
  thread.turn(() => second.answer('b'))
  expect([first.received, second.received, second.bells]).toEqual([['a'], ['b'], 0])
})

test('what comes while the thread falls asleep is told', () => {
  const thread = new Thread()
  const owner = new Owner()
  thread.watch.notice(owner.link)
  const sleep = owner.link.sleep.bind(owner.link)
  owner.link.sleep = () => {
    owner.answer('late')
    return sleep()
  }
  expect(thread.turn()).toBe(true)
  expect(owner.bells).toBe(0)
})

test('an owner that has been silent for some turns is left alone until it rings', () => {
  const thread = new Thread()
  const owner = new Owner()
  thread.watch.notice(owner.link)
  for (let turn = 0; turn < 10; turn++) thread.turn()
  let looks = 0
  const poll = owner.link.poll.bind(owner.link)
  owner.link.poll = () => {
    looks++
    return poll()
  }
  thread.turn()
  expect(looks).toBe(0)
  owner.answer('back')
  expect(owner.bells).toBe(1)
  thread.watch.notice(owner.link)
  thread.turn()
  expect(owner.received).toEqual(['back'])
})

test('on node:net every answer is seen, or rung for', async () => {
  const watch = new RingWatch(new NetEngine())
  const owner = new Owner()
  watch.notice(owner.link)
  for (let answer = 1; answer <= 20; answer++) {
    // The thread has looked and may sleep.
    for (let turn = 0; turn < answer; turn++) await immediate()
    const bells = owner.bells
    owner.answer(`${answer},`)
    if (owner.bells > bells) {
      watch.notice(owner.link)
      owner.link.poll()
    }
    await expect.poll(() => owner.received.join('')).toContain(`${answer},`)
  }
})
