/** What a fleet of machines costs. */
export interface Fleet {
  readonly vms: number
  /** Of one VM. */
  readonly monthly: number
}

/** What is left to pay when each request needs less CPU. */
export interface Bill {
  readonly vms: number
  /** A year, before and after. */
  readonly costBefore: number
  readonly costAfter: number
  readonly saving: number
}

/**
 * The bill of a fleet whose load is bound by CPU, when a request costs so many times less. VMs come whole.
 *
 * @param times - CPU per request before, divided by that after
 * @throws RangeError for numbers that can't be
 */
export function billOf({ vms, monthly }: Fleet, times: number): Bill {
  if (!(times > 0 && Number.isFinite(times))) throw new RangeError(`A request can't cost ${times} times less`)
  const needed = Math.ceil(vms / times)
  // In cents, which add up exactly.
  const yearly = Math.round(monthly * 100) * 12
  return {
    vms: needed,
    costBefore: (vms * yearly) / 100,
    costAfter: (needed * yearly) / 100,
    saving: ((vms - needed) * yearly) / 100,
  }
}

/** The bill in words. */
export function billLines(fleet: Fleet, times: number, reference: string): string[] {
  const { vms, costBefore, costAfter, saving } = billOf(fleet, times)
  return [
    `At ${times.toFixed(2)} × the requests per CPU of ${reference}: ${fleet.vms} VMs become ${vms}.`,
    `A year costs ${money(costAfter)} and not ${money(costBefore)}: ${saving < 0 ? `${money(-saving)} more` : `${money(saving)} saved`}.`,
  ]
}

function money(amount: number): string {
  return `$${amount.toLocaleString('en-US', { maximumFractionDigits: 0 })}`
}
