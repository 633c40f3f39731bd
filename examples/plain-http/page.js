/** A page that shows a counter of the process behind it, live. */
export function page(prefix) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${prefix}</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { display: grid; place-content: center; min-height: 100vh; margin: 0; text-align: center }
  output { display: block; font-size: 8rem; font-weight: 200; line-height: 1; font-variant-numeric: tabular-nums }
  nav a { padding: .25rem .75rem; color: inherit }
  small { opacity: .6 }
</style>
<output id="visits">…</output>
<p>visits to <strong>${prefix}</strong><br><small>counted in the memory of process <span id="pid">…</span></small></p>
<nav><a href="/1/">/1/</a><a href="/2/">/2/</a><a href="/3/">/3/</a></nav>
<script>
  new EventSource('events').onmessage = ({ data }) => {
    const { visits, pid } = JSON.parse(data)
    document.querySelector('#visits').textContent = visits
    document.querySelector('#pid').textContent = pid
  }
</script>
</html>
`
}
