#!/usr/bin/env node
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { HttpSysError } from '../base/errors.ts'
import { queryCache } from '../broker/client/query-cache.ts'
import { queryStatus } from '../broker/client/query-status.ts'
import { upgradeBroker } from '../broker/client/upgrade.ts'
import { runDaemon } from '../broker/daemon/run-daemon.ts'
import { configDirectory, makeConfigDirectory, problemOf } from '../broker/rendezvous/config-directory.ts'
import { readReservations, writeReservations } from '../broker/rendezvous/reservations.ts'
import { runtimeDirectory } from '../broker/rendezvous/runtime-directory.ts'
import { readSslCertificates, writeSslCertificates } from '../broker/rendezvous/ssl-certificates.ts'
import { idOfGroup, idsOfUser } from '../broker/rendezvous/users.ts'
import { cachestate, deleteCache } from './cachestate.ts'
import { hold } from './hold.ts'
import type { PrefixHolder } from './hold.ts'
import { measure } from './measure.ts'
import { run } from './run.ts'
import { serve } from './serve.ts'
import { sslcert } from './sslcert.ts'
import { status } from './status.ts'
import { upgrade } from './upgrade.ts'
import { urlacl } from './urlacl.ts'
import { asksForHelp, usageOf } from './usage.ts'
import { windowsAdvice } from './windows.ts'

/** As the machine's store of Windows knows a certificate. */
function thumbprintOf(file: string): string {
  return new X509Certificate(readFileSync(file)).fingerprint.replaceAll(':', '')
}

const args = process.argv.slice(2)
const [command, ...rest] = args
try {
  const advice = process.platform === 'win32' ? windowsAdvice(args, thumbprintOf) : undefined
  if (command === undefined || asksForHelp(args)) process.stdout.write(usageOf(command === 'help' ? rest : args))
  else if (advice !== undefined) process.stdout.write(advice)
  else if (command === 'run') run(rest, process.platform === 'win32')
  else if (command === 'measure') await measure(rest)
  else if (command === 'status') await status(rest, queryStatus)
  else if (command === 'serve') await serve(rest, runDaemon)
  else if (command === 'hold') await hold(rest, process.platform === 'win32' ? openController : undefined, untilStopped)
  else if ((command === 'add' || command === 'delete' || command === 'show') && rest[0] === 'urlacl') {
    const directory = runtimeDirectory()
    urlacl(command, rest.slice(1), {
      read: () => readReservations(directory),
      write: (reservations) => writeReservations(directory, reservations),
      uidOf: (user) => idsOfUser(user).uid,
      gidOf: idOfGroup,
    })
  } else if ((command === 'add' || command === 'delete' || command === 'show') && rest[0] === 'sslcert') {
    const directory = configDirectory()
    sslcert(command, rest.slice(1), {
      directory,
      makeDirectory: () => makeConfigDirectory(directory),
      read: () => readSslCertificates(directory),
      write: (entries) => writeSslCertificates(directory, entries),
      problemOf: (key) => problemOf(key, true),
    })
  } else if (command === 'show' && rest[0] === 'cachestate') await cachestate(rest.slice(1), queryCache)
  else if (command === 'delete' && rest[0] === 'cache') await deleteCache(rest.slice(1), queryCache)
  else if (command === 'upgrade') await upgrade(rest, upgradeBroker)
  else fail(`httpsys: there is no command "${command}"\n\n${usageOf([])}`)
} catch (error) {
  const isOurs = error instanceof HttpSysError
  fail(isOurs ? error.message : `${(error as Error).message}\n\n${usageOf(args)}`)
}

/** Of Windows alone, so nothing of it is loaded elsewhere. */
async function openController(): Promise<PrefixHolder> {
  return (await import('../native/open-queue-controller.ts')).openQueueController()
}

/** Resolves on Ctrl-C, Ctrl-Break, or when the console is closed; a signal that is listened for does not keep a process alive. */
function untilStopped(): Promise<void> {
  const alive = setInterval(() => {}, 2 ** 30)
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'] as const) process.once(signal, resolve)
  }).then(() => clearInterval(alive))
}

function fail(text: string): void {
  // Threads of a broker that could not get its ports would keep the process.
  process.stderr.write(`${text.trimEnd()}\n`, () => process.exit(2))
}
