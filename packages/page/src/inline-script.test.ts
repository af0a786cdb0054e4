import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { inlineScript } from './inline-script.ts'

const sources: Readonly<Record<string, string>> = {
  'file:///page/main.ts': `import { double, type Number2 } from './math.ts'
import type { Other } from './nowhere.ts'
import {
  NAME as name,
  double as twice,
} from '../names.ts'
const value: Number2 = double(2)
result.push(value, twice(2), name)
`,
  'file:///page/math.ts': `import { NAME } from '../names.ts'
export type Number2 = number
export function double(value: number): number {
  result.push('math sees ' + NAME)
  return value * 2
}
`,
  'file:///names.ts': `export const NAME = 'a </script> b'
export const double = (value: number): string => \`\${value}\${value}\`
`,
}

const read = (path: string): string => sources[path] ?? assert.fail(`no ${path}`)

test('modules keep their names to themselves, and are run once, in the order of their imports', () => {
  const script = inlineScript('file:///page/main.ts', read)
  assert.ok(!script.includes('</'))
  const result: unknown[] = []
  runInNewContext(script, { result })
  assert.deepEqual(result, ['math sees a </script> b', 4, '22', 'a </script> b'])
})

test('what cannot be inlined is refused', () => {
  assert.throws(
    () => inlineScript('file:///a.ts', () => "import { x } from 'uplot'\n"),
    /uplot, which no page can/,
  )
  assert.throws(() => inlineScript('file:///a.ts', () => 'export { x }\n'), /cannot be inlined/)
})
