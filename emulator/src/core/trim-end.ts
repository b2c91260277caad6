/**
 * The text without the characters of that kind at its end. A regular expression that looks for such a run from every
 * place of a text takes the square of its length.
 */
export function withoutTrailing(text: string, character: string): string {
  let end = text.length
  while (end > 0 && text[end - 1] === character) end -= 1
  return text.slice(0, end)
}
