import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProcessGroup, rotate } from '@httpsys/core/measure'
import type { Conditions } from './conditions.ts'
import type { Measurement, Variant } from './scenario.ts'

/** Groups that run now and their directories, for the end of this process to clear away. */
const running = new Map<ProcessGroup, string>()

/** Clears away what an interrupted measurement has left. */
export function killRunning(): void {
  for (const [group, directory] of running) {
    group.killNow()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** All variants in turn, round after round, so that a noisy minute meets all of them. Each round begins with another one. */
export async function runRounds(
  variants: readonly Variant[],
  rounds: { readonly first: number; readonly count: number },
  conditions: Conditions,
  onMeasurement: (measurement: Measurement) => void,
): Promise<void> {
  for (let round = rounds.first; round < rounds.first + rounds.count; round++) {
    for (const variant of rotate(variants, round - 1)) {
      // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
      onMeasurement(await measure(variant, round, conditions))
    }
  }
}

/** Runs one variant in a directory of its own, and stops whatever it has started. */
export async function measure(variant: Variant, round: number, conditions: Conditions): Promise<Measurement> {
  const directory = mkdtempSync(join(tmpdir(), 'httpsys-bench-'))
  const group = new ProcessGroup(conditions.pinning?.serverCpu, ['HTTPSYS_RUNTIME_DIR', directory], {
    NODE_ENV: 'production',
  })
  running.set(group, directory)
  try {
    return { round, variant: variant.name, figures: await variant.measure({ group, directory, conditions }) }
  } catch (error) {
    return { round, variant: variant.name, failure: error instanceof Error ? error.message : String(error) }
  } finally {
    await group.stop()
    running.delete(group)
    rmSync(directory, { recursive: true, force: true })
  }
}
