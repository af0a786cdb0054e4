/** Reads a log as ShiViz does, and looks at its clocks: they are what it draws. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

interface Read {
  readonly event: string
  readonly host: string
  readonly clock: Readonly<Record<string, number>>
}

const sends = / sends (?<what>\S+ of term \d+) to (?<to>\S+)$/
const gets = / gets (?<what>\S+ of term \d+) from (?<from>\S+)$/

/**
 * By the expression in its first line every event is read and nothing is left; each host counts its own events one by one;
 * each receipt stands behind a sending of such a message, and its clock is that one's or later in every part.
 */
export function checkShivizLog(file: string): void {
  const read = readAs(readFileSync(file, 'utf8'))
  const seen = new Map<string, number>()
  const clocks = new Map<string, Read>()
  const firstSent = new Map<string, number>()
  let receipts = 0
  for (const one of read) {
    const { event, host, clock } = one
    seen.set(host, (seen.get(host) ?? 0) + 1)
    assert.equal(clock[host], seen.get(host), event)
    clocks.set(`${host} ${clock[host]}`, one)
    const sent = sends.exec(event)?.groups
    const way = `${host} ${sent?.['what']} ${sent?.['to']}`
    if (sent !== undefined && !firstSent.has(way)) firstSent.set(way, clock[host] ?? 0)
    const { what, from } = gets.exec(event)?.groups ?? {}
    if (what === undefined || from === undefined) continue
    receipts++
    // The last that it knows of its sender is what was sent: or it knew more of it already, by another way.
    const known = clocks.get(`${from} ${clock[from]}`)
    assert.ok(known !== undefined, `${event}: ${from} was not so far`)
    for (const [name, count] of Object.entries(known.clock)) assert.ok(count <= (clock[name] ?? 0), event)
    const sentAt = firstSent.get(`${from} ${what} ${host}`)
    assert.ok(sentAt !== undefined && sentAt <= (clock[from] ?? 0), `${event}: was sent before`)
  }
  assert.ok(receipts > 0)
}

/** Looks at the events that such a log is made of: what comes was sent before, and nobody is left out for it. */
export function checkCauses(file: string): void {
  const sent = new Set<unknown>()
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const { kind, message, node, name } = line === '' ? {} : JSON.parse(line)
    if (kind === 'sent') sent.add(message)
    if (kind === 'received') assert.ok(sent.has(message), `${name} that ${node} got was sent before`)
  }
  assert.ok(sent.size > 0)
}

function readAs(log: string): readonly Read[] {
  const [expression = '', , ...rest] = log.split('\n')
  const body = rest.join('\n')
  const parser = new RegExp(expression.replaceAll('\\n', '\n'), 'gm')
  const read = [...body.matchAll(parser)]
  assert.equal(body.replace(parser, '').trim(), '', 'nothing is left')
  return read.map(({ groups = {} }) => {
    const { event = '', host = '', clock = '' } = groups
    return { event, host, clock: JSON.parse(clock) as Read['clock'] }
  })
}
