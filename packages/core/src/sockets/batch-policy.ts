import koffi from 'koffi'

const SCHED_OTHER = 0
const SCHED_BATCH = 3

/**
 * Lets Linux not interrupt who is running when this thread has something to do; its share of the processor is the same. A thread that
 * whoever started it has given another policy keeps that one. Where the system can't do it, nothing happens.
 */
export function useBatchPolicy(): void {
  changePolicy(SCHED_OTHER, SCHED_BATCH)
}

/** Undoes it, also when it was inherited. */
export function useUsualPolicy(): void {
  changePolicy(SCHED_BATCH, SCHED_OTHER)
}

function changePolicy(from: number, to: number): void {
  if (process.platform !== 'linux') return
  try {
    const library = koffi.load(null)
    const getPolicy = library.func('int sched_getscheduler(int pid)')
    const setPolicy = library.func('int sched_setscheduler(int pid, int policy, const int *priority)')
    // 0 is the calling thread.
    if ((getPolicy(0) as number) === from) setPolicy(0, to, [0])
  } catch {
    // No prebuilt binary of koffi for this processor.
  }
}
