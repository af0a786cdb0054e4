/**
 * The files that a node, client or operator proves itself with, and whom it trusts.
 *
 * They are read again at intervals: a changed certificate is used for the connections made from then on, those that are open
 * stay. What does not fit (a new certificate beside the old key, as in the middle of a change) is not used.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { PeerCertificate, SecureContext, TLSSocket } from 'node:tls'
import { invalidOption, type NodeId } from '@troupe/core'
import { nodeTimers, Ticker, type Timers } from './timers.ts'
import { tls } from './tls.ts'

/** Paths of PEM files. */
export interface TlsFiles {
  /** The certificate; of a node: with the node's id as its name. Those of intermediate authorities behind it. */
  readonly certificate: string
  /** Its private key. */
  readonly key: string
  /** Whom to trust: the certificates of the authorities that issue for this cluster, and for nothing else. */
  readonly authority: string
}

/** What `tls` takes. Nothing older than TLS 1.3 is spoken. */
export interface SecureOptions {
  readonly cert: string
  readonly key: string
  readonly ca: string
  readonly minVersion: 'TLSv1.3'
}

const FIELDS = ['certificate', 'key', 'authority'] as const

export interface CredentialEvents {
  /** Other files are in use from now on. */
  changed?(): void
  /** Changed files do not fit; those from before stay in use. Told once for each change. */
  failed?(reason: string): void
}

export class Credentials {
  readonly #files: TlsFiles
  readonly #name: NodeId | undefined
  readonly #events: CredentialEvents
  readonly #listeners = new Set<() => void>()
  #options: SecureOptions
  #context: SecureContext
  #failure: string | undefined
  #ticker: Ticker | undefined

  /**
   * Reads the files.
   * @param name whose certificate it has to be; undefined: anybody's
   * @throws RaftError INVALID_OPTIONS for a file that cannot be read, a key that does not fit, an expired certificate,
   *   another name
   */
  constructor(files: TlsFiles, name?: NodeId, events: CredentialEvents = {}) {
    this.#files = files
    this.#name = name
    this.#events = events
    this.#options = optionsOf(FIELDS.map((field) => this.#readSync(field)))
    this.#context = this.#check(this.#options)
  }

  get options(): SecureOptions {
    return this.#options
  }

  /** For the next connection. */
  get context(): SecureContext {
    return this.#context
  }

  /** Calls back whenever other files came into use. Gives what stops that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads the files again every so often, until `close`. */
  watch(intervalMs = 10_000, timers: Timers = nodeTimers): void {
    this.#ticker ??= new Ticker(timers, intervalMs, () => void this.reload().catch(() => {}))
  }

  close(): void {
    this.#ticker?.stop()
  }

  /** Reads the files now. Gives whether others are in use from now on. */
  async reload(): Promise<boolean> {
    let options: SecureOptions
    let context: SecureContext
    try {
      options = optionsOf(await Promise.all(FIELDS.map((field) => readFile(this.#files[field], 'utf8'))))
      if (isSame(options, this.#options)) return false
      context = this.#check(options)
    } catch (error) {
      this.#fail((error as Error).message)
      return false
    }
    this.#options = options
    this.#context = context
    this.#failure = undefined
    this.#events.changed?.()
    for (const listener of this.#listeners) listener()
    return true
  }

  #fail(reason: string): void {
    if (this.#failure === reason) return
    this.#failure = reason
    this.#events.failed?.(reason)
  }

  #readSync(field: keyof TlsFiles): string {
    const path = this.#files[field]
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw invalidOption(
        `tls.${field}`,
        path,
        `a file that can be read (${(error as NodeJS.ErrnoException).code})`,
      )
    }
  }

  #check(options: SecureOptions): SecureContext {
    const { certificate, key, authority } = this.#files
    const leaf = parsed('tls.certificate', certificate, options.cert)
    // What node makes of an authority that is none is a context that trusts nobody.
    parsed('tls.authority', authority, options.ca)
    if (leaf.validToDate.getTime() < Date.now()) {
      throw invalidOption('tls.certificate', certificate, `one that holds; it ended on ${leaf.validTo}`)
    }
    const names = { subject: { CN: commonNameOf(leaf) }, subjectaltname: leaf.subjectAltName }
    if (this.#name !== undefined && !bearsName(names, this.#name)) {
      throw invalidOption(
        'tls.certificate',
        certificate,
        `one with the node's id, ${this.#name}, as its name`,
      )
    }
    try {
      return tls().createSecureContext(options)
    } catch (error) {
      throw invalidOption('tls.key', key, `the key of ${certificate} (${(error as Error).message})`)
    }
  }
}

function optionsOf([cert = '', key = '', ca = '']: readonly string[]): SecureOptions {
  return { cert, key, ca, minVersion: 'TLSv1.3' }
}

const isSame = (one: SecureOptions, other: SecureOptions): boolean =>
  one.cert === other.cert && one.key === other.key && one.ca === other.ca

function parsed(field: string, path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw invalidOption(field, path, 'a certificate in PEM')
  }
}

const commonNameOf = (certificate: X509Certificate): string | undefined =>
  /^CN=(.*)$/m.exec(certificate.subject)?.[1]

interface Names {
  readonly subject: { readonly CN?: string | string[] | undefined }
  readonly subjectaltname?: string | undefined
}

/** Whether a certificate is that of `name`: by its common name or one of its DNS names, letter for letter. */
export function bearsName({ subject, subjectaltname }: Names, name: NodeId): boolean {
  const names = [subject.CN ?? []].flat()
  // A name that could be taken for several is quoted: then none of them counts.
  if (subjectaltname !== undefined && !subjectaltname.includes('"')) {
    for (const part of subjectaltname.split(', ')) if (part.startsWith('DNS:')) names.push(part.slice(4))
  }
  return names.includes(name)
}

/**
 * Why the other end's certificate proves nothing, or not that it is `name`; undefined where it does. The chain and the
 * time were checked by OpenSSL while the connection was made.
 */
export function certificateProblem(socket: TLSSocket, name: NodeId | undefined): string | undefined {
  const certificate = socket.getPeerCertificate() as PeerCertificate | undefined
  if (certificate?.raw === undefined) return 'no certificate'
  if (!socket.authorized) return `a certificate that does not hold: ${errorCode(socket.authorizationError)}`
  if (name === undefined || bearsName(certificate, name)) return undefined
  return `the certificate of ${JSON.stringify([certificate.subject.CN].flat().join(', '))}`
}

/**
 * For a client or operator that has no certificate of its own: whom it trusts.
 * @throws RaftError INVALID_OPTIONS for a file that cannot be read, or is no certificate
 */
export function trustOnly(authority: string): Pick<Credentials, 'context'> {
  let ca: string
  try {
    ca = readFileSync(authority, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw invalidOption('tls.authority', authority, `a file that can be read (${code})`)
  }
  parsed('tls.authority', authority, ca)
  return { context: tls().createSecureContext({ ca, minVersion: 'TLSv1.3' }) }
}

/** Node has it as a code in some versions and as an error in others. */
function errorCode(error: unknown): string {
  if (error instanceof Error) return (error as NodeJS.ErrnoException).code ?? error.message
  return String(error)
}
