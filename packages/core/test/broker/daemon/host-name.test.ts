import { describe, expect, test } from 'vitest'
import { hostOfAddress, hostOfField } from '../../../src/broker/daemon/host-name.ts'

/** What the parser makes of the bytes of a UTF-8 field. */
function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

describe('hostOfField', () => {
  test.each([
    ['localhost', 'localhost'],
    ['LocalHost:8080', 'localhost'],
    ['localhost.', 'localhost'],
    ['localhost.:8080', 'localhost'],
    ['localhost:', 'localhost'],
    ['localhost:0', 'localhost'],
    ['localhost:00080', 'localhost'],
    ['localhost:65535', 'localhost'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[::1]:8080', '[::1]'],
    ['[0:0:0:0:0:0:0:1]:8080', '[::1]'],
    ['[2001:DB8::0A]', '[2001:db8::a]'],
    ['[::ffff:127.0.0.1]:80', '127.0.0.1'],
    ['my_host-1.example.com', 'my_host-1.example.com'],
    ['127.1', '127.1'],
    ["a!$&'()*+,;=~b.c", "a!$&'()*+,;=~b.c"],
    ['XN--Mnchen-3ya.de:80', 'münchen.de'],
    ['a.xn--mnchen-3ya.de.', 'a.münchen.de'],
    ['xn--a.de', 'xn--a.de'],
    [latin1('MÜNCHEN.de:80'), 'münchen.de'],
    [latin1('日本.jp'), '日本.jp'],
  ])('%j is the host %s', (field, expected) => {
    expect(hostOfField(field).name).toBe(expected)
    expect(hostOfField(field).name).toBe(expected)
  })

  test.each([
    [''],
    [' '],
    ['.'],
    [':80'],
    ['a..b'],
    ['.a'],
    ['a b'],
    ['a/b'],
    ['a\\b'],
    ['a?b'],
    ['a#b'],
    ['me@a'],
    ['a%2eb'],
    ['a:80:80'],
    ['a:8o'],
    ['a:-1'],
    ['a:65536'],
    ['a:000080'],
    ['::1'],
    ['[::1'],
    ['[::1]x'],
    ['[::g]'],
    ['[::1%25eth0]'],
    ['[127.0.0.1]'],
    ['[]'],
    ['m\u00fcnchen.de'],
    ['a'.repeat(261)],
  ])('%j is not a host', (field) => {
    expect(hostOfField(field).name).toBe('')
    expect(hostOfField(field).name).toBe('')
  })

  test.each([
    ['localhost', true],
    ['LOCALHOST:80', true],
    ['127.0.0.1', true],
    ['127.255.1.2:80', true],
    ['[::1]:80', true],
    ['128.0.0.1', false],
    ['127.0.0.1.nip.io', false],
    ['[::2]', false],
    ['localhost.example.com', false],
    ['', false],
  ])('isLoopback of %j is %s', (field, expected) => {
    expect(hostOfField(field).isLoopback).toBe(expected)
  })

  test('remembers a field', () => {
    const first = hostOfField('remembered.example.com:80')
    expect(hostOfField('remembered.example.com:80')).toBe(first)
  })

  test('forgets fields when clients make up many of them', () => {
    const first = hostOfField('flooded.example.com')
    for (let index = 0; index < 1024; index++) hostOfField(`h${index}.example.com`)
    expect(hostOfField('flooded.example.com')).not.toBe(first)
    expect(hostOfField('flooded.example.com')).toEqual(first)
  })

  test('does not keep fields that are too long to be a host', () => {
    const field = 'a'.repeat(16_000)
    expect(hostOfField(field)).not.toBe(hostOfField(field))
  })
})

describe('hostOfAddress', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['10.0.0.1', '10.0.0.1', false],
    ['::1', '[::1]', true],
    ['::ffff:10.0.0.1', '10.0.0.1', false],
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['2001:db8::a', '[2001:db8::a]', false],
    ['fe80::1%eth0', '[fe80::1]', false],
    ['', '', false],
  ])('%j is the host %s', (address, name, isLoopback) => {
    expect(hostOfAddress(address)).toEqual({ name, isLoopback })
  })
})
