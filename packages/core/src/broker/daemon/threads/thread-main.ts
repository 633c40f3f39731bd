import { parentPort, workerData } from 'node:worker_threads'
import { ClientThread } from './client-thread.ts'
import type { ThreadStart } from './thread-messages.ts'

// One of the broker's threads.
ClientThread.start(parentPort!, workerData as ThreadStart)
