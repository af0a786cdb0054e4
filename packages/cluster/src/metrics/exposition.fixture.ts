/** Reads the text format of Prometheus as strictly as its scraper, and a little more: for tests. */
import assert from 'node:assert/strict'

export interface ParsedFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: {
    readonly name: string
    readonly labels: Record<string, string>
    readonly value: number
  }[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

/** @throws AssertionError where it is not in the format: unknown lines, names twice, samples without a family, buckets that fall */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  assert.ok(text.endsWith('\n'), 'the last line has an end')
  const families = new Map<string, ParsedFamily>()
  const seen = new Set<string>()
  let family: ParsedFamily | undefined
  let help: [name: string, text: string] | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      help = [name, rest]
    } else if (keyword === 'TYPE') {
      assert.match(name, NAME)
      assert.ok(!families.has(name), `${name} twice`)
      assert.equal(help?.[0], name, `${name} without help`)
      assert.ok(['counter', 'gauge', 'histogram'].includes(rest), line)
      family = { name, type: rest, help: help[1], samples: [] }
      families.set(name, family)
    } else {
      const sample = readSample(line)
      assert.ok(family !== undefined && familyOf(sample.name, family.type) === family.name, line)
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
      assert.ok(!seen.has(key), `${line} twice`)
      seen.add(key)
      family.samples.push(sample)
    }
  }
  for (const each of families.values()) if (each.type === 'histogram') checkHistogram(each)
  return families
}

function readSample(line: string): ParsedFamily['samples'][number] {
  const [, name, inside = '', value = ''] = SAMPLE.exec(line) ?? []
  assert.ok(name !== undefined, `no sample: ${line}`)
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < inside.length) {
    const [, label, text] = LABEL.exec(inside) ?? []
    assert.ok(label !== undefined && text !== undefined, `labels: ${line}`)
    assert.ok(!(label in labels), `a label twice: ${line}`)
    labels[label] = text.replace(/\\(.)/g, (_, each) => (each === 'n' ? '\n' : each))
  }
  const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value)
  assert.ok(!Number.isNaN(number), `a value: ${line}`)
  return { name, labels, value: number }
}

const familyOf = (name: string, type: string): string =>
  type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name

/** Of each set of labels: bounds rise, counts never fall, the last is that of all. */
function checkHistogram({ name, samples }: ParsedFamily): void {
  const series = new Map<string, ParsedFamily['samples']>()
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels
    const key = JSON.stringify(labels)
    series.set(key, [...(series.get(key) ?? []), sample])
  }
  for (const each of series.values()) {
    const buckets = each.filter((sample) => sample.name === `${name}_bucket`)
    const count = each.find((sample) => sample.name === `${name}_count`)?.value
    assert.ok(each.some((sample) => sample.name === `${name}_sum`))
    assert.equal(buckets.at(-1)?.labels['le'], '+Inf')
    assert.equal(buckets.at(-1)?.value, count)
    const bounds = buckets.map(({ labels: { le } }) =>
      le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
    )
    for (let at = 1; at < buckets.length; at++) {
      assert.ok((bounds[at] as number) > (bounds[at - 1] as number), `bounds of ${name}`)
      assert.ok((buckets[at]?.value ?? 0) >= (buckets[at - 1]?.value ?? 0), `counts of ${name}`)
    }
  }
}
