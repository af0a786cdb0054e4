/** JUnit's XML, as build servers read it: `unknown` is an error, `fail` a failure. */
import type { CaseResult, SuiteResult } from '../run-suite.ts'

export function junitOf({ cases, wallMs }: SuiteResult): string {
  const count = (verdict: CaseResult['verdict']): number =>
    cases.filter((one) => one.verdict === verdict).length
  const head = `tests="${cases.length}" failures="${count('fail')}" errors="${count('unknown')}" time="${seconds(wallMs)}"`
  const body = cases.map(testcase).join('\n')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${head}>\n<testsuite name="troupe run" ${head}>\n${body}\n</testsuite>\n</testsuites>\n`
}

function testcase({ name, file, engine, verdict, asserted, wallMs, reproduce }: CaseResult): string {
  const open = `<testcase name="${escaped(name)}" classname="${escaped(`${engine}.${file}`)}" time="${seconds(wallMs)}"`
  if (verdict === 'pass') return `${open}/>`
  const odd = asserted.filter((one) => one.verdict !== 'pass').map(({ text }) => text)
  const tag = verdict === 'fail' ? 'failure' : 'error'
  const text = [...odd, `reproduce: ${reproduce}`].join('\n')
  return `${open}>\n<${tag} message="${escaped(odd[0] ?? verdict)}">${escaped(text)}</${tag}>\n</testcase>`
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3)

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Control characters have no place in XML, escaped or not. */
const escaped = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '?')
    .replace(/[&<>"]/g, (character) => entities[character] ?? character)
