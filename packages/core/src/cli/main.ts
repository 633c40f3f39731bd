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
import { windowsAdvice } from './windows.ts'

const USAGE = `httpsys status [--json]

  Shows the broker of this user: ports, prefixes with their processes, and what it has answered by itself.

httpsys show cachestate [url=http://localhost:8080/2/] [--json]
httpsys delete cache [url=http://localhost:8080/2/news]

  What the response cache holds, and has it forget that: of a path, and with a slash at its end of what is below, too.

httpsys upgrade

  Replaces the running broker by one of this version and this Node: no connection is refused, nothing is lost.

httpsys serve [--shared] [--user NAME] [--port N]... [--LIMIT N]...

  Runs a broker in this process that stays until it is told to end: for systemd, or a container.

  --shared  processes of other users may claim what is reserved for them
  --user    whom to become once the ports are bound (as root)
  --port    a port to keep open on all addresses, since that user could not bind it later

  Limits for every client; times are milliseconds, sizes bytes, and each has a variable too (docs/environment.md):

  --header-wait-timeout      from the first byte of a head to its end                        [120000]
  --idle-connection-timeout  between a response and the next request                         [120000]
  --max-server-connections   client connections; 0: as ulimit -n allows                      [0]
  --max-field-length         of one header field                                             [16384]
  --max-request-bytes        of a head                                                       [16384]
  --url-segment-max-length   of a segment of a path, 0: no limit                             [260]
  --url-segment-max-count    segments of a path, 0: no limit                                 [255]
  --response-cache-bytes     of all cached responses together, 0: no cache                   [67108864]
  --uri-max-uri-bytes        of the body of a cached response                                [262144]
  --response-cache-wait      for the response to another request for the same URL            [5000]
  --shutdown-timeout         from an upgrade until open WebSockets are closed, 0: no limit   [0]

httpsys hold url=http://*:80/2/ [url=…] ["sddl=D:(A;;GA;;;NS)"]

  Windows: owns the queues of prefixes without serving them. Processes join with mode 'attach' (HTTPSYS_MODE=attach) and leave again,
  and requests wait while there is none. sddl= says who may join; this user and administrators may.

httpsys add urlacl url=http://*:80/2/ user=NAME   (or group=NAME)
httpsys delete urlacl url=http://*:80/2/
httpsys show urlacl

  Reserves a prefix, and what is below it, for a user or a group; for a broker that is served with --shared.

httpsys add sslcert hostnameport=localhost:8443 cert=FILE key=FILE [ca=FILE clientcertnegotiation=none|allow|require]
httpsys add sslcert [hostnameport=…|ipport=…] --self-signed
httpsys delete sslcert hostnameport=localhost:8443
httpsys show sslcert

  The certificate that a port shows to clients of https prefixes: by name (*.example.com:443 too), or ipport=0.0.0.0:443 for all
  others. A renewed file is noticed by itself. --self-signed makes a certificate for development and says how to trust it.

httpsys run --prefix /2/ [--base http://localhost:8080] [--no-strip] -- node app.js

  Runs a program whose servers listen on a prefix instead of a TCP port, with no change of its code.

  --prefix    a path (/2/), a full prefix (http://*:80/2/), ports with their prefixes (3000=/2/,3001=/admin/), or auto
  --base      what short prefixes are put on                                  [HTTPSYS_BASE, http://localhost:8080]
  --no-strip  the app sees URLs with the prefix

httpsys measure [--vms 1250 --monthly 460.80] [--path /] [--owners 8] [--connections 64] [--rounds 3] [--seconds 4] [--warmup 8]
                -- node app.js

  What a request costs the program alone, on a shared port, and behind nginx and http-proxy where they are installed; with --vms and
  --monthly what that is a year. The program listens on the port that PORT names. Linux only.
`

/** As the machine's store of Windows knows a certificate. */
function thumbprintOf(file: string): string {
  return new X509Certificate(readFileSync(file)).fingerprint.replaceAll(':', '')
}

const [command, ...rest] = process.argv.slice(2)
try {
  const advice = process.platform === 'win32' ? windowsAdvice(process.argv.slice(2), thumbprintOf) : undefined
  if (advice !== undefined) process.stdout.write(advice)
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
  else if (command === undefined || command === '--help' || command === 'help') process.stdout.write(USAGE)
  else fail(`httpsys: there is no command "${command}"\n\n${USAGE}`)
} catch (error) {
  const isOurs = error instanceof HttpSysError
  fail(isOurs ? error.message : `${(error as Error).message}\n\n${USAGE}`)
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
  process.stderr.write(`${text.trimEnd()}\n`)
  process.exitCode = 2
}
