// What the backend asks Windows besides HTTP.SYS: system.mjs NTSTATUS…
import { tell } from './control.mjs'

const native = new URL('native/', import.meta.resolve('@httpsys/core'))
const { loadWin32 } = await import(new URL('load-win32.js', native))
const { accountName } = await import(new URL('account-name.js', native))
const { withSecurity } = await import(new URL('security.js', native))

const api = loadWin32()
const codes = process.argv.slice(2).map((ntStatus) => api.kernel.RtlNtStatusToDosError(Number(ntStatus)))
let refusal = 'none'
try {
  withSecurity(api, 'nonsense', () => 0)
} catch (error) {
  refusal = error.message
}
const descriptor = withSecurity(api, 'D:(A;;GA;;;NS)', (attributes) => (attributes > 0 ? 'made' : 'none'))
tell('system', { account: accountName(api), codes, refusal, descriptor }, () => process.exit(0))
