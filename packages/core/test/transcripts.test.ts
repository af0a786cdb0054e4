import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { headOf, lineDiff, play } from './transcripts/script.ts'

const directory = new URL('transcripts/', import.meta.url)
const files = readdirSync(directory).filter((name) => name.endsWith('.txt'))
const isRecording = process.env.TROUPE_RECORD === '1'
const RECORD = 'TROUPE_RECORD=1 node test/run.ts transcripts'

/** Compares a transcript with what happens now, or writes it anew. */
function replay(name: string): void {
  const url = new URL(name, directory)
  const before = readFileSync(url, 'utf8').replaceAll('\r\n', '\n')
  const now = play(name, before)
  if (isRecording && now !== before) writeFileSync(url, now)
  if (isRecording || now === before) return
  const diff = lineDiff(before, now).join('\n')
  assert.fail(`${name} is recorded otherwise (+ is now):\n${diff}\nIf that is right: ${RECORD}`)
}

describe('transcripts', () => {
  for (const name of files) it(name, () => replay(name))

  it('are numbered and say at their head what is expected', () => {
    const numbers = files.map((name) => /^(\d{3})-[a-z0-9-]+\.txt$/.exec(name)?.[1])
    assert.equal(new Set(numbers).size, files.length, 'each has a number of its own: NNN-name.txt')
    for (const name of files) {
      const head = headOf(readFileSync(new URL(name, directory), 'utf8'))
      assert.ok(head.split('\n').length > 2, `${name} begins with a comment of two lines or more`)
    }
  })
})

describe('a script', () => {
  it('says where it is wrong', () => {
    const script = '# of one node\nnodes 1\nstart\n  1 role follower\nexpect 1 role=leader\n'
    assert.throws(
      () => play('a.txt', script),
      /^Error: a\.txt:5: expect 1 role=leader\nrole of 1 is follower/,
    )
    assert.throws(() => play('b.txt', 'node 1'), /^Error: b\.txt:1: node 1\nno such command/)
    assert.throws(() => play('c.txt', 'nodes 1 preVotes=true'), /^Error: c\.txt:1: .*\n.*preVotes/)
    assert.throws(() => play('d.txt', 'nodes 2\nstart\ndeliver 1>2'), /d\.txt:3: .*\nno such message/)
  })

  it('gives the same each time, whatever was recorded', () => {
    const script = 'nodes 1\nstart\ncampaign 1\n  1 something else\nstabilize\n'
    const once = play('a.txt', script)
    assert.equal(play('a.txt', once), once)
    assert.match(once, /1 role leader t1 leader=1/)
  })

  it('differs line by line', () => {
    assert.deepEqual(lineDiff('a\nb\nc\nd\ne\nf\n', 'a\nb\nc\nD\ne\nf\n'), [
      '  b',
      '  c',
      '- d',
      '+ D',
      '  e',
      '  f',
    ])
    assert.deepEqual(lineDiff('a\n', 'a\n'), [])
  })
})
