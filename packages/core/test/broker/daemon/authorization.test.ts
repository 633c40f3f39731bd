import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeRefused } from '../../../src/broker/protocol/claims.ts'
import {
  CACHE_DELETE,
  FRAME_CACHE,
  FRAME_CACHE_REPLY,
  FRAME_REFUSED,
  FRAME_UPGRADE,
  FRAME_UPGRADED,
} from '../../../src/broker/protocol/frames.ts'
import { authorizer } from '../../../src/broker/daemon/authorization.ts'
import { writeReservations } from '../../../src/broker/rendezvous/reservations.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawOwner } from '../../support/raw-owner.ts'

const USER = 12_345
const GROUP = 23_456
/** Only root can become somebody else. */
const isRoot = process.getuid?.() === 0

/** A broker that every user can reach. */
async function startShared(): Promise<BrokerFixture> {
  let directory = ''
  const fixture = await startBroker({
    authorize: (credentials, prefix) => authorizer(directory, true)(credentials, prefix),
    onUpgrade: () => Promise.resolve(4711),
  })
  directory = fixture.directory
  chmodSync(directory, 0o755)
  chmodSync(join(directory, 'private.sock'), 0o666)
  return fixture
}

/** An owner whom the kernel knows as another user: credentials are those of the moment of connect(2). */
async function openAs(fixture: BrokerFixture, uid: number, gid = 0): Promise<RawOwner> {
  process.setegid!(gid)
  process.seteuid!(uid)
  const opening = RawOwner.open(join(fixture.directory, 'private.sock'))
  process.seteuid!(0)
  process.setegid!(0)
  return opening
}

describe.skipIf(!isRoot)('a broker that users share', () => {
  test('refuses what is not reserved for whoever claims it, and says how to reserve it', async () => {
    await using fixture = await startShared()
    using owner = await openAs(fixture, USER)
    await expect(owner.claim('http://localhost:0/2/')).rejects.toMatchObject({
      code: 'EACCES',
      subject: 'http://localhost:0/2/',
      reason: `user ${USER} has no reservation for it`,
      remedy: `Run as root: httpsys add urlacl url=http://localhost:0/2/ user=${USER}.`.replace(/\.$/, ''),
    })
    using root = await openAs(fixture, 0)
    expect(await root.claim('http://localhost:0/2/')).toMatchObject({ id: 0 })
  })

  test('lets a user have what is reserved for him, and what is below it, at once', async () => {
    await using fixture = await startShared()
    using root = await openAs(fixture, 0)
    const { port } = (await root.claim('http://localhost:0/anchor/')) as { port: number }
    const href = (path: string): string => `http://localhost:${port}${path}`
    using owner = await openAs(fixture, USER)
    await expect(owner.claim(href('/2/'))).rejects.toMatchObject({ code: 'EACCES' })
    writeReservations(fixture.directory, [{ url: href('/2/'), uid: USER }])
    expect(await owner.claim(href('/2/'))).toMatchObject({ port })
    expect(await owner.claim(href('/2/below/'))).toMatchObject({ port })
    await expect(owner.claim(href('/3/'))).rejects.toMatchObject({ code: 'EACCES' })
    await expect(owner.claim(href('/anchor/'), { mode: 'takeover' })).rejects.toMatchObject({ code: 'EACCES' })
    using other = await openAs(fixture, USER + 1)
    await expect(other.claim(href('/2/'), { mode: 'takeover' })).rejects.toMatchObject({ code: 'EACCES' })
  })

  test('shows and empties its cache for administrators only', async () => {
    await using fixture = await startShared()
    using owner = await openAs(fixture, USER)
    owner.send({ type: FRAME_CACHE })
    const refused = await owner.next(FRAME_REFUSED, FRAME_CACHE_REPLY)
    expect(decodeRefused(refused.payload.toString())).toMatchObject({ code: 'EACCES', syscall: 'cachestate' })
    using root = await openAs(fixture, 0)
    root.send({ type: FRAME_CACHE, flags: CACHE_DELETE })
    expect((await root.next(FRAME_REFUSED, FRAME_CACHE_REPLY)).type).toBe(FRAME_CACHE_REPLY)
  })

  test('lets a group have what is reserved for it', async () => {
    await using fixture = await startShared()
    writeReservations(fixture.directory, [{ url: 'http://localhost:0/', gid: GROUP }])
    using member = await openAs(fixture, USER, GROUP)
    expect(await member.claim('http://localhost:0/2/')).toMatchObject({ id: 0 })
    using other = await openAs(fixture, USER, GROUP + 1)
    await expect(other.claim('http://localhost:0/3/')).rejects.toMatchObject({ code: 'EACCES' })
  })

  test('is replaced for root only', async () => {
    await using fixture = await startShared()
    using owner = await openAs(fixture, USER)
    owner.send({ type: FRAME_UPGRADE, payload: Buffer.from('{}') })
    expect(decodeRefused((await owner.next(FRAME_REFUSED)).payload.toString())).toMatchObject({ code: 'EACCES' })
    using root = await openAs(fixture, 0)
    root.send({ type: FRAME_UPGRADE, payload: Buffer.from('{}') })
    expect((await root.next(FRAME_UPGRADED)).payload.toString()).toBe('4711')
  })
})

test('where the system does not tell who comes, a private broker lets its own user in, a shared one nobody', () => {
  const prefix = { href: 'http://localhost:1/' } as never
  expect(() => authorizer('/nowhere', false)(undefined, prefix)).not.toThrow()
  expect(() => authorizer('/nowhere', true)(undefined, prefix)).toThrow(/EACCES.*not identify/)
})
