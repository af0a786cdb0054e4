/** docs/lab-reports.md is what people write programs by: it has every kind of event and every phased figure. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { figureNames } from '../figures.ts'

const root = new URL('../../../../', import.meta.url)
const page = readFileSync(new URL('docs/lab-reports.md', root), 'utf8')
const source = readFileSync(new URL('packages/lab/src/events/run-event.ts', root), 'utf8')

test('the page tells of every kind of event', () => {
  const kinds = [...source.matchAll(/readonly kind: '(\w+)'/g)].map(([, kind]) => kind)
  assert.ok(kinds.length > 10)
  for (const kind of kinds) assert.ok(page.includes(`\`${kind}\``) || page.includes(` ${kind}\``), `${kind}`)
})

test('the page tells of no figure that there is not', () => {
  const named = [...page.matchAll(/`([a-z]+[A-Za-z]*)(…?)`/g)].filter(([, name = '']) => /[A-Z]/.test(name))
  const known = (name: string, isPhased: boolean): boolean =>
    figureNames.some((figure) => (isPhased ? figure.startsWith(name) : figure === name))
  const others = new Set([
    'preCandidate',
    'atMs',
    'tookMs',
    'elapsedMs',
    'wallMs',
    'isGranted',
    'isStale',
    'statusCheck',
    'atLeast',
  ])
  for (const [, name = '', dots] of named) {
    assert.ok(others.has(name) || known(name, dots === '…'), `${name} is a figure`)
  }
})
