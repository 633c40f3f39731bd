import { resolve } from 'node:path'

/** Releases of Node whose genuine Windows binaries are run. */
export const NODE_MAJORS = [22, 24] as const

/** Where Wine, the Windows binaries and the staged packages are kept: `HTTPSYS_WINE_DIR`, else a cache that git ignores. */
export function wineDirectory(): string {
  return resolve(process.env['HTTPSYS_WINE_DIR'] || '.cache/wine')
}

/** The `node.exe` of a release. */
export function nodeExe(major: number): string {
  return `${wineDirectory()}/node-${major}/package/bin/node.exe`
}

/** Holds what a Windows process imports: `node_modules` with Windows' binaries, our packages as built, owners and examples. */
export function stageDirectory(): string {
  return `${wineDirectory()}/stage`
}
