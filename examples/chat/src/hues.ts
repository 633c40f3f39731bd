/** Each process has a colour of its own: the hue in degrees. Neighbours are far apart, and the first eight evenly spread. */
export function hueOf(process: number): number {
  const lap = Math.floor((process - 1) / 8)
  return (255 + (process - 1) * 135 + lap * 20) % 360
}

/** The style sheet that colours a process's pages, and the links to the others. */
export function themeCss(process: number, all: readonly number[]): string {
  const others = all.map((other) => `[data-process='${other}'] { --hue: ${hueOf(other)}; }`)
  return [`:root { --hue: ${hueOf(process)}; }`, ...others, ''].join('\n')
}

/** The icon of a process's pages: its number on its colour, so that tabs can be told apart. */
export function iconSvg(process: number): string {
  // Icons are drawn where oklch may not be known; its hues are some 30 degrees ahead of hsl's.
  const fill = `hsl(${(hueOf(process) + 330) % 360} 60% 40%)`
  const text = `<text x="16" y="23" font-family="sans-serif" font-weight="700" font-size="20" text-anchor="middle" fill="#fff">`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${fill}"/>${text}${process}</text></svg>`
}
