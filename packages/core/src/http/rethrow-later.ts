/** An app's exception is the process's business, as with node:http, and must not stop the frames behind it. */
export function rethrowLater(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
