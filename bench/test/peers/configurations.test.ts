import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { haproxyBackends } from '../../src/peers/haproxy.ts'
import { nginxValues, type NginxSettings } from '../../src/peers/nginx-config.ts'
import { fillTemplate } from '../../src/peers/template.ts'

const template = readFileSync(new URL('../../peers/nginx.conf', import.meta.url), 'utf8')
const settings: NginxSettings = {
  directory: '/run/bench',
  port: 8080,
  ownerPorts: [3001, 3002],
  isStripped: false,
  connections: 64,
}
const conf = (more: Partial<NginxSettings> = {}): string =>
  fillTemplate('nginx.conf', template, nginxValues({ ...settings, ...more }))

describe('nginx’s configuration', () => {
  test('has an upstream with keep-alive and a location for each owner', () => {
    expect(conf()).toMatch(/upstream owner_1 \{\s+server 127\.0\.0\.1:3001;\s+keepalive 64;/)
    expect(conf()).toMatch(/upstream owner_2 \{\s+server 127\.0\.0\.1:3002;\s+keepalive 64;/)
    expect(conf()).toContain('location /1/ { proxy_pass http://owner_1; }')
    expect(conf()).toContain('location /2/ { proxy_pass http://owner_2; }')
    expect(conf()).not.toContain('owner_3')
    expect(conf()).toContain('listen 127.0.0.1:8080')
    expect(conf()).toContain('pid /run/bench/nginx.pid;')
    expect(conf()).not.toContain('{{')
  })

  test('strips the prefix, caches, and takes more paths when asked to', () => {
    expect(conf({ isStripped: true })).toContain('proxy_pass http://owner_2/;')
    expect(conf()).not.toContain('proxy_cache')
    expect(conf({ cache: true })).toMatch(/proxy_cache_path \/run\/bench\/cache[^]*proxy_cache answers;/)
    expect(conf({ morePaths: ['/p/7/'] })).toContain('location /p/7/ { proxy_pass http://owner_1; }')
  })

  test('speaks TLS and HTTP/2 with a certificate', () => {
    const values = nginxValues(settings, { certificate: '/c.pem', key: '/k.pem' })
    expect(values['listen']).toBe('listen 127.0.0.1:8080 ssl http2 backlog=4096;')
    expect(values['tls']).toMatch(/ssl_certificate \/c\.pem;\s+ssl_certificate_key \/k\.pem;/)
  })
})

test('haproxy has a backend for each owner, which strips the prefix when asked to', () => {
  expect(haproxyBackends([3001, 3002], false)).toBe(
    'backend owner_1\n  server owner 127.0.0.1:3001\n\nbackend owner_2\n  server owner 127.0.0.1:3002\n',
  )
  expect(haproxyBackends([3001], true)).toContain('  http-request replace-path /1/(.*) /\\1\n')
})

test('a template with an unknown word is refused by name', () => {
  expect(() => fillTemplate('nginx.conf', 'listen {{prot}};', {})).toThrow("nginx.conf asks for 'prot'")
})
