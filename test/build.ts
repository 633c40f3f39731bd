import { execFileSync } from 'node:child_process'

/** Tests that start processes of their own run the built files, so the build is brought up to date first. */
export default function build(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b'], { stdio: 'inherit' })
}
