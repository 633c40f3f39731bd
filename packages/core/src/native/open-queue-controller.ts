import { loadWin32 } from './load-win32.ts'
import { QueueController } from './queue-controller.ts'

/** A controller of HTTP.SYS's request queues, for the command line. */
export function openQueueController(): QueueController {
  return new QueueController(loadWin32())
}
