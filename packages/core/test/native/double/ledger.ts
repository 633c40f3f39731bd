/** What a process did that Windows would answer with a broken response, a corrupt heap or a blue screen, in words. */
export class Ledger {
  readonly violations: string[] = []

  report(violation: string): void {
    this.violations.push(violation)
  }
}
