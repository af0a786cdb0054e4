/** What a table for engineers shows of a case: its row of parameters, and what was measured. */
import { figureNames } from '../figures.ts'
import {
  about,
  choice,
  flag,
  type Infer,
  integer,
  list,
  number,
  oneField,
  optional,
  record,
  text,
} from '../schema/schema.ts'
import { situation } from './steps.ts'

const figure = choice(...figureNames)
const unit = optional(choice('ms', 's', '%'))

const cell = oneField('a cell', {
  row: about('the value of that parameter', text),
  figure: about(
    'what was measured over all runs; at: the so-many-th value of each run alone',
    record({
      name: figure,
      of: optional(choice('p50', 'p99', 'max', 'min', 'mean', 'count', 'sum', 'range')),
      at: optional(integer(1, 1000)),
      unit,
    }),
  ),
  share: about('how many of the values are within that bound', record({ name: figure, within: number(0) })),
  situation: about('in how many runs it was reached', situation),
  lost: about('nothing, or the invariant that says what was lost', flag),
})

const column = record({ head: text, cell })

export const tableSpec = record({
  title: about('cases of the same title are rows of one table', text),
  about: optional(text),
  columns: optional(about('of the first case with that title; the others have the same', list(column, 1))),
})

export type Column = Infer<typeof column>
export type Cell = Infer<typeof cell>
