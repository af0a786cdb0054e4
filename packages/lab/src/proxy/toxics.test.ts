import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { numbers, TestedStream } from './proxy.fixture.ts'
import type { Toxic } from './toxic.ts'

const withToxic = (toxic: Toxic, random = numbers(0)): TestedStream => {
  const tested = new TestedStream(random)
  tested.link.add(1, { toxic })
  return tested
}

describe('toxics', () => {
  test('latency: later, in order, the end too; jitter lets nothing overtake', () => {
    const tested = withToxic({ type: 'latency', timeMs: 100 })
    tested.send('a')
    tested.time.advanceTo(30)
    tested.send('b', 'end')
    tested.time.advanceTo(99)
    assert.deepEqual(tested.arrived, [])
    tested.time.advanceTo(200)
    assert.deepEqual(tested.arrived, ['100: a', '130: b', '130: end'])

    // The first is drawn at its longest, the second at its shortest.
    const jittery = withToxic({ type: 'latency', timeMs: 100, jitterMs: 50 }, numbers(0, 1))
    jittery.send('a', 'b')
    jittery.time.advanceTo(200)
    assert.deepEqual(jittery.arrived, ['150: a', '150: b'])
  })

  test('bandwidth: so many bytes a second, in small pieces', () => {
    const tested = withToxic({ type: 'bandwidth', bytesPerSecond: 100 })
    tested.send('abcd')
    tested.time.advanceTo(1000)
    assert.deepEqual(tested.arrived, ['20: ab', '40: cd'])
    tested.send('ef')
    tested.time.advanceTo(1020)
    assert.equal(tested.arrived.at(-1), '1020: ef', 'what was not used is not saved up')
  })

  test('slot: pieces leave together, by turns, in their order', () => {
    const tested = withToxic({ type: 'slot', timeMs: 100, frames: 2 })
    tested.send('a', 'b', 'c')
    tested.time.advanceTo(1000)
    assert.deepEqual(tested.arrived, ['100: a', '100: b', '200: c'])
    tested.send('d', 'end')
    tested.time.advanceTo(2000)
    assert.deepEqual(tested.arrived.slice(3), ['1100: d', '1100: end'])
  })

  test('packet_loss by states: what is lost is sent again, later', () => {
    // Lost once by a single loss, which is over then.
    const tested = withToxic({ type: 'packet_loss', states: { p13: 0, p14: 50 } }, numbers(0.4, 0, 0.9))
    tested.send('a', 'b')
    tested.time.advanceTo(1000)
    assert.deepEqual(tested.arrived, ['200: a', '200: b'])
  })

  test('slow_close: the end is late, and nothing else', () => {
    const tested = withToxic({ type: 'slow_close', delayMs: 500 })
    tested.send('a', 'end')
    assert.deepEqual(tested.arrived, ['0: a'])
    tested.time.advanceTo(500)
    assert.deepEqual(tested.arrived, ['0: a', '500: end'])
  })

  test('timeout: nothing arrives, and it closes; with 0 it hangs until the toxic is gone', () => {
    const tested = withToxic({ type: 'timeout', timeoutMs: 300 })
    tested.send('a')
    tested.time.advanceTo(299)
    assert.deepEqual([tested.arrived, tested.aborted], [[], []])
    tested.time.advanceTo(300)
    assert.deepEqual(tested.aborted, ['300: close'])

    const hanging = withToxic({ type: 'timeout', timeoutMs: 0 })
    hanging.send('a')
    hanging.time.advanceTo(1e6)
    assert.deepEqual(hanging.aborted, [])
    hanging.link.remove(1)
    assert.deepEqual([hanging.arrived, hanging.aborted], [[], ['1000000: close']], 'behind a gap')

    const unharmed = withToxic({ type: 'timeout', timeoutMs: 0 })
    unharmed.link.remove(1)
    unharmed.send('a')
    assert.deepEqual([unharmed.arrived, unharmed.aborted], [['0: a'], []])
  })

  test('reset_peer: data until then, and then a reset', () => {
    const tested = withToxic({ type: 'reset_peer', timeoutMs: 50 })
    tested.send('a')
    tested.time.advanceTo(50)
    assert.deepEqual([tested.arrived, tested.aborted], [['0: a'], ['50: reset']])
  })

  test('slicer: pieces of about that size, with time between them', () => {
    const tested = withToxic(
      { type: 'slicer', averageBytes: 3, variationBytes: 1, delayMs: 10 },
      numbers(0, 1, 0.5),
    )
    tested.send('abcdefghij')
    tested.time.advanceTo(100)
    // The first number is drawn for nothing: a toxicity of 100 % needs none.
    assert.deepEqual(tested.arrived, ['0: ab', '10: cdef', '20: ghi', '30: j'])
  })

  test('limit_data: so many bytes, then it closes', () => {
    const tested = withToxic({ type: 'limit_data', bytes: 5 })
    tested.send('abc', 'defg', 'h')
    assert.deepEqual([tested.arrived, tested.aborted], [['0: abc', '0: de'], ['0: close']])
  })

  test('packet_loss: what is lost is sent again, later each time, and holds up what is behind it', () => {
    // Lost twice, then not; the next piece is not lost.
    const tested = withToxic({ type: 'packet_loss', percent: 50 }, numbers(0.1, 0.1, 0.9))
    tested.send('a', 'b')
    tested.time.advanceTo(10_000)
    assert.deepEqual(tested.arrived, ['600: a', '600: b'])

    const burst = withToxic(
      { type: 'packet_loss', gilbertElliott: { toBad: 100, toGood: 100 } },
      numbers(0.5),
    )
    burst.send('a')
    burst.send('b')
    burst.time.advanceTo(10_000)
    // Good, then bad; the piece in the bad state is lost once, and finds the good one again.
    assert.deepEqual(burst.arrived, ['0: a', '200: b'])
  })

  test('corrupt: a bit of a piece, never its length', () => {
    const tested = withToxic({ type: 'corrupt', percent: 100 }, numbers(0))
    tested.send('aaaa', 'end')
    assert.equal(tested.arrived.length, 2)
    assert.notEqual(tested.arrived[0], '0: aaaa')
    assert.equal(tested.arrived[0]?.length, '0: aaaa'.length)
    assert.equal(tested.arrived[1], '0: end')
  })

  test('toxicity: drawn for each connection', () => {
    const tested = new TestedStream(numbers(0.6, 0.4))
    const toxic = { type: 'latency', timeMs: 100 } as const
    tested.link.add(1, { toxic, toxicity: 50 })
    tested.send('a')
    assert.deepEqual(tested.arrived, ['0: a'], 'this one has got away')
    tested.link.add(2, { toxic, toxicity: 50 })
    tested.send('b')
    tested.time.advanceTo(100)
    assert.deepEqual(tested.arrived, ['0: a', '100: b'])
  })

  test('one goes through all that are there; taken away it passes on what it holds, in order', () => {
    const tested = withToxic({ type: 'latency', timeMs: 100 })
    tested.link.add(2, { toxic: { type: 'latency', timeMs: 50 } })
    tested.send('a')
    tested.time.advanceTo(110)
    tested.send('b')
    tested.link.remove(1)
    tested.send('c')
    tested.time.advanceTo(1000)
    assert.deepEqual(tested.arrived, ['150: a', '160: b', '160: c'])
    tested.link.remove(2)
    tested.send('d')
    assert.equal(tested.arrived.at(-1), '1000: d')
  })

  test('a stream that is closed leaves no timer', () => {
    for (const toxic of [
      { type: 'latency', timeMs: 100 },
      { type: 'timeout', timeoutMs: 100 },
      { type: 'reset_peer', timeoutMs: 100 },
    ] satisfies Toxic[]) {
      const tested = withToxic(toxic)
      tested.send('a')
      assert.equal(tested.time.waiting, 1)
      tested.stream.close()
      assert.equal(tested.time.waiting, 0, toxic.type)
    }
  })
})

describe('the gate of a link', () => {
  test('jam: held, and released in order; what comes then is behind it', () => {
    const tested = new TestedStream()
    tested.link.add(1, 'jam')
    tested.send('a', 'b', 'end')
    assert.deepEqual(tested.arrived, [])
    assert.equal(tested.stream.heldBytes, 2)
    tested.link.remove(1)
    assert.deepEqual(tested.arrived, ['0: a', '0: b', '0: end'])
    assert.equal(tested.stream.heldBytes, 0)
  })

  test('cut: what came is lost, and the connection with it', () => {
    const tested = new TestedStream()
    tested.link.add(1, 'cut')
    tested.send('a')
    assert.deepEqual([tested.arrived, tested.aborted], [[], []], 'it hangs')
    tested.link.remove(1)
    assert.deepEqual([tested.arrived, tested.aborted], [[], ['0: reset']])
  })

  test('cut: a connection over which nothing was sent goes on; an end that nobody heard is heard then', () => {
    const tested = new TestedStream()
    tested.link.add(1, 'cut')
    tested.link.remove(1)
    tested.send('a')
    tested.link.add(2, 'cut')
    tested.send('end')
    assert.deepEqual(tested.arrived, ['0: a'])
    tested.link.remove(2)
    assert.deepEqual([tested.arrived, tested.aborted], [['0: a', '0: end'], []])
  })

  test('is open when everything that closes it is gone', () => {
    const tested = new TestedStream()
    tested.link.add(1, 'jam')
    tested.link.add(2, 'cut')
    assert.equal(tested.link.state, 'cut')
    tested.link.remove(2)
    assert.equal(tested.link.state, 'jammed')
    tested.send('a')
    assert.deepEqual(tested.arrived, [])
    tested.link.remove(1)
    assert.deepEqual(tested.arrived, ['0: a'])
    assert.equal(tested.link.isClean, true)
  })
})
