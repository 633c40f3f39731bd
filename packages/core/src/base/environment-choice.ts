import { HttpSysError } from './errors.ts'

/**
 * The value of a variable that has a few; undefined when it is unset or empty.
 *
 * @throws HttpSysError `EINVAL` for another value
 */
export function environmentChoice<Choice extends string>(
  environment: NodeJS.ProcessEnv,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = environment[name]
  if (!value) return undefined
  const choice = choices.find((candidate) => candidate === value)
  if (choice !== undefined) return choice
  throw new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: name,
    reason: `it is ${JSON.stringify(value)}`,
    remedy: `Set it to ${choices.join(' or ')}, or leave it out.`,
  })
}
