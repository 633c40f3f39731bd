import { expect, test } from 'vitest'
import { BindScopes } from '../../../src/broker/daemon/bind-scopes.ts'
import { EVERY_ADDRESS, LOOPBACK } from '../../../src/broker/protocol/bind-scope.ts'

test('an address is needed until the last of the claims has gone that need it', () => {
  const scopes = new BindScopes()
  for (let count = 0; count < 3; count++) scopes.add(LOOPBACK)
  scopes.add(['192.0.2.1'])
  expect(scopes.addresses).toEqual([...LOOPBACK, '192.0.2.1'])
  scopes.remove(LOOPBACK)
  scopes.remove(LOOPBACK)
  scopes.remove(['192.0.2.1'])
  expect(scopes.addresses).toEqual(LOOPBACK)
  scopes.remove(LOOPBACK)
  expect(scopes.isEmpty).toBe(true)
  expect(scopes.addresses).toEqual([])
})

test('the same address may be needed in different ways', () => {
  const scopes = new BindScopes()
  scopes.add(LOOPBACK)
  scopes.add(['::1'])
  expect(scopes.different).toEqual([LOOPBACK, ['::1']])
  scopes.remove(LOOPBACK)
  expect(scopes.addresses).toEqual(['::1'])
})

test('all addresses stand for each', () => {
  const scopes = new BindScopes()
  scopes.add(['192.0.2.1'])
  scopes.add([EVERY_ADDRESS])
  expect(scopes.addresses).toEqual([EVERY_ADDRESS])
  scopes.remove([EVERY_ADDRESS])
  expect(scopes.addresses).toEqual(['192.0.2.1'])
})

test('what nobody needs can go without harm', () => {
  const scopes = new BindScopes()
  scopes.add(LOOPBACK)
  scopes.remove(['192.0.2.1'])
  expect(scopes.addresses).toEqual(LOOPBACK)
  scopes.clear()
  expect(scopes.isEmpty).toBe(true)
})

test('ten thousand claims are no more to look at than one', () => {
  const scopes = new BindScopes()
  for (let count = 0; count < 10_000; count++) scopes.add([...LOOPBACK])
  expect(scopes.different).toEqual([LOOPBACK])
})
