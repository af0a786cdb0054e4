import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import { objectIdentifier, tagged, time } from './der.ts'
import { TestAuthority, validFor } from './test-authority.ts'

describe('certificates of the test authority', () => {
  const authority = new TestAuthority('somebody')
  const ca = new X509Certificate(authority.certificate)
  const issued = authority.issue('node-1')
  const leaf = new X509Certificate(issued.certificate)

  it('are read by OpenSSL: names, purpose, an issuer that may issue', () => {
    assert.equal(ca.ca, true)
    assert.equal(ca.subject, 'CN=somebody')
    assert.equal(leaf.ca, false)
    assert.equal(leaf.subject, 'CN=node-1')
    assert.equal(leaf.issuer, 'CN=somebody')
    assert.equal(leaf.subjectAltName, 'DNS:node-1')
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    assert.notEqual(
      leaf.serialNumber,
      new X509Certificate(authority.issue('node-1').certificate).serialNumber,
    )
  })

  it('are signed by it, and by nobody else of its name', () => {
    assert.ok(leaf.verify(ca.publicKey))
    assert.ok(ca.verify(ca.publicKey))
    assert.ok(leaf.checkIssued(ca))
    const other = new X509Certificate(new TestAuthority('somebody').certificate)
    assert.equal(leaf.verify(other.publicKey), false)
  })

  it('are issued as well by one that was saved and read again', () => {
    const { certificate, key } = authority
    const again = TestAuthority.load({ certificate, key })
    assert.equal(again.certificate, certificate)
    const issued = new X509Certificate(again.issue('n9').certificate)
    const root = new X509Certificate(certificate)
    assert.ok(issued.verify(root.publicKey))
    assert.ok(issued.checkIssued(root))
    const other = new TestAuthority()
    assert.throws(() => TestAuthority.load({ certificate, key: other.key }), /the key is that of another one/)
  })

  it('fit their keys', () => {
    assert.ok(leaf.checkPrivateKey(createPrivateKey(issued.key)))
  })

  it('hold for the time they say, beyond the year 2049 too', () => {
    const now = new Date('2049-06-01T12:00:00Z')
    const late = new X509Certificate(authority.issue('n', validFor(365, now)).certificate)
    assert.equal(Date.parse(late.validFrom), Date.parse('2049-06-01T11:55:00Z'))
    assert.equal(Date.parse(late.validTo), Date.parse('2050-06-01T12:00:00Z'))
  })
})

describe('DER', () => {
  it('writes lengths in the shortest form', () => {
    const heads = [0, 127, 128, 255, 256, 65_536].map((bytes) => tagged(4, new Uint8Array(bytes)))
    assert.deepEqual(
      heads.map((value, at) => value.subarray(0, [2, 2, 3, 3, 4, 5][at]).toString('hex')),
      ['0400', '047f', '048180', '0481ff', '04820100', '0483010000'],
    )
  })

  it('writes object identifiers and times as X.690 and RFC 5280 have them', () => {
    assert.equal(objectIdentifier('1.2.840.113549').toString('hex'), '06062a864886f70d')
    assert.equal(time(new Date('2026-01-02T03:04:05.678Z')).subarray(2).toString(), '260102030405Z')
    assert.equal(time(new Date('2050-01-02T03:04:05Z')).subarray(2).toString(), '20500102030405Z')
  })
})
