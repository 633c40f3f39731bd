/**
 * Fills the words in double braces in.
 *
 * @throws Error naming a word that has no value
 */
export function fillTemplate(file: string, template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, word: string) => {
    const value = values[word]
    if (value === undefined) throw new Error(`${file} asks for '${word}', which has no value`)
    return value
  })
}
