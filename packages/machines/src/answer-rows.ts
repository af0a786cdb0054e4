import type { AnswerRows, Codec } from './machine.ts'

/** The answers that rows stand for; undefined where they make no sense. */
export function answersOfRows({ fields, rows }: AnswerRows, codec: Codec): unknown[] | undefined {
  let decoded: unknown
  try {
    decoded = codec.decode(rows)
  } catch {
    return undefined
  }
  if (!Array.isArray(decoded)) return undefined
  const answers: unknown[] = decoded
  for (let at = 0; at < answers.length; at++) {
    const row = answers[at]
    if (!Array.isArray(row)) continue
    if (row.length !== fields.length) return undefined
    answers[at] = recordOf(fields, row)
  }
  return answers
}

function recordOf(fields: readonly string[], row: readonly unknown[]): Record<string, unknown> {
  const record: Record<string, unknown> = {}
  for (let at = 0; at < fields.length; at++) record[fields[at] as string] = row[at]
  return record
}

/** Whether these are names of fields that can be given to an object. */
export function areFields(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((field) => typeof field === 'string' && field !== '__proto__')
}
