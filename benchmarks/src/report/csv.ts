/** Rows as CSV (RFC 4180), whatever is in them: nested fields get names with dots, lists stay as JSON in one cell. */

/** Fields that are pictures, not figures: they would make a cell of thousands of characters. */
const LEFT_OUT: ReadonlySet<string> = new Set(['timeline', 'distribution', 'serviceDistribution'])

/** One line for the names of all fields, one for each row. Fields that a row does not have are empty. */
export function csvOf(rows: readonly unknown[]): string {
  const flat = rows.map((row) => flattened(row))
  const names = [...new Set(flat.flatMap((row) => [...row.keys()]))]
  const lines = flat.map((row) => names.map((name) => cell(row.get(name))).join(','))
  return `${[names.map(cell).join(','), ...lines].join('\r\n')}\r\n`
}

function flattened(
  value: unknown,
  prefix = '',
  into = new Map<string, unknown>(),
): ReadonlyMap<string, unknown> {
  const isNested = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isNested) return into.set(prefix || 'value', value)
  for (const [name, field] of Object.entries(value)) {
    if (!LEFT_OUT.has(name)) flattened(field, prefix === '' ? name : `${prefix}.${name}`, into)
  }
  return into
}

function cell(value: unknown): string {
  if (value === undefined || value === null || Number.isNaN(value)) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
