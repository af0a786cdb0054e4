/** Certificates for a benchmark's nodes and its client, all of an authority that is thrown away with them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from '@troupe/store'
import { TestAuthority, type TlsFiles } from '@troupe/transport'

/** Writes the files of everybody in `names` into `directory`. */
export function writeCertificates(
  directory: string,
  names: readonly string[],
): ReadonlyMap<string, TlsFiles> {
  makeDirectory(directory)
  const write = (file: string, text: string): string => {
    const path = join(directory, file)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const issuer = new TestAuthority()
  const authority = write('authority.pem', issuer.certificate)
  return new Map(
    names.map((name) => {
      const { certificate, key } = issuer.issue(name)
      const files = {
        certificate: write(`${name}.pem`, certificate),
        key: write(`${name}.key`, key),
        authority,
      }
      return [name, files]
    }),
  )
}
