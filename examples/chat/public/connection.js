const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 5000

/**
 * A WebSocket that comes back: events `frame` (detail: the frame), `state` (detail: what to show).
 * States: connecting, open, waiting (with the time `until`).
 */
export class Connection extends EventTarget {
  state = 'connecting'
  until = 0
  #url
  #socket
  #timer
  #delay = FIRST_DELAY_MS

  /** `url` is asked at each try. */
  constructor(url) {
    super()
    this.#url = url
    addEventListener('online', () => this.retry())
    document.addEventListener('visibilitychange', () => document.hidden || this.retry())
  }

  connect() {
    clearTimeout(this.#timer)
    this.#set('connecting')
    this.#socket = new WebSocket(this.#url())
    this.#socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(data)
      if (frame.type === 'welcome') {
        this.#delay = FIRST_DELAY_MS
        this.#set('open')
      }
      this.dispatchEvent(new CustomEvent('frame', { detail: frame }))
    })
    this.#socket.addEventListener('close', () => {
      // With some chance in it, so that a whole room does not come back in the same moment.
      const delay = this.#delay * (0.75 + Math.random() / 2)
      this.#delay = Math.min(MAX_DELAY_MS, this.#delay * 2)
      this.until = Date.now() + delay
      this.#timer = setTimeout(() => this.connect(), delay)
      this.#set('waiting')
    })
  }

  /** Tries at once when it waits for the next try. */
  retry() {
    if (this.state === 'waiting') this.connect()
  }

  send(frame) {
    if (this.state === 'open') this.#socket.send(JSON.stringify(frame))
  }

  #set(state) {
    this.state = state
    this.dispatchEvent(new Event('state'))
  }
}
