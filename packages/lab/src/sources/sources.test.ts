import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { ScenarioError } from '../scenario/problems.ts'
import { readScenarioFile } from '../scenario/read-scenario.ts'
import { rowsOfCsv } from './csv.ts'
import type { DataSource } from './data-source.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-lab-'))
after(() => rmSync(folder, { recursive: true }))

const template = (parameters: string): string =>
  `name: a\nparameters: ${parameters}\ncluster: { voters: "\${nodes}" }\nphases: [{ wait: "\${time}" }]\n`

/** Voters and waits of the cases that come of a table. */
async function cases(parameters: string, sources: readonly DataSource[] = []): Promise<unknown[]> {
  const file = join(folder, 'scenario.yaml')
  writeFileSync(file, template(parameters))
  const read = await readScenarioFile(file, { sources })
  return read.map(({ row }) => [row['nodes'], row['time']])
}

const wanted = [
  [3, '1s'],
  [5, '2s'],
]

describe('tables in other files', () => {
  test('are CSV', async () => {
    writeFileSync(join(folder, 'a.csv'), 'nodes,time\n3,1s\n5,"2s"\n')
    assert.deepEqual(await cases('{ file: a.csv }'), wanted)
  })

  test('are YAML or JSON', async () => {
    writeFileSync(join(folder, 'a.yaml'), '- { nodes: 3, time: 1s }\n- { nodes: 5, time: 2s }\n')
    writeFileSync(join(folder, 'a.json'), '[{"nodes": 3, "time": "1s"}, {"nodes": 5, "time": "2s"}]')
    assert.deepEqual(await cases('{ file: a.yaml }'), wanted)
    assert.deepEqual(await cases('{ file: a.json }'), wanted)
  })

  test('are what a query of a database gives', async () => {
    const database = new DatabaseSync(join(folder, 'a.sqlite'))
    database.exec("create table cases (nodes int, time text); insert into cases values (3, '1s'), (5, '2s')")
    database.close()
    assert.deepEqual(
      await cases('{ file: a.sqlite, query: "select nodes, time from cases order by nodes" }'),
      wanted,
    )
  })

  test('come from a source of a plug-in, before ours', async () => {
    const source: DataSource = {
      name: 'mine',
      accepts: (file) => file.endsWith('.csv'),
      load: async () => [{ nodes: 1, time: '9s' }],
    }
    assert.deepEqual(await cases('{ file: a.csv }', [source]), [[1, '9s']])
  })

  for (const [what, parameters, expected] of [
    [
      'not there',
      '{ file: none.csv }',
      /a table: file is ".*none\.csv"; expected a file that can be read \(ENOENT\)/,
    ],
    ['of an unknown kind', '{ file: a.txt }', /a file of \.csv/],
    ['a database without a query', '{ file: a.sqlite }', /a database needs a query/],
    ['a query that is wrong', '{ file: a.sqlite, query: select x from y }', /a table: no such table/],
  ] as const) {
    test(`that are ${what} are told with their place`, async () => {
      await assert.rejects(cases(parameters), (error) => {
        assert.ok(error instanceof ScenarioError)
        assert.match(error.message, expected)
        assert.match(error.message, /scenario\.yaml:2:\d+: parameters\.file/)
        return true
      })
    })
  }
})

describe('CSV', () => {
  test('has quotes, with commas, quotes and lines in them', () => {
    const rows = rowsOfCsv('a,b\r\n"x, ""y""\nz",1.5\r\ntrue,\r\n')
    assert.deepEqual(rows, [
      { a: 'x, "y"\nz', b: 1.5 },
      { a: true, b: '' },
    ])
  })

  test('has as many cells in each line, and quotes only where they can be', () => {
    assert.throws(() => rowsOfCsv('a,b\n1\n'), /line 2 has 1 cells, the first has 2/)
    assert.throws(() => rowsOfCsv('a,b\n1,"2\n'), /a quote where none can be/)
    assert.throws(() => rowsOfCsv(''), /it is empty/)
  })
})
