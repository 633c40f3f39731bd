import { loadWin32 } from './load-win32.ts'
import { NativeBackend } from './native-backend.ts'

/** HTTP.SYS for this process; it costs nothing until a prefix is claimed. */
export const nativeBackend = new NativeBackend({ load: loadWin32 })
