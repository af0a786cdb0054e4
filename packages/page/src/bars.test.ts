import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barChart } from './bars.ts'

test('the longest bar is as long as there is room, the others in proportion', () => {
  const { text } = barChart({
    title: 'Flushes',
    bars: [
      { label: 'a', value: 50, text: '50/s' },
      { label: 'b', value: 200, text: '200/s' },
      { label: 'c', value: 0, text: '0/s' },
    ],
  })
  const widths = [...text.matchAll(/width: ([\d.]+)%/g)].map(([, width]) => Number(width))
  assert.deepEqual(widths, [25, 100, 0])
  assert.doesNotMatch(text, /legend/)
})

test('groups have a colour and a name each', () => {
  const bar = (group: string) => ({ label: 'x', value: 1, text: '1', group })
  const { text } = barChart({ title: 't', bars: [bar('log'), bar('lmdb'), bar('log')] })
  const colours = [...text.matchAll(/width: 100%; background: var\((--series-\d)\)/g)].map(([, name]) => name)
  assert.deepEqual(colours, ['--series-0', '--series-1', '--series-0'])
  assert.match(text, /<\/i>log<\/li>.*<\/i>lmdb<\/li>/s)
})

test('nothing but zeros has no length', () => {
  const { text } = barChart({ title: 't', bars: [{ label: 'x', value: 0, text: '0' }] })
  assert.match(text, /width: 0%/)
})
