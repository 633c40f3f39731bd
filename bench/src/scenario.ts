import type { ProcessGroup } from '@httpsys/core/measure'
import type { Conditions } from './conditions.ts'

/** A number that a scenario measures. */
export interface Metric {
  readonly key: string
  /** Head of its column, with the unit. */
  readonly title: string
  /** Digits behind the point. */
  readonly digits: number
  /** Whether less of it is better, or more; `neither` for facts. */
  readonly better: 'less' | 'more' | 'neither'
}

/** Numbers of one measurement. */
export interface Figures {
  /** By the keys of the scenario's metrics. */
  readonly values: Readonly<Record<string, number>>
  /** The first metric by role of the processes, where it can be told apart; their sum is the first metric. */
  readonly roles: Readonly<Record<string, number>>
  /** CPUs' worth of work on this machine that was neither the servers' nor the load's; 0.5 is half a CPU. */
  readonly foreignLoad: number
}

/** One measurement of one variant: numbers, or the reason why there are none. */
export type Measurement = { readonly round: number; readonly variant: string } & (
  | { readonly figures: Figures }
  | { readonly failure: string }
)

/** What a variant has to work with. */
export interface Launch {
  readonly group: ProcessGroup
  /** Private to this measurement, removed after it; also the runtime directory of the broker. */
  readonly directory: string
  readonly conditions: Conditions
}

/** Measures processes that are warm; called once a round. @throws Error saying what is wrong: there are no numbers of this variant then */
export type Measure = () => Promise<Figures>

/** A set of server processes, measured once a round. */
export interface Variant {
  readonly name: string
  readonly title: string
  /** Why it can't run on this machine; `undefined` when it can. */
  unavailable(): string | undefined
  /**
   * Starts the processes in the launch's group, checks them, and warms them up; the caller stops them.
   *
   * @throws Error saying what is wrong: the variant is then reported as failed, without any number
   */
  start(launch: Launch): Promise<Measure>
  /** What is measured is the start, or what is left of a use: each round has processes of its own. */
  readonly isFresh?: boolean
}

/** A question, and the variants that answer it. */
export interface Scenario {
  readonly name: string
  readonly title: string
  /** What is done, in one or two sentences. */
  readonly about: string
  readonly variants: readonly Variant[]
  /** The first one is what variants are compared by. */
  readonly metrics: readonly [Metric, ...Metric[]]
  /** Names of the variants the others are compared with, each a column. */
  readonly references: readonly string[]
  /** Run without being named. */
  readonly isQuick?: boolean
}
