/**
 * A certificate authority for tests and for trying things out: its key lies wherever its owner puts it, and nothing it has
 * issued can be taken back. It writes certificates; of its own it reads the name.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'
import { invalidOption } from '@troupe/core'
import {
  bits,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octets,
  sequence,
  set,
  time,
  truth,
  utf8,
} from './der.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Clocks of hosts differ: a certificate holds a little before it was issued. */
const BACKDATED_MS = 5 * 60 * 1000

const Oid = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** A certificate with its key, both as PEM. */
export interface IssuedCertificate {
  readonly certificate: string
  readonly key: string
}

/** How long a certificate is good for. */
export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

/** From a little before now on, for so many days. */
export function validFor(days: number, now = new Date()): Validity {
  const atMs = now.getTime()
  return { notBefore: new Date(atMs - BACKDATED_MS), notAfter: new Date(atMs + days * DAY_MS) }
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export class TestAuthority {
  /** Its own certificate as PEM: what both ends are told to trust. */
  readonly certificate: string
  readonly #name: string
  readonly #keys: KeyPair

  /** A new one. */
  constructor(name?: string, validity?: Validity)
  /** @internal See {@link TestAuthority.load}. */
  constructor(
    name: string,
    validity: undefined,
    saved: { readonly certificate: string; readonly keys: KeyPair },
  )
  constructor(
    name = 'troupe test authority',
    validity: Validity = validFor(3650),
    saved?: { readonly certificate: string; readonly keys: KeyPair },
  ) {
    this.#name = name
    this.#keys = saved?.keys ?? makeKeys()
    if (saved !== undefined) {
      this.certificate = saved.certificate
      return
    }
    const extensions = [
      extension(Oid.basicConstraints, sequence(truth()), true),
      // keyCertSign and cRLSign: bits 5 and 6.
      extension(Oid.keyUsage, bits(Buffer.of(0b0000_0110), 1), true),
      extension(Oid.subjectKeyId, octets(keyId(this.#keys.publicKey))),
    ]
    this.certificate = this.#sign(name, this.#keys.publicKey, validity, extensions)
  }

  /**
   * One that was made before: it goes on issuing.
   * @throws RaftError INVALID_OPTIONS where the two are no certificate and its key
   */
  static load({ certificate, key }: IssuedCertificate): TestAuthority {
    try {
      const read = new X509Certificate(certificate)
      const privateKey = createPrivateKey(key)
      if (!read.checkPrivateKey(privateKey)) throw new Error('the key is that of another one')
      const name = /^CN=(.*)$/m.exec(read.subject)?.[1] ?? ''
      const keys = { privateKey, publicKey: createPublicKey(privateKey) }
      return new TestAuthority(name, undefined, { certificate, keys })
    } catch (error) {
      const reason = (error as Error).message
      throw invalidOption('authority', 'a certificate and a key', `those of one authority (${reason})`)
    }
  }

  /** Its private key as PEM: whoever has it can be anybody. */
  get key(): string {
    return pemOf(this.#keys.privateKey)
  }

  /** Issues a certificate for both ends of connections to the node (or client, or operator) `name`. */
  issue(name: string, validity: Validity = validFor(365)): IssuedCertificate {
    const keys = makeKeys()
    const extensions = [
      extension(Oid.basicConstraints, sequence(), true),
      // digitalSignature: bit 0.
      extension(Oid.keyUsage, bits(Buffer.of(0b1000_0000), 7), true),
      extension(
        Oid.extendedKeyUsage,
        sequence(objectIdentifier(Oid.serverAuth), objectIdentifier(Oid.clientAuth)),
      ),
      extension(Oid.subjectAltName, sequence(implicit(2, Buffer.from(name)))),
      extension(Oid.subjectKeyId, octets(keyId(keys.publicKey))),
      extension(Oid.authorityKeyId, sequence(implicit(0, keyId(this.#keys.publicKey)))),
    ]
    const certificate = this.#sign(name, keys.publicKey, validity, extensions)
    return { certificate, key: pemOf(keys.privateKey) }
  }

  /** RFC 5280 §4.1: the certificate of `publicKey`, as PEM. */
  #sign(
    subject: string,
    publicKey: KeyObject,
    { notBefore, notAfter }: Validity,
    extensions: Buffer[],
  ): string {
    const algorithm = sequence(objectIdentifier(Oid.ecdsaWithSha256))
    const toBeSigned = sequence(
      explicit(0, integer(Buffer.of(2))),
      integer(serialNumber()),
      algorithm,
      named(this.#name),
      sequence(time(notBefore), time(notAfter)),
      named(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      explicit(3, sequence(...extensions)),
    )
    const signature = sign('sha256', toBeSigned, this.#keys.privateKey)
    return pem(sequence(toBeSigned, algorithm, bits(signature)))
  }
}

const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

const makeKeys = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** Positive, 20 bytes at most, no zero in front (RFC 5280 §4.1.2.2). */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

const named = (name: string): Buffer => sequence(set(sequence(objectIdentifier(Oid.commonName), utf8(name))))

function extension(oid: string, value: Buffer, isCritical = false): Buffer {
  return sequence(objectIdentifier(oid), ...(isCritical ? [truth()] : []), octets(value))
}

/** RFC 5280 §4.2.1.2, method 1, over the whole key info: any value that differs from key to key will do. */
function keyId(publicKey: KeyObject): Buffer {
  return createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
