/**
 * `node --import @httpsys/core/slipstream app.js`: an app that listens on a TCP port lands on its prefix, with no change of code.
 * `HTTPSYS_PREFIX` says where; without it nothing changes.
 *
 * @see docs/slipstream.md
 */
import { installListenHook, listenOnPrefix } from './http/listen-hook.ts'
import { platformBackend } from './platform-backend.ts'
import { readDestination } from './slipstream/destination.ts'
import { installSlipstream } from './slipstream/install-slipstream.ts'

const kIsInstalled = Symbol.for('httpsys.slipstream')
const text = process.env['HTTPSYS_PREFIX']
const holder = globalThis as Record<symbol, unknown>

installListenHook(platformBackend)
// A worker thread and a child get the flag again; a second copy in one thread must not move a server twice.
if (text !== undefined && text !== '' && holder[kIsInstalled] === undefined) {
  holder[kIsInstalled] = true
  installSlipstream({
    destination: readDestination(text),
    strip: process.env['HTTPSYS_STRIP'] !== '0',
    listenOnPrefix: (server, prefix, options) => listenOnPrefix(server, prefix, platformBackend, options),
    report: (line) => process.stderr.write(`${line}\n`),
  })
}
