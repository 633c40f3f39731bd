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

/**
 * What is printed for help, and after a mistake: of one command, or of all of them when it is none.
 *
 * @param args - the command and what follows it
 */
export function usageOf([command, what]: readonly string[]): string {
  const sections = USAGE.trimEnd().split(/\n\n(?=httpsys )/)
  const ofCommand = sections.filter((section) => isAbout(section, `httpsys ${command}`))
  const ofSubject = ofCommand.filter((section) => isAbout(section, `httpsys ${command} ${what}`))
  const found = [ofSubject, ofCommand, sections].find((some) => some.length > 0)!
  return `${found.join('\n\n')}\n`
}

function isAbout(section: string, words: string): boolean {
  return section.split('\n').some((line) => `${line} `.startsWith(`${words} `))
}

/** Whether help is asked for; what stands behind `--` is for the program. */
export function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const own = end === -1 ? args : args.slice(0, end)
  return own[0] === 'help' || own.includes('--help') || own.includes('-h')
}
