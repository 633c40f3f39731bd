import { fileURLToPath } from 'node:url'
import { capture, type LoadGenerator, parseLoadResult } from '@httpsys/core/measure'

/** autocannon from npm: what many people measure with, though it costs more CPU than the servers it asks. */
export const autocannonLoad: LoadGenerator = {
  name: 'autocannon',
  run: async (target) => {
    const program = fileURLToPath(new URL('./autocannon-client.js', import.meta.url))
    return parseLoadResult(await capture(target.cpu, [process.execPath, program], JSON.stringify(target)))
  },
}
