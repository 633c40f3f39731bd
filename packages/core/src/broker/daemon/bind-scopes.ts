import { EVERY_ADDRESS } from '../protocol/bind-scope.ts'
import type { BindScope } from '../protocol/bind-scope.ts'

/** Where the claims of one port need it to be bound. Thousands of claims need few different places, and each is noted once. */
export class BindScopes {
  readonly #needed = new Map<string, { readonly scope: BindScope; claims: number }>()

  /** Notes what one more claim needs. */
  add(scope: BindScope): void {
    const key = scope.join()
    const needed = this.#needed.get(key)
    if (needed === undefined) this.#needed.set(key, { scope, claims: 1 })
    else needed.claims++
  }

  /** A claim has gone that needed this. */
  remove(scope: BindScope): void {
    const key = scope.join()
    const needed = this.#needed.get(key)
    if (needed !== undefined && --needed.claims === 0) this.#needed.delete(key)
  }

  clear(): void {
    this.#needed.clear()
  }

  get isEmpty(): boolean {
    return this.#needed.size === 0
  }

  /** What one claim or more needs. */
  get different(): BindScope[] {
    return [...this.#needed.values()].map(({ scope }) => scope)
  }

  /** The addresses to bind; all addresses make the others superfluous. */
  get addresses(): string[] {
    const addresses = new Set(this.different.flat())
    return addresses.has(EVERY_ADDRESS) ? [EVERY_ADDRESS] : [...addresses]
  }
}
