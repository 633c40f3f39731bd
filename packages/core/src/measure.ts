// Accounting, processes and load for measurements, as the bench of this repository uses them. Not for apps: it may change with every
// version.
export * from './measure/accounting.ts'
export * from './measure/load/http-load.ts'
export * from './measure/load/latencies.ts'
export * from './measure/pinning.ts'
export * from './measure/ports.ts'
export * from './measure/processes.ts'
export * from './measure/readings.ts'
export * from './measure/statistics.ts'
