/** What a process did that Windows would answer with a broken response, a corrupt heap or a blue screen, in words. */
export class Ledger {
  readonly violations: string[] = []
  /** Called with each of them, at once. */
  onViolation: (violation: string) => void = () => {}

  report(violation: string): void {
    this.violations.push(violation)
    this.onViolation(violation)
  }
}
