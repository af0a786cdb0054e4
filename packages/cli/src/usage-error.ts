import { RaftError, show } from '@troupe/core/errors'

/** A word on the command line that means nothing here. The line says where to read what does. */
export function unknownWord(kind: 'flag' | 'command', word: string, commandPath: string): RaftError {
  const expected = kind === 'flag' ? 'an option of this command' : 'a command'
  const message = `unknown ${kind} ${show(word)}; see ${commandPath} --help`
  return new RaftError('INVALID_OPTIONS', message, { field: kind, value: word, expected })
}

/** An option without the value that belongs to it. */
export function missingValue(flag: string, expected: string): RaftError {
  return new RaftError('INVALID_OPTIONS', `${flag} has no value; expected ${expected}`, {
    field: flag,
    value: undefined,
    expected,
  })
}
