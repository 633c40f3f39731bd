import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProcessGroup, rotate } from '@httpsys/core/measure'
import type { Conditions } from './conditions.ts'
import type { Figures, Measure, Measurement, Variant } from './scenario.ts'

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
  const stages = new Map(variants.map((variant) => [variant, new Stage(variant, conditions)]))
  const last = rounds.first + rounds.count - 1
  try {
    for (let round = rounds.first; round <= last; round++) {
      for (const [variant, stage] of rotate([...stages], round - 1)) {
        // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
        onMeasurement(await stage.measure(round))
        // oxlint-disable-next-line no-await-in-loop
        if (round === last || variant.isFresh === true) await stage.stop()
      }
    }
  } finally {
    await Promise.all([...stages.values()].map((stage) => stage.stop()))
  }
}

/**
 * Where the processes of a variant run: in a directory of their own, from the first measurement on.
 *
 * stopped ──measure──▶ started ──measure──▶ started ──stop──▶ stopped
 * any ──failure──▶ failed, for good
 */
class Stage {
  readonly #variant: Variant
  readonly #conditions: Conditions
  #started: { readonly group: ProcessGroup; readonly directory: string; measure?: Measure } | null = null
  #failure: string | undefined

  constructor(variant: Variant, conditions: Conditions) {
    this.#variant = variant
    this.#conditions = conditions
  }

  async measure(round: number): Promise<Measurement> {
    const of = { round, variant: this.#variant.name }
    try {
      if (this.#failure === undefined) return { ...of, figures: await this.#measure() }
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error)
      await this.stop()
    }
    return { ...of, failure: this.#failure }
  }

  async #measure(): Promise<Figures> {
    const conditions = this.#conditions
    if (this.#started === null) {
      const directory = mkdtempSync(join(tmpdir(), 'httpsys-bench-'))
      const group = new ProcessGroup(conditions.pinning?.serverCpu, ['HTTPSYS_RUNTIME_DIR', directory], {
        NODE_ENV: 'production',
      })
      running.set(group, directory)
      this.#started = { group, directory }
      this.#started.measure = await this.#variant.start({ group, directory, conditions })
    }
    return this.#started.measure!()
  }

  /** Stops whatever has been started. */
  async stop(): Promise<void> {
    const started = this.#started
    if (started === null) return
    this.#started = null
    await started.group.stop()
    running.delete(started.group)
    rmSync(started.directory, { recursive: true, force: true })
  }
}
