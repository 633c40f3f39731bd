export { queueContract } from './queue/contract.ts'
export type {
  ContractCase,
  ContractClient,
  ContractHarness,
  ContractRequest,
  ContractResponse,
} from './queue/contract-harness.ts'
export {
  LENGTH_UNKNOWN,
  MAX_SECONDS_TO_LIVE,
  RESPONSE_CLOSE,
  RESPONSE_NO_DATE,
  RESPONSE_OPAQUE,
  UNTIL_INVALIDATED,
} from './queue/exchange.ts'
export type * from './queue/exchange.ts'
export { MemoryBackend, MemoryExchange } from './queue/memory-queue.ts'
export type { MemoryRequest } from './queue/memory-queue.ts'
