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

test('the detectors name metrics that nodes have', () => {
  const metrics = readFileSync(new URL('packages/cluster/src/metrics/node-reading.ts', root), 'utf8')
  const exported = [...metrics.matchAll(/'(\w+_\w+)'/g)].map(([, name = '']) => name)
  const rows = (page.split('## Detectors')[1] ?? '').split('\n## ')[0]?.split('\n') ?? []
  const cells = rows.flatMap((row) => row.split('|').slice(3, 4)).filter((cell) => cell.includes('`'))
  const named = cells.slice(1).map((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name))
  assert.equal(named.length, 5)
  for (const names of named) {
    const [first = ''] = names
    assert.ok(exported.includes(first), first)
    // What is short begins as the first of its row does: `_won_total`.
    const [family = ''] = first.split('_')
    for (const name of names.slice(1)) {
      const isThere = exported.some((one) => {
        return name.startsWith('_') ? one.startsWith(`${family}_`) && one.endsWith(name) : one === name
      })
      assert.ok(isThere, name)
    }
  }
})
