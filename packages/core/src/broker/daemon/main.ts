import { inheritedOptions, runDaemon } from './run-daemon.ts'

// What the first listening process starts, and `httpsys upgrade`.
await runDaemon(inheritedOptions())
