import { vi } from 'vitest'

/**
 * Intervals that come when the test says so. Not vitest's fake timers: `vi.waitFor` winds those on by itself, and with them what must
 * be shown to be needless.
 */
export class HandClock implements Disposable {
  readonly #intervals = new Map<object, { readonly milliseconds: number; readonly run: () => void }>()

  constructor() {
    vi.spyOn(globalThis, 'setInterval').mockImplementation(((run: () => void, milliseconds: number) => {
      const timer = { unref: () => timer }
      this.#intervals.set(timer, { milliseconds, run })
      return timer
    }) as unknown as typeof setInterval)
    vi.spyOn(globalThis, 'clearInterval').mockImplementation((timer) => void this.#intervals.delete(timer as object))
  }

  /** Of the intervals that are set. */
  get lengths(): number[] {
    return [...this.#intervals.values()].map(({ milliseconds }) => milliseconds)
  }

  /** Every interval comes once. */
  tick(): void {
    for (const { run } of this.#intervals.values()) run()
  }

  [Symbol.dispose](): void {
    vi.mocked(setInterval).mockRestore()
    vi.mocked(clearInterval).mockRestore()
  }
}
