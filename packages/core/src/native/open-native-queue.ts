import { isMainThread } from 'node:worker_threads'
import { loadWin32 } from './load-win32.ts'
import { NativeBackend } from './native-backend.ts'

/** HTTP.SYS for this process; it costs nothing until a prefix is claimed. */
export const nativeBackend = new NativeBackend({ load: loadWin32 })

// Windows closes the handles of a process that ends, but not those of a thread.
if (!isMainThread) process.once('exit', () => nativeBackend.abandon())
