/** A row of a table of what is covered. */
export interface Row {
  readonly header: readonly string[]
  readonly cells: readonly string[]
  /** Each `[file](path): title`. */
  readonly shownBy: readonly string[]
}

/** The rows of all tables whose last column is `shown by`. */
export function readRows(markdown: string): Row[] {
  const tables = markdown.split('\n\n').filter((block) => /^\|.*\| shown by \|$/m.test(block))
  return tables.flatMap((table) => {
    const [header = [], , ...lines] = table
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.slice(2, -2).split(' | '))
    return lines.map((cells) => ({
      header,
      cells,
      shownBy: (cells[header.length - 1] ?? '').split('<br>').filter((text) => text !== ''),
    }))
  })
}
