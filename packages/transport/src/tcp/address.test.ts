import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import { formatAddress, isLoopback, parseAddress, resolveHost } from './address.ts'

describe('addresses', () => {
  it('are read as people write them', () => {
    assert.deepEqual(parseAddress('db1.example.org:7000'), { host: 'db1.example.org', port: 7000 })
    assert.deepEqual(parseAddress('[::1]:7000'), { host: '::1', port: 7000 })
    assert.deepEqual(parseAddress(' :7000 '), { host: '127.0.0.1', port: 7000 })
    assert.deepEqual(parseAddress('7000'), { host: '127.0.0.1', port: 7000 })
    assert.equal(formatAddress(parseAddress('[fe80::1]:1')), '[fe80::1]:1')
    assert.equal(formatAddress(parseAddress('a:0')), 'a:0')
  })

  it('are refused with the field and what is expected', () => {
    for (const text of [
      '',
      'host',
      'host:',
      'host:99999',
      'host:1x',
      '::1:7000',
      'a:b:1',
      '[::1]',
      'host:-1',
    ]) {
      assert.throws(
        () => parseAddress(text, 'peers.n2'),
        (error) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'peers.n2',
        text,
      )
    }
  })

  it('are loopback or not', () => {
    assert.deepEqual(
      [
        '127.0.0.1',
        '127.9.9.9',
        '::1',
        '::ffff:127.0.0.1',
        '0.0.0.0',
        '::',
        '10.0.0.1',
        '::ffff:10.0.0.1',
      ].map(isLoopback),
      [true, true, true, true, false, false, false, false],
    )
  })

  it('of names that nobody knows are one clear error', async () => {
    const find = () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }))
    await assert.rejects(
      resolveHost('no-such-host', 'listen.host', find),
      /listen.host is "no-such-host"; expected a host that has an address \(ENOTFOUND\)/,
    )
    assert.equal(await resolveHost('127.0.0.1', 'listen.host'), '127.0.0.1')
  })
})
