import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fillNginxTemplate, type NginxSettings } from '../src/nginx.ts'

const template = readFileSync(new URL('../peers/nginx.conf', import.meta.url), 'utf8')
const settings: NginxSettings = {
  directory: '/run/bench',
  port: 8080,
  upstreamPorts: [3001, 3002],
  strip: false,
  connections: 64,
}

describe('nginx’s configuration', () => {
  test('has an upstream with keep-alive and a location for each owner', () => {
    const conf = fillNginxTemplate(template, settings)
    expect(conf).toMatch(/upstream owner_1 \{\s+server 127\.0\.0\.1:3001;\s+keepalive 64;/)
    expect(conf).toMatch(/upstream owner_2 \{\s+server 127\.0\.0\.1:3002;\s+keepalive 64;/)
    expect(conf).toContain('location /1/ { proxy_pass http://owner_1; }')
    expect(conf).toContain('location /2/ { proxy_pass http://owner_2; }')
    expect(conf).not.toContain('owner_3')
    expect(conf).toContain('listen 127.0.0.1:8080')
    expect(conf).toContain('pid /run/bench/nginx.pid;')
    expect(conf).not.toContain('{{')
  })

  test('strips the prefix when asked to', () => {
    expect(fillNginxTemplate(template, { ...settings, strip: true })).toContain('proxy_pass http://owner_2/;')
  })

  test('with an unknown word is refused by name', () => {
    expect(() => fillNginxTemplate('listen {{prot}};', settings)).toThrow("'prot'")
  })
})
