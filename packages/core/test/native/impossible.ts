/** Cases of the contract suite that HTTP.SYS can't pass, with the reason; docs/windows.md lists them too. */
export const IMPOSSIBLE: ReadonlyMap<string, string> = new Map([
  ['sends informational responses before the final one', 'HTTP.SYS has no call for a 1xx response other than 101'],
])
