/** One register: read, write, compare-and-set. */
import { type Model, partitionBy } from './model.ts'
import { shareOpenInputs } from './open-inputs.ts'
import { sameValue, showValue, textKey } from './values.ts'

/** What is asked of a register. Registers with different keys are different registers. */
export type RegisterInput<Value> = { readonly key?: string } & (
  | { readonly op: 'read' }
  | { readonly op: 'write'; readonly value: Value }
  | { readonly op: 'cas'; readonly expected: Value; readonly value: Value }
)

/** What a register answers: a read its value, a cas whether it wrote; of a write the answer says nothing. */
export type RegisterOutput<Value> = Value | boolean | undefined

/** The model of a register that holds `initial` at first. Values are plain and never undefined. */
export function registerModel<Value>(
  initial: Value,
): Model<Value, RegisterInput<Value>, RegisterOutput<Value>> {
  return {
    name: 'register',
    initial,
    step: (state, input, output, isOpen) => {
      switch (input.op) {
        case 'read':
          return isOpen || sameValue(output, state) ? state : undefined
        case 'write':
          return input.value
        case 'cas': {
          const fits = sameValue(state, input.expected)
          if (!isOpen && output !== fits) return undefined
          return fits ? input.value : state
        }
      }
    },
    normalize: (operations) =>
      shareOpenInputs<RegisterInput<Value>, RegisterOutput<Value>, Value>(operations, {
        observed: ({ input, output }) => {
          if (input.op === 'cas') return input.expected
          return input.op === 'read' ? output : undefined
        },
        written: (input) => (input.op === 'read' ? undefined : input.value),
        write: (input, value) => ({ ...input, value }) as RegisterInput<Value>,
      }),
    effect: (input, output, isOpen) => {
      if (input.op === 'write') return `write ${textKey(input.value)}`
      if (input.op === 'read' || (output !== true && !isOpen)) return undefined
      return `cas ${textKey([input.expected, input.value])}`
    },
    isRead: ({ op }) => op === 'read',
    isObservation: ({ op }, output) => op === 'read' || (op === 'cas' && output === false),
    partition: (operations) => partitionBy(operations, ({ key = 'register' }) => key),
    describe: (input, output, isOpen) => {
      const answer = isOpen ? '?' : showValue(output)
      switch (input.op) {
        case 'read':
          return `read → ${answer}`
        case 'write':
          return `write ${showValue(input.value)}${isOpen ? ' → ?' : ''}`
        case 'cas':
          return `cas ${showValue(input.expected)} to ${showValue(input.value)} → ${answer}`
      }
    },
  }
}
