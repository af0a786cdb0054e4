/** The files by which a client or an operator speaks TLS, as every command takes them. */
import { invalidOption } from '@troupe/core'

export interface TlsFileValues {
  readonly 'tls-authority'?: string | undefined
  readonly 'tls-certificate'?: string | undefined
  readonly 'tls-key'?: string | undefined
}

interface TlsFiles {
  readonly authority: string
  readonly certificate?: string
  readonly key?: string
}

/**
 * Nothing where TLS is not spoken.
 *
 * @throws RaftError INVALID_OPTIONS for files that do not go together
 */
export function tlsFilesOf(values: TlsFileValues): { readonly tls?: TlsFiles } {
  const { 'tls-authority': authority, 'tls-certificate': certificate, 'tls-key': key } = values
  if (authority === undefined && (certificate ?? key) !== undefined)
    throw invalidOption('--tls-authority', authority, 'a file, for TLS')
  if ((certificate === undefined) !== (key === undefined))
    throw invalidOption(certificate === undefined ? '--tls-certificate' : '--tls-key', undefined, 'a file')
  if (authority === undefined) return {}
  return {
    tls: certificate === undefined || key === undefined ? { authority } : { authority, certificate, key },
  }
}
