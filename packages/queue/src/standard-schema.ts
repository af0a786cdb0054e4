/**
 * The part of the Standard Schema interface (standardschema.dev, version 1) that the queue calls: what Zod, Valibot, ArkType and others
 * give.
 */
import { invalidData } from './queue-errors.ts'

export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    validate(value: unknown): SchemaResult<Output> | Promise<SchemaResult<Output>>
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What the schema makes of the data. @throws QueueError INVALID_DATA with everything it complains about */
export async function validated<T>(schema: StandardSchema<T>, data: unknown): Promise<T> {
  const result = await schema['~standard'].validate(data)
  if (result.issues === undefined) return result.value
  throw invalidData(result.issues.map(textOf).join('; '), result.issues)
}

function textOf({ message, path = [] }: SchemaIssue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part))
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`
}
