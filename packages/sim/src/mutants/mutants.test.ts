import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { describe, it } from 'node:test'
import { type Mutant, mutantNamed, mutants, mutated } from './index.ts'

const packages = new URL('../../../', import.meta.url)
const sourceOf = ({ file }: Mutant): string => readFileSync(new URL(file, packages), 'utf8')

describe('mutants', () => {
  it('have names of their own, in kebab-case, by which they are found', () => {
    assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length)
    for (const mutant of mutants) {
      assert.match(mutant.name, /^[a-z]+(?:-[a-z]+)+$/)
      assert.equal(mutantNamed(mutant.name), mutant)
    }
    assert.equal(mutantNamed('no-such'), undefined)
  })

  it('say what rule they break, where it stands, and what was changed', () => {
    for (const { name, rule, source, slip } of mutants) {
      assert.match(rule, /^[A-Z].*\.$/, name)
      assert.ok(source !== '' && slip !== '' && !slip.includes('\n'), name)
    }
  })

  for (const mutant of mutants) {
    it(`${mutant.name} still fits its file, and changes it to what parses`, () => {
      const source = sourceOf(mutant)
      const text = mutated(source, mutant)
      assert.notEqual(text, source)
      stripTypeScriptTypes(text)
    })
  }

  it('do not apply where their text is gone, or stands more than once', () => {
    const mutant = { ...(mutants[0] as Mutant), name: 'some-slip', file: 'a.ts', from: 'x', to: 'y' }
    assert.equal(mutated('a x b', mutant), 'a y b')
    assert.throws(() => mutated('a b', mutant), /some-slip: its text stands 0 times in a\.ts/)
    assert.throws(() => mutated('x x', mutant), /stands 2 times/)
  })
})
