/**
 * Where claims pass before they are granted: while it is closed, none of them changes what the broker has.
 *
 * open ──close()──▶ closed, those inside finish ──open()──▶ open
 */
export class ClaimGate {
  #opening: Promise<void> | null = null
  #open = (): void => {}
  readonly #inside = new Set<Promise<unknown>>()

  /** Grants, as soon as the gate is open. */
  async pass<Granted>(grant: () => Promise<Granted>): Promise<Granted> {
    while (this.#opening !== null) await this.#opening
    const granting = grant()
    this.#inside.add(granting)
    try {
      return await granting
    } finally {
      this.#inside.delete(granting)
    }
  }

  /** Lets nobody in any more; resolves when nobody is inside. */
  async close(): Promise<void> {
    this.#opening ??= new Promise((resolve) => (this.#open = resolve))
    await Promise.allSettled(this.#inside)
  }

  open(): void {
    this.#opening = null
    this.#open()
  }
}
